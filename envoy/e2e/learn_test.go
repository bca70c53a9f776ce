//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3" // read by name

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// learnedHosts are upstreams that answer CORS themselves, each in its way.
const learnedHosts = `
- {name: well, domains: ["well.localhost", "well.localhost:*"], routes: [{name: all, match: {prefix: /}, route: {cluster: echo}}]}
- {name: careless, domains: ["careless.localhost", "careless.localhost:*"], routes: [{match: {prefix: /}, route: {cluster: echo}}]}
- {name: reflecting, domains: ["reflecting.localhost", "reflecting.localhost:*"], routes: [{match: {prefix: /}, route: {cluster: echo}}]}
- {name: open, domains: ["open.localhost", "open.localhost:*"], routes: [{match: {prefix: /}, route: {cluster: echo}}]}
- {name: silent, domains: ["silent.localhost", "silent.localhost:*"], routes: [{match: {prefix: /}, route: {cluster: echo}}]}
`

// ownCORS is what these upstreams answer.
func ownCORS(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(r.Host, ".")
	origin, h := r.Header.Get("Origin"), w.Header()
	page := strings.TrimPrefix(origin, "http://") // page3.localhost:1234
	preflight := r.Method == http.MethodOptions
	grant := func(methods, headers string) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "X-Request-Id")
		if preflight {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", headers)
			h.Set("Access-Control-Max-Age", "60")
		}
	}
	h.Set("X-Request-Id", "7")
	h.Set("X-Hidden", "8")
	switch name {
	case "well": // five pages may read, two of them may change things
		h.Add("Vary", "Accept-Encoding")
		h.Add("Vary", "Origin")
		switch {
		case strings.HasPrefix(page, "page0.") || strings.HasPrefix(page, "page1."):
			grant("PUT", "x-token, content-type")
		case page != "" && page[4] <= '4':
			grant("", "")
		}
	case "careless": // no Vary; preflights of one page fail with a status, errors have no headers
		if page != "" && page[4] <= '5' {
			grant("PUT", "x-token")
		}
		if preflight && page[4] == '3' {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if page != "" && page[4] == '4' {
			h.Add("Access-Control-Allow-Origin", origin) // twice: browsers refuse it
		}
		if r.URL.Path == "/missing" {
			for name := range h {
				h.Del(name)
			}
			w.WriteHeader(http.StatusNotFound)
			return
		}
	case "reflecting": // whoever asks, for whatever
		if origin != "" {
			grant("PUT", r.Header.Get("Access-Control-Request-Headers"))
		}
	case "open":
		h.Set("Access-Control-Allow-Origin", "*")
		if preflight {
			h.Set("Access-Control-Allow-Methods", "*")
			h.Set("Access-Control-Allow-Headers", "*")
		}
	}
	if preflight {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	fmt.Fprintln(w, "upstream")
}

// learnedProbes are what each page fetches of each upstream. What comes of them is what a page can see.
const learnedProbes = `(async (port) => {
	const came = {};
	const probe = async (name, host, path, options) => {
		let saw;
		try {
			const r = await fetch("http://" + host + ".localhost:" + port + path, options);
			saw = [r.status, r.headers.get("X-Request-Id"), r.headers.get("X-Hidden")].join(" ");
		} catch (e) { saw = "refused"; }
		came[host + " " + name] = saw;
	};
	const all = [];
	for (const host of ["well", "careless", "reflecting", "open", "silent"]) {
		all.push(probe("GET", host, "/a", {}));
		all.push(probe("GET with credentials", host, "/a", { credentials: "include" }));
		all.push(probe("PUT", host, "/a", { method: "PUT", body: "x" }));
		all.push(probe("GET with X-Token", host, "/a", { headers: { "X-Token": "1" } }));
		all.push(probe("PUT with credentials", host, "/b", { method: "PUT", credentials: "include", headers: { "X-Token": "1" }, body: "x" }));
		all.push(probe("GET missing", host, "/missing", {}));
	}
	await Promise.all(all);
	return came;
})(%s)`

// TestLearn: a real Envoy with access-log.yaml before upstreams that answer CORS themselves; its log, learned; and the
// policies in force before the same upstreams. For no page that was served does anything change, and nobody else gets in:
// as a real Chromium sees it.
func TestLearn(t *testing.T) {
	b := newTab(t)
	serve := func(h http.HandlerFunc) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		go server.Serve(listener)
		t.Cleanup(func() { server.Close() })
		return listener.Addr().String()
	}
	upstream := serve(ownCORS)
	_, pages, _ := net.SplitHostPort(serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>page</title>")
	}))
	toUpstream := func(c *bootstrap.Config) {
		if err := c.SetEndpoint("echo", addressOf(t, upstream)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(g *gateway, page string) map[string]string {
		_, port, _ := net.SplitHostPort(g.address)
		b.do(page, chromedp.Navigate("http://"+page+".localhost:"+pages+"/"))
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		defer cancel()
		came, err := chromedp.Run(ctx, chromedp.Evaluate[map[string]string](fmt.Sprintf(learnedProbes, port), chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		return came
	}
	var asked, strangers []string
	for i := range 10 {
		asked = append(asked, fmt.Sprintf("page%d", i))
		strangers = append(strangers, fmt.Sprintf("strange%d", i))
	}
	strangers = strangers[:2]

	before := start(t, setup{noService: true, virtualHosts: learnedHosts, edit: func(c *bootstrap.Config) {
		toUpstream(c)
		c.RemoveProcessors()
		c.Manager.AccessLog = accessLog(t).AccessLog
	}})
	was := map[string]map[string]string{}
	for _, page := range asked {
		was[page] = look(before, page)
	}
	for probe, readable := range map[string]bool{
		"well PUT with credentials": true, "careless PUT": true, "reflecting PUT with credentials": true, "open PUT": true,
		"open GET with credentials": false, "silent GET": false,
	} {
		if saw := was["page0"][probe]; (saw != "refused") != readable {
			t.Errorf("%s: %q, before anything is learned", probe, saw)
		}
	}
	before.stopEnvoy()
	policies := learned(t, before.log.String())

	after := start(t, setup{policies: policies, virtualHosts: learnedHosts, edit: toUpstream})
	same := 0
	for _, page := range asked {
		is := look(after, page)
		for probe, saw := range was[page] {
			// Answers with an error were no evidence, and pages of a policy can read them all.
			if is[probe] == saw || strings.HasPrefix(probe, "careless GET missing") {
				same++
			} else {
				t.Errorf("%s, %s: %q, and before %q", page, probe, is[probe], saw)
			}
		}
	}
	if want := len(asked) * 30; same != want {
		t.Errorf("%d of %d outcomes are the same", same, want)
	}
	for _, page := range strangers {
		for probe, saw := range look(after, page) {
			if strings.HasPrefix(probe, "open ") && !strings.Contains(probe, "credentials") {
				if saw == "refused" {
					t.Errorf("%s, %s: %s, where everybody may", page, probe, saw)
				}
			} else if saw != "refused" {
				t.Errorf("%s, %s: %q, and it never asked before", page, probe, saw)
			}
		}
	}
	if t.Failed() || os.Getenv("SHOW") != "" {
		t.Logf("the policies:\n%s", policies)
	}
}

// learned returns the policies that corsproc learns from what Envoy printed, after their tests have passed.
func learned(t *testing.T, log string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (stdout, stderr string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var out, errs strings.Builder
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("corsproc %s: %v\n%s%s", strings.Join(args, " "), err, errs.String(), out.String())
		}
		return out.String(), errs.String()
	}
	_, found := run("learn", path)
	for _, code := range []string{"reflects-any-origin", "missing-vary", "header-twice", "preflight-status"} {
		if !strings.Contains(found, "["+code+"]") {
			t.Errorf("learn does not say %s:\n%s", code, found)
		}
	}
	// Ten pages look like everybody. That they are the ten that are meant, somebody has to say.
	tests := filepath.Join(dir, "learned_test.yaml")
	policies, _ := run("learn", "--trust-reflected=reflecting", "--tests", tests, path)
	file := filepath.Join(dir, "policies.yaml")
	if err := os.WriteFile(file, []byte(policies), 0o600); err != nil {
		t.Fatal(err)
	}
	run("test", tests)
	run("learn", "--policies", file, path) // nobody loses
	return policies
}

// accessLog is what access-log.yaml adds to a connection manager.
func accessLog(t *testing.T) *hcmv3.HttpConnectionManager {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "envoy/access-log.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Load(data, &tree); err != nil {
		t.Fatal(err)
	}
	if len(tree) != 1 {
		t.Errorf("access-log.yaml has the keys %v", slices.Collect(maps.Keys(tree)))
	}
	if data, err = json.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	m := &hcmv3.HttpConnectionManager{}
	if err := protojson.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	return m
}
