//go:build unix

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// atRandom is what is made up of policies, Envoy's routes and requests.
type atRandom struct {
	*rand.Rand
}

func (r *atRandom) pick(list ...string) string { return list[r.IntN(len(list))] }

// often holds for a percentage.
func (r *atRandom) often(percent int) bool { return r.IntN(100) < percent }

// some returns a part of a list, in its order.
func (r *atRandom) some(percent int, list ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(string) bool { return !r.often(percent) })
}

// quoted is a list as it stands in a policy file.
func quoted(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	return "['" + strings.Join(list, "', '") + "']"
}

// namedAtRandom are lists that Envoy may name, of which some do not exist.
var namedAtRandom = []string{"p0", "p1, p2", " p2 ,p0,p1", "none", "passthrough", "p1", "missing", "p0,none", "", ","}

// policies writes a policy file.
func (r *atRandom) policies() string {
	var b strings.Builder
	b.WriteString("policies:\n  fixed: {allow_origins: [https://a.example], fixed_origin: true, expose_headers: [X-A]}\n")
	for i := range 3 {
		fmt.Fprintf(&b, "  p%d: {allow_origins: %s, deny_origins: %s, allow_origin_regexes: %s, allow_methods: %s, allow_headers: %s, "+
			"allow_private_network: %v, preflight_status: %s, dangerously_allow: [ANY_ORIGIN_WITH_CREDENTIALS, INSECURE_ORIGINS_WITH_CREDENTIALS, PUBLIC_SUFFIX_WILDCARDS]",
			i, quoted(r.some(25, "*", "null", "https://a.example", "https://*.a.example", "https://x*.a.example", "https://pr-*-web.a.example", "http://b.example:8080", "https://*", "https://c.example:*", "app://x", "https://[::1]")),
			quoted(r.some(15, "https://evil.a.example", "https://*.x.a.example", "null", "http://b.example:8080")), quoted(r.some(20, `https://r[0-9]\.example`, `https?://q\.example(:[0-9]+)?`)),
			quoted(r.some(40, "PUT", "DELETE", "*", "patch")), quoted(r.some(40, "X-A", "x-b", "Authorization", "*", "Content-Type", "@connect")), r.often(50), r.pick("200", "204"))
		if r.often(50) {
			fmt.Fprintf(&b, ", max_age: %ds", r.IntN(3)*600)
		}
		if r.often(40) {
			b.WriteString(", allow_credentials: true, expose_headers: " + quoted(r.some(50, "X-A", "x-b")))
		} else {
			b.WriteString(", expose_headers: " + quoted(r.some(40, "X-A", "x-b", "*", "@grpc-web")))
		}
		if r.often(30) {
			b.WriteString(", expose_upstream: true")
		}
		b.WriteString("}\n")
	}
	fmt.Fprintf(&b, "default: {%s}\nvirtual_hosts:\n", r.place())
	names, domains := []string{"h0", "h1", "h*", "other"}, []string{"h0.test", "h1.test", "'*.test'", "'h1.test:8080'", "'*'"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	r.Shuffle(len(domains), func(i, j int) { domains[i], domains[j] = domains[j], domains[i] })
	for i := range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "- {domains: [%s], ", domains[i])
		if r.often(60) {
			fmt.Fprintf(&b, "name: '%s', ", names[i])
		}
		fmt.Fprintf(&b, "%s, routes: [", r.place())
		for range r.IntN(5) {
			fmt.Fprintf(&b, "{%s, %s}, ", r.pick("path: /a", "prefix: /b/", "prefix: /a", "prefix: /c/x", "path_separated_prefix: /c", "regex: '/[abc]/[0-9]+'", "route_name: 'r*'", "route_name: r1"), r.place())
		}
		b.WriteString("{path: /z}]}\n")
	}
	return b.String()
}

// place writes the fields of a place.
func (r *atRandom) place() string {
	place := fmt.Sprintf("policies: [%s], reject: %s, unmatched_preflights: %s", r.pick("p0", "p1, p2", "p2, p0, p1", "none", "passthrough", "p1", "p2", "fixed", "fixed, p0"),
		r.pick("NEVER", "NEVER", "WEBSOCKETS", "UNSAFE_METHODS", "ALWAYS"), r.pick("ANSWER", "REFUSE"))
	if r.often(30) {
		place += ", timing_allow_origins: " + r.pick("['*']", "[https://a.example, https://b.example]")
	}
	if r.often(20) {
		place += ", candidates: [" + r.pick("p0", "p1, p2", "none") + "]"
	}
	return place
}

// hosts writes Envoy's virtual hosts.
func (r *atRandom) hosts() string {
	var b strings.Builder
	name := func() string {
		if r.often(70) {
			return ""
		}
		return fmt.Sprintf(", metadata: {filter_metadata: {corsproc: {policies: '%s'}}}", r.pick(namedAtRandom...))
	}
	adds := func(level string) string {
		if r.often(60) {
			return ""
		}
		return fmt.Sprintf(", response_headers_to_add: [{header: {key: x-added, value: %s}, append_action: %s}, {header: {key: %s, value: '%s'}, append_action: %s}]", level, "OVERWRITE_IF_EXISTS_OR_ADD",
			r.pick("access-control-allow-origin", "access-control-allow-methods", "vary", "timing-allow-origin", "access-control-max-age"), r.pick("*", "x", "Accept"),
			r.pick("APPEND_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS_OR_ADD"))
	}
	for i, domains := range []string{"h0.test", "h1.test, '*.h1.test'", "'*'"} {
		host := name()
		fmt.Fprintf(&b, "- {name: %s, domains: [%s]%s%s, routes: [", r.pick(fmt.Sprint("h", i), "other", fmt.Sprint("x", i)), domains, host, adds("host"))
		for range r.IntN(4) {
			action := r.pick("route: {cluster: echo}", "route: {cluster: echo}", "route: {cluster: echo, prefix_rewrite: /changed}", "route: {cluster: nobody}", "direct_response: {status: 418}", "redirect: {path_redirect: /}")
			fmt.Fprintf(&b, "{match: {%s}, name: '%s', %s%s%s}, ", r.pick("path: /a", "prefix: /b", "prefix: /c/", "path_separated_prefix: /a"), r.pick("r1", "r2", ""), action, name(), adds("route"))
		}
		if host != "" || r.often(80) { // without a route, a module does not see what the host names
			fmt.Fprintf(&b, "{match: {prefix: /}, route: {cluster: echo}%s%s}", name(), adds("route"))
		} else {
			b.WriteString("{match: {path: /only}, route: {cluster: echo}}")
		}
		b.WriteString("]}\n")
	}
	return b.String()
}

// request makes one up.
func (r *atRandom) request(answers int) wire {
	q := wire{
		method: r.pick("GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "OPTIONS", "OPTIONS", "PATCH", "TRACE"),
		host:   r.pick("h0.test", "h1.test", "a.h1.test", "H1.test:8080", "elsewhere.example", "h0.test.", "127.0.0.1:99"),
		path: r.pick("/a", "/a/1", "/b/", "/b/%2e%2e/a", "/c", "/c/x", "/z", "/", "/only", "/a;x=1", "/b//a", "/%61", "/b/..%2fa", "/a/../b/", "/c%2Fx", "/z?q=/a", "/c/xy/"+fmt.Sprint(r.IntN(9)), "/d/"+strings.Repeat("x", r.IntN(20)),
			"/%c3%a9"),
	}
	line := func(percent int, name string, values ...string) {
		if r.often(percent) {
			q.lines = append(q.lines, name+": "+r.pick(values...))
		}
	}
	origins := []string{"https://a.example", "https://x.a.example", "https://pr-7-web.a.example", "https://evil.a.example", "http://b.example:8080", "null", "https://c.example:99", "https://r1.example", "http://q.example:8", "app://x",
		"https://[::1]", "https://h0.test", "http://h1.test", "https://elsewhere.example", "HTTPS://a.example", "https://a.example:443", "https://a.example,https://a.example", "", "https://\xff", "https://a.example/"}
	line(85, "Origin", origins...)
	line(3, "Origin", origins...)
	if q.method == "OPTIONS" {
		line(85, "Access-Control-Request-Method", "PUT", "DELETE", "GET", "patch", "PATCH", "", "T/E", "ANY")
		line(3, "Access-Control-Request-Method", "PUT")
		for _, percent := range []int{60, 20, 10} {
			line(percent, "Access-Control-Request-Headers", "x-a", "x-b,x-a", "authorization", "x-a, content-type", "connect-protocol-version,content-type", "x-unknown", "", ",,x-b", "x a", "x-a,\tx-b", strings.Repeat(",", 40))
		}
		line(20, "Access-Control-Request-Private-Network", "true", "false", "")
	}
	line(15, "Sec-Fetch-Site", "same-origin", "cross-site", "none", "same-site")
	line(2, "Sec-Fetch-Site", "same-origin")
	line(5, "X-Deny", "1")
	line(4, "Content-Type", "application/grpc", "application/grpc+proto", "application/json")
	if answers > 0 {
		line(60, "X-Case", fmt.Sprint("random", r.IntN(answers)))
	}
	if r.often(25) {
		q.version = "2"
	} else if q.method == "GET" && r.often(8) {
		q.lines = append(q.lines, handshake...)
	}
	return q
}

// answer makes up the lines of an upstream's answer.
func (r *atRandom) answer() (lines []string) {
	for name, values := range map[string][]string{
		"Access-Control-Allow-Origin":      {"*", "https://a.example", "null", ""},
		"Access-Control-Allow-Credentials": {"true", "false"},
		"Access-Control-Expose-Headers":    {"X-Up", "*", "x-up, x-down", "x-b,,X-A ,x-up", "", "a b"},
		"Access-Control-Allow-Methods":     {"PUT"},
		"Access-Control-Max-Age":           {"1"},
		"Access-Control-Other":             {"1"},
		"Timing-Allow-Origin":              {"*", "https://up.example"},
	} {
		for range 2 {
			if r.often(25) {
				lines = append(lines, name+": "+r.pick(values...))
			}
		}
	}
	for range r.IntN(4) {
		lines = append(lines, "Vary: "+r.pick("Accept-Encoding", "accept-encoding, Origin", "*", "", ",,", "origin", "X-A,  x-a\t,X-B", "Origin2", "a b", "\"x\", y", "x-\xff", strings.Repeat("x-long, ", r.IntN(200))+"y"))
	}
	return lines
}

// TestModuleAgreesAtRandom sends random requests to the module and to the service, with random policies, routes and upstreams:
// clients and the access log see the same. AGREE says for how long, for instance AGREE=1h; the seeds are then others each time.
func TestModuleAgreesAtRandom(t *testing.T) {
	const envoys, sets, requests = 3, 8, 200
	if agree := os.Getenv("AGREE"); agree != "" {
		duration, err := time.ParseDuration(agree)
		if err != nil {
			t.Fatal(err)
		}
		sent, seed := 0, uint64(time.Now().UnixNano())
		for end := time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); seed++ {
			sent += agreeAtRandom(t, seed, 2*sets, 4*requests)
			t.Logf("%d requests of each", sent)
		}
		return
	}
	for seed := range uint64(envoys) {
		agreeAtRandom(t, seed, sets, requests)
	}
}

// agreeAtRandom compares with one Envoy, and returns how many requests were sent to each.
func agreeAtRandom(t *testing.T, seed uint64, sets, requests int) (sent int) {
	t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
		r := &atRandom{Rand: rand.New(rand.NewPCG(seed, 8))}
		w := startTwins(t, setup{policies: r.policies(), virtualHosts: r.hosts(), before: denyFilter, edit: func(c *bootstrap.Config) {
			if seed%2 == 1 { // paths as they come
				c.Manager.NormalizePath, c.Manager.MergeSlashes = wrapperspb.Bool(false), false
			}
		}})
		const answers = 20
		for i := range answers {
			w.upstream.answers(fmt.Sprint("random", i), r.answer()...)
		}
		for set := range sets {
			if set > 0 {
				w.reload(r.policies())
			}
			for range requests {
				if q := r.request(answers); len(w.sent) > 0 && r.often(20) {
					w.ask(w.sent[r.IntN(len(w.sent))].wire) // again: the module keeps decisions
				} else {
					w.ask(q)
				}
			}
		}
		sent = len(w.sent)
		w.compare(nil)
	})
	return sent
}
