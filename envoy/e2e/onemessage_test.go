//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/policy/casetable"
)

// oneMessage is the recipe that this file is about.
const oneMessage = "one-message.yaml"

// unstoppable are the cases that one-message.yaml cannot carry: `reject` stops a request before it reaches the upstream,
// and with this recipe corsproc hears of it when the upstream has answered. The request is then refused as others are;
// beside each case is the Timing-Allow-Origin that its place gives to responses.
var unstoppable = map[string]string{
	"WEBSOCKETS stops a handshake":                         "",
	"UNSAFE_METHODS stops POST":                            "https://rum.example, https://shop.example.com",
	"UNSAFE_METHODS stops a malformed origin":              "https://rum.example, https://shop.example.com",
	"UNSAFE_METHODS stops a denied origin":                 "https://rum.example, https://shop.example.com",
	"ALWAYS stops GET":                                     "",
	"a route overrides reject":                             "https://rum.example",
	"a route inherits reject":                              "https://rum.example",
	"candidates and reject":                                "",
	"a dry run":                                            "", // of candidates that reject
	"an ambiguous path that begins in a passthrough place": "",
	"an ambiguous path that ends in a passthrough place":   "",

	"a path parameter leads to a place that rejects":                        "https://rum.example",
	"an escaped path parameter leads to a place that rejects":               "https://rum.example",
	"an escaped path parameter, the digit in upper case":                    "https://rum.example",
	"an empty segment that only a parameter hides":                          "https://rum.example",
	"places that differ in reject, the stricter of which stops the request": "https://rum.example",
	"places that differ in reject, by another reading":                      "https://rum.example",
	"policies that Envoy names, in places that differ in reject":            "",

	"the route configuration adds, request that is rejected":       "",
	"a virtual host adds, request that is rejected":                "",
	"a virtual host overwrites, request that is rejected":          "",
	"a route adds, request that is rejected":                       "",
	"a route overwrites, request that is rejected":                 "",
	"all levels together, request that is rejected":                "",
	"the route configuration overwrites, request that is rejected": "",
}

// TestCasesOneMessage is TestCases with one message per request. All but the unstoppable cases are the same.
func TestCasesOneMessage(t *testing.T) {
	for _, table := range oneMessageCases(t) {
		t.Run(table.File, func(t *testing.T) { runCases(t, oneMessage, &table) })
	}
}

// oneMessageCases returns the case tables with what one-message.yaml makes of the unstoppable ones.
func oneMessageCases(t *testing.T) []casetable.Table {
	met := map[string]bool{}
	tables := casetable.Load(t)
	for _, table := range tables {
		for i := range table.Cases {
			c := &table.Cases[i]
			timing, listed := unstoppable[c.Name]
			if !listed {
				if c.NoEnvoy == "" && strings.Contains(c.Expect.Verdict+c.Expect.Candidate, "rejected") {
					t.Errorf("%s cannot work and is not listed", c.Name)
				}
				continue
			}
			met[c.Name] = true
			c.Expect.Candidate = strings.Replace(c.Expect.Candidate, "rejected", "refused", 1)
			if c.Expect.Verdict == "rejected" {
				c.Expect.Verdict, c.Expect.Status, c.Expect.Body = "refused", 0, false
				c.Expect.Headers = map[string]string{"vary": "Origin"}
				if timing != "" {
					c.Expect.Headers["timing-allow-origin"] = timing
				}
			}
		}
	}
	for name := range unstoppable {
		if !met[name] {
			t.Errorf("%s is listed, and no case", name)
		}
	}
	return tables
}

// TestOneMessagePromises holds the file to what the documentation says of it, and to be envoy.yaml but for its filters.
func TestOneMessagePromises(t *testing.T) {
	c, reference := load(t, oneMessage), load(t, "envoy.yaml")
	if len(c.Processors) != 2 {
		t.Fatalf("%d filters ask corsproc, not two", len(c.Processors))
	}
	actual, preflight := c.Processors[0], c.Processors[1]
	for i, p := range c.Processors {
		checkProcessor(t, p)
		if name := c.Manager.GetHttpFilters()[i].GetName(); name != p.Name {
			t.Errorf("filter %d is %s, not %s", i, name, p.Name)
		}
	}
	checkAttributes(t, actual, nil, answeredAttributes)
	checkAttributes(t, preflight, placeAttributes, nil)
	if !actual.GetFailureModeAllow() || preflight.GetFailureModeAllow() {
		t.Error("failure_mode_allow: the upstream's answer is to pass, a preflight is not")
	}
	skip, send := modev3.ProcessingMode_SKIP, modev3.ProcessingMode_SEND
	if m := actual.GetProcessingMode(); m.GetRequestHeaderMode() != skip || m.GetResponseHeaderMode() != send {
		t.Errorf("%s: %v", actual.Name, m)
	}
	if m := preflight.GetProcessingMode(); m.GetRequestHeaderMode() != send || m.GetResponseHeaderMode() != skip {
		t.Errorf("%s: %v", preflight.Name, m)
	}

	c.Manager.HttpFilters = c.Manager.HttpFilters[2:]
	reference.Manager.HttpFilters = reference.Manager.HttpFilters[1:]
	for _, config := range []*bootstrap.Config{c, reference} {
		if _, err := config.JSON(); err != nil { // packs the manager back
			t.Fatal(err)
		}
	}
	if !proto.Equal(c.Bootstrap, reference.Bootstrap) {
		t.Error("it differs from envoy.yaml in more than the filters that ask corsproc")
	}
}

// TestOneMessage counts the messages, and sends what is hardest to tell a preflight from.
func TestOneMessage(t *testing.T) {
	g := start(t, setup{config: oneMessage, policies: shopPolicies})
	for _, c := range []struct {
		name, method string
		lines        []string
		status       int
	}{
		{"without Origin", "GET", nil, 200},
		{"with an Origin", "POST", []string{"Origin: https://shop.example.com"}, 200},
		{"preflight", "OPTIONS", []string{"Origin: https://shop.example.com", "Access-Control-Request-Method: POST"}, 204},
		{"preflight for an empty method", "OPTIONS", []string{"Origin: https://shop.example.com", "Access-Control-Request-Method:"}, 204},
		{"preflight of an empty Origin", "OPTIONS", []string{"Origin:", "Access-Control-Request-Method: GET"}, 403},
		{"OPTIONS that is no preflight", "OPTIONS", []string{"Origin: https://shop.example.com"}, 200},
		{"OPTIONS without Origin", "OPTIONS", []string{"Access-Control-Request-Method: GET"}, 200},
		{"a method's header without OPTIONS", "GET", []string{"Origin: https://shop.example.com", "Access-Control-Request-Method: GET"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := g.messages()
			if a := g.do(c.method, "api.example.com", "/", c.lines...); a.status != c.status {
				t.Errorf("status %d, want %d", a.status, c.status)
			}
			if n := g.messages() - before; n != 1 {
				t.Errorf("%d messages, not one", n)
			}
		})
	}
}

// messages returns how many messages Envoy has sent to corsproc.
func (g *gateway) messages() (n int) {
	g.t.Helper()
	stats, err := g.envoy.Get(g.t.Context(), "/stats?filter=^http.ingress.ext_proc.cors.stream_msgs_sent$")
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(stats), "http.ingress.ext_proc.cors.stream_msgs_sent: %d", &n); err != nil {
		g.t.Fatalf("%q: %v", stats, err)
	}
	return n
}

// TestOneMessageServiceDown: see also TestServiceDown.
func TestOneMessageServiceDown(t *testing.T) {
	g := start(t, setup{config: oneMessage, noService: true})
	a := g.do("OPTIONS", "api.example.com", "/", "Origin: https://shop.example.com", "Access-Control-Request-Method: POST")
	if a.status != 500 || a.joined["access-control-allow-origin"] != "" || g.upstream.requests.Load() != 0 {
		t.Errorf("preflight: %d %v, %d requests at the upstream", a.status, a.header, g.upstream.requests.Load())
	}
}

// TestSlowUpstream has more requests wait for the upstream than Envoy's default circuit breaker lets streams be open.
// With one message, no stream is, and none is lost; with envoy.yaml, whose circuit breakers are raised for that, some
// would be.
func TestSlowUpstream(t *testing.T) {
	const requests, defaultLimit = 1100, 1024
	withRecipes(t, func(t *testing.T, config string) {
		g := start(t, setup{config: config, policies: shopPolicies, edit: func(c *bootstrap.Config) {
			service, err := c.Cluster(bootstrap.ClusterName)
			if err != nil {
				t.Fatal(err)
			}
			upstream, err := c.Cluster("echo")
			if err != nil {
				t.Fatal(err)
			}
			upstream.CircuitBreakers, service.CircuitBreakers = service.CircuitBreakers, nil
		}})
		var waiting atomic.Int64
		open, turns := make(chan struct{}), make(chan struct{}, 64)
		g.upstream.work = func() {
			waiting.Add(1)
			<-open
			turns <- struct{}{} // not all in one instant: that is a burst, and another matter
		}
		var all sync.WaitGroup
		var granted, failed atomic.Int64
		for range requests {
			all.Go(func() {
				a, err := send(g.address, "GET", "api.example.com", "/", "Origin: https://shop.example.com")
				if err != nil || a.status != 200 {
					failed.Add(1)
				} else if a.joined["access-control-allow-origin"] != "" {
					granted.Add(1)
				}
				if err == nil {
					<-turns
				}
			})
		}
		eventually(t, "every request waits at the upstream", func() bool { return waiting.Load() == requests })
		if config == oneMessage && g.messages() != 0 {
			t.Errorf("%d messages before any response", g.messages())
		}
		close(open)
		all.Wait()
		want := int64(requests)
		if config != oneMessage {
			want = defaultLimit
		}
		if granted.Load() != want || failed.Load() != 0 {
			t.Errorf("%d of %d answers have their CORS headers, want %d; %d failed", granted.Load(), requests, want, failed.Load())
		}
	})
}

// TestOneMessageSkipsWithoutOrigin switches on the lines that leave requests without Origin alone, and then those that
// the file wants beside them.
func TestOneMessageSkipsWithoutOrigin(t *testing.T) {
	text := read(t, "envoy/"+oneMessage)
	skipping := uncommented(t, text, "- predicate: { not_matcher: { single_predicate: *origin } }", 2)
	cleaned := uncommented(t, skipping, "response_headers_to_remove:", 8)
	cleaned = uncommented(t, cleaned, "response_headers_to_add:", 2)
	for name, c := range map[string]struct {
		text string
		want [2]string // Access-Control-Allow-Origin and Vary, of an answer without Origin
	}{
		"as the upstream wrote it": {skipping, [2]string{"https://up.example", "Accept-Encoding"}},
		"for caches":               {cleaned, [2]string{"", "Accept-Encoding,Origin"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), oneMessage)
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			g := start(t, setup{config: file, policies: shopPolicies})
			g.upstream.answers("up", "Access-Control-Allow-Origin: https://up.example", "Vary: Accept-Encoding")
			a := g.do("GET", "api.example.com", "/", "X-Case: up")
			got := [2]string{a.joined["access-control-allow-origin"], strings.ReplaceAll(a.joined["vary"], ", ", ",")}
			if a.status != 200 || got != c.want {
				t.Errorf("%d %q, want %q", a.status, got, c.want)
			}
			if n := g.messages(); n != 0 {
				t.Errorf("%d messages for a request without Origin", n)
			}
			for _, origin := range []string{"https://shop.example.com", ""} { // an empty one is there, and malformed
				a = g.do("GET", "api.example.com", "/", "X-Case: up", "Origin: "+origin)
				if a.joined["access-control-allow-origin"] != origin || strings.ReplaceAll(a.joined["vary"], ", ", ",") != "Accept-Encoding,Origin" {
					t.Errorf("with the Origin %q: %v", origin, a.header)
				}
			}
			preflight := g.do("OPTIONS", "api.example.com", "/", "Origin: https://shop.example.com", "Access-Control-Request-Method: POST")
			if preflight.status != 204 || preflight.joined["access-control-allow-origin"] == "" {
				t.Errorf("preflight: %d %v", preflight.status, preflight.header)
			}
			if n := g.messages(); n != 3 {
				t.Errorf("%d messages, want 3", n)
			}
		})
	}
}

func uncommented(t *testing.T, text, first string, lines int) string {
	t.Helper()
	text, err := bootstrap.Uncomment(text, first, lines)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestOneMessageAfterRewrites holds what the file says of routes that change a request on its way to the upstream.
func TestOneMessageAfterRewrites(t *testing.T) {
	const page = "https://shop.example.com"
	g := start(t, setup{config: oneMessage, policies: `
policies:
  shop: {allow_origins: [https://shop.example.com]}
virtual_hosts:
  - domains: [api.example.com]
    policies: [shop]
    routes:
      - {route_name: inside, policies: [shop]}
      - {prefix: /internal/, policies: [none]}
default: {policies: [none]}
`, virtualHosts: `
- name: api
  domains: ["*"]
  routes:
  - {match: {path: /path}, route: {cluster: echo, prefix_rewrite: /internal/}}
  - {match: {path: /host}, route: {cluster: echo, host_rewrite_literal: internal.example}}
  - {match: {path: /origin}, route: {cluster: echo}, request_headers_to_remove: [origin]}
  - {match: {path: /named}, route: {cluster: echo, prefix_rewrite: /internal/}, name: inside}
  - match: {path: /metadata}
    route: {cluster: echo, prefix_rewrite: /internal/, host_rewrite_literal: internal.example}
    metadata: {filter_metadata: {corsproc: {policies: shop}}}
  - {match: {prefix: /}, route: {cluster: echo}}
`})
	for path, want := range map[string]string{"/": page, "/path": "", "/host": "", "/origin": "", "/named": page, "/metadata": page} {
		if got := g.do("GET", "api.example.com", path, "Origin: "+page).joined["access-control-allow-origin"]; got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
