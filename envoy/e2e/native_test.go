//go:build unix

package e2e

import (
	"strings"
	"testing"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3" // read by name

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// nativeHosts is a virtual host with a policy for Envoy's own filter, which corsproc does not look at.
const nativeHosts = `
- name: api
  domains: [api.example.com]
  routes:
  - {match: {path: /moved}, redirect: {path_redirect: /}}
  - {match: {path: /direct}, direct_response: {status: 404}}
  - {match: {path: /echo}, route: {cluster: echo}}
  typed_per_filter_config:
    envoy.filters.http.cors:
      "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
      allow_origin_string_match: [{exact: "https://shop.example.com"}]
      allow_methods: PUT
      allow_credentials: true
`

// nativePolicies is the same for corsproc.
const nativePolicies = `
policies:
  shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT], allow_credentials: true}
virtual_hosts:
- {name: api, domains: [api.example.com], policies: [shop]}
`

// TestReadmeNative holds what the README says of Envoy's own filter beside corsproc: every line of its table that a request can
// show. A line that is not true of a new Envoy any more has to go.
func TestReadmeNative(t *testing.T) {
	native := start(t, setup{noService: true, virtualHosts: nativeHosts, edit: func(c *bootstrap.Config) { c.RemoveProcessors() },
		before: `[{name: envoy.filters.http.cors, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}]`})
	ours := start(t, setup{virtualHosts: nativeHosts, policies: nativePolicies})
	readme := read(t, "README.md")
	_, table, _ := strings.Cut(readme, "\n## Why not Envoy's own filter\n")
	table, _, _ = strings.Cut(table, "\n## ")

	const shop, evil = "Origin: https://shop.example.com", "Origin: https://evil.example"
	for _, c := range []struct {
		line, method, path string
		headers            []string
		header             string // of the answer
		native, ours       string // its value
	}{
		{"never set | on every answer", "GET", "/echo", []string{shop}, "vary", "", "Origin"},
		{"for an origin that is not allowed | pass | removed", "GET", "/echo", []string{evil, "X-Case: grants"}, "access-control-allow-origin", "*", ""},
		{"404s, redirects and `direct_response` | without", "GET", "/nothing", []string{shop}, "access-control-allow-origin", "", "https://shop.example.com"},
		{"404s, redirects and `direct_response` | without", "GET", "/moved", []string{shop}, "access-control-allow-origin", "", "https://shop.example.com"},
		{"404s, redirects and `direct_response` | without", "GET", "/direct", []string{shop}, "access-control-allow-origin", "", "https://shop.example.com"},
	} {
		if !strings.Contains(table, c.line) {
			t.Errorf("the README's table does not say %q", c.line)
		}
		for _, side := range []struct {
			name, want string
			g          *gateway
		}{{"Envoy's filter", c.native, native}, {"corsproc", c.ours, ours}} {
			side.g.upstream.answers("grants", "Access-Control-Allow-Origin: *")
			a := side.g.do(c.method, "api.example.com", c.path, c.headers...)
			if got := a.joined[c.header]; got != side.want {
				t.Errorf("%s: %s: %s is %q, want %q: %d %v", c.line, side.name, c.header, got, side.want, a.status, a.header)
			}
		}
	}

	// What a preflight asks for: Envoy's filter answers alike whether it is allowed or not; corsproc tells the reason.
	if !strings.Contains(table, "not compared with what is allowed | compared; the reason is told") {
		t.Error("the README's table does not say what becomes of what a preflight asks for")
	}
	for method, reason := range map[string]string{"PUT": "allowed", "PATCH": "method_not_allowed"} {
		a := native.do("OPTIONS", "api.example.com", "/echo", shop, "Access-Control-Request-Method: "+method)
		if a.status != 200 || a.joined["access-control-allow-origin"] == "" || a.joined["access-control-allow-methods"] != "PUT" {
			t.Errorf("Envoy's filter, a preflight for %s: %d %v", method, a.status, a.header)
		}
		ours.do("OPTIONS", "api.example.com", "/echo", shop, "Access-Control-Request-Method: "+method)
		if metrics := ours.metrics(); !strings.Contains(metrics, `reason="`+reason+`"`) {
			t.Errorf("corsproc, a preflight for %s: the metrics have no reason %s:\n%s", method, reason, metrics)
		}
	}
}
