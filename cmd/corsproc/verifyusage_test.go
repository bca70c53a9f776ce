package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestVerifyUsage: what is called wrongly exits with 2 before anything is sent, and says what would help.
func TestVerifyUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", verifyPolicies)
	write(t, "bad.yaml", badPolicies)
	write(t, "names.yaml", "policies: {p: {allow_origins: [https://a.example]}}\nvirtual_hosts:\n- {name: by-name, policies: [p], routes: [{route_name: 'r/*', policies: [none]}]}\n")
	write(t, "up.yaml", "policies: {p: {allow_origins: [https://a.example]}}\nvirtual_hosts:\n- {domains: [api.test], policies: [passthrough], routes: [{route_name: r, policies: [p]}]}\n")
	write(t, "nocert.pem", "nothing\n")
	g := &testGateway{set: setOf(t, verifyPolicies)}
	server := serveGateway(t, g)
	for _, c := range []struct{ args, stderr string }{
		{"", "one URL or several"},
		{"api.test", `"api.test" is not absolute`},
		{"ftp://api.test/", "neither http nor https"},
		{"wss://api.test/", "WebSocket"},
		{"http://", "no host"},
		{"http://api.test:99999/", "port"},
		{"http://user:hidden@api.test/", "user name or password"},
		{"http://user:hid/den@api.test/", "user name or password"},
		{"--policies bad.yaml http://api.test", "do not load"},
		{"--policies missing.yaml http://api.test", "missing.yaml"},
		{"--format xml http://api.test", "text or json or junit"},
		{"--method POST http://api.test", "GET or HEAD"},
		{"--method get http://api.test", "GET or HEAD"},
		{"--rate 0 http://api.test", "--rate"},
		{"--rate -1 http://api.test", "--rate"},
		{"--rate NaN http://api.test", "--rate"},
		{"--rate fast http://api.test", "--rate"},
		{"--repeat 0 http://api.test", "--repeat"},
		{"--repeat -1 http://api.test", "--repeat"},
		{"--timeout 0s http://api.test", "--timeout"},
		{"--timeout 0 http://api.test", "--timeout"},
		{"--timeout -1s http://api.test", "--timeout"},
		{"--max-requests 0 http://api.test", "--max-requests"},
		{"--connect nowhere http://api.test", "--connect"},
		{"-H Hidden http://api.test", "-H: header 1 is not written"},
		{"-H Host:hidden http://api.test", "-H: Host"},
		{"-H hOST:hidden http://api.test", "-H: hOST"},
		{"-H Origin:hidden http://api.test", "-H: Origin"},
		{"-H Access-Control-Request-Method:hidden http://api.test", "-H: Access-Control-Request-Method"},
		{"-H access-control-anything:hidden http://api.test", "-H: access-control-anything"},
		{"-H Content-Length:hidden http://api.test", "-H: Content-Length"},
		{"-H Transfer-Encoding:hidden http://api.test", "-H: Transfer-Encoding"},
		{"-H Connection:hidden http://api.test", "-H: Connection"},
		{"-H X(Y:hidden http://api.test", "name that is none"},
		{"-H X-Y:hid\x01den http://api.test", "-H: X-Y"},
		{"--virtual-host nobody http://api.test", `"nobody"`},
		{"--virtual-host nobody=api.test http://api.test", `"nobody"`},
		{"--route nobody=/x http://api.test", `"nobody"`},
		{"--route nobody http://api.test", "NAME=PATH"},
		{"--route r=x http://api.test", "NAME=PATH"},
		{"--ca missing.pem http://api.test", "--ca"},
		{"--ca nocert.pem http://api.test", "no certificate"},
		{"--cert nocert.pem http://api.test", "--cert and --key"},
		{"--key nocert.pem http://api.test", "--cert and --key"},
		{"--cert nocert.pem --key nocert.pem http://api.test", "--cert, --key"},
		{"--insecure --ca nocert.pem http://api.test", "--insecure"},
		{"--unknown http://api.test", "--unknown"},
		{"http://api.test/healthz", "passthrough"},
		{"http://nobody.test/", "--virtual-host NAME=nobody.test; the policies have api"},
		{"--policies names.yaml http://api.test", "--virtual-host NAME=api.test; the policies have by-name"},
		{"--policies up.yaml http://api.test", "--route NAME=PATH"},
	} {
		t.Run(c.args, func(t *testing.T) {
			_, status, stderr := verifyIn(t, server, strings.Fields(c.args)...)
			if status != exitUsage || !strings.Contains(stderr, c.stderr) || strings.Contains(strings.ToLower(stderr), "hidden") {
				t.Errorf("status %d, %s", status, stderr)
			}
		})
	}
	if n := g.requests.Load(); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestVerifyNames asks about places that only Envoy's names lead to.
func TestVerifyNames(t *testing.T) {
	t.Chdir(t.TempDir())
	const text = `policies:
  a: {allow_origins: [https://a.example]}
  b: {allow_origins: [https://b.example]}
virtual_hosts:
- {name: one, policies: [a], routes: [{route_name: 'shop/*', policies: [b]}]}
- {name: "tw=o", policies: [b]}
`
	write(t, "policies.yaml", text)
	set := setOf(t, text)
	for _, c := range []struct {
		name, args string
		places     string
		hosts      map[string]string // Envoy's names
	}{
		{"one name for all", "--virtual-host one http://x.test http://y.test:8080", "http://x.test/ http://y.test:8080/", map[string]string{"x.test": "one", "y.test:8080": "one"}},
		{"a name for each", "--virtual-host one=x.test --virtual-host tw=o=Y.test:8080 http://x.test http://y.test:8080", "http://x.test/ http://y.test:8080/", map[string]string{"x.test": "one", "y.test:8080": "tw=o"}},
		{"a name for one port beats that of all", "--virtual-host one --virtual-host tw=o=x.test:80 http://x.test http://x.test:81", "http://x.test/ http://x.test:81/", map[string]string{"x.test": "tw=o", "x.test:81": "one"}},
		{"a route", "--virtual-host one --route shop/cart=/cart http://x.test", "http://x.test/ http://x.test/cart", map[string]string{"x.test": "one"}},
		{"a route's pattern", "--virtual-host one --route shop/*=/cart http://x.test/cart", "http://x.test/cart", map[string]string{"x.test": "one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serveGateway(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				route := ""
				if r.URL.Path == "/cart" {
					route = "shop/cart"
				}
				(&testGateway{set: set, virtualHost: c.hosts[r.Host], route: route}).ServeHTTP(w, r)
			}))
			v, status, stderr := verifyIn(t, server, strings.Fields(c.args)...)
			var places []string
			for _, p := range v.Places {
				places = append(places, p.URL)
			}
			if status != exitOK || strings.Join(places, " ") != c.places {
				t.Errorf("status %d, %q, %s, %s", status, places, v.codes(), stderr)
			}
		})
	}
}
