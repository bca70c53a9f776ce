//go:build unix

package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3" // read by name

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

const shopPolicies = `
policies:
  shop:
    allow_origins: [https://shop.example.com]
    allow_methods: [GET, POST]
    allow_headers: [X-Custom-Header]
    expose_headers: [X-Request-Id]
  partner: {allow_origins: [https://partner.example]}
virtual_hosts:
  - {name: api, domains: [api.example.com], policies: [shop]}
  - {name: files, domains: [files.example.com], policies: [partner]}
default: {policies: [shop]}
`

// recipes are the configurations that differ in what Envoy tells corsproc, and not in what becomes of a request. What
// one-message.yaml cannot do is in onemessage_test.go.
var recipes = []string{"envoy.yaml", "one-message.yaml"}

// withRecipes runs a test with each of the recipes that ask corsproc.
func withRecipes(t *testing.T, test func(t *testing.T, config string)) {
	for _, config := range recipes {
		t.Run(config, func(t *testing.T) { test(t, config) })
	}
}

// TestIntroduction is the example that introductions to CORS begin with.
func TestIntroduction(t *testing.T) { withRecipes(t, checkIntroduction) }

func checkIntroduction(t *testing.T, config string) {
	g := start(t, setup{config: config, policies: shopPolicies})
	preflight := g.do("OPTIONS", "api.example.com", "/orders", "Origin: https://shop.example.com",
		"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-custom-header")
	if preflight.status != 204 || preflight.body != "" || preflight.header.Get("Content-Length") != "" {
		t.Errorf("preflight: %d %q %v", preflight.status, preflight.body, preflight.header)
	}
	for name, want := range map[string]string{
		"access-control-allow-origin":  "https://shop.example.com",
		"access-control-allow-methods": "GET, POST",
		"access-control-allow-headers": "X-Custom-Header",
	} {
		if got := preflight.joined[name]; got != want {
			t.Errorf("preflight: %s is %q, want %q", name, got, want)
		}
	}
	if n := g.upstream.requests.Load(); n != 0 {
		t.Errorf("%d requests reached the upstream", n)
	}
	post := g.do("POST", "api.example.com", "/orders", "Origin: https://shop.example.com", "X-Custom-Header: 1")
	if post.status != 200 || post.joined["access-control-allow-origin"] != "https://shop.example.com" || post.body != "upstream\n" {
		t.Errorf("POST: %d %q %v", post.status, post.body, post.header)
	}
}

// TestLookUpWithoutName takes the attributes away that name the virtual host, as control planes do that cannot ask for
// them: the authority is enough.
func TestLookUpWithoutName(t *testing.T) { withRecipes(t, checkLookUpWithoutName) }

func checkLookUpWithoutName(t *testing.T, config string) {
	g := start(t, setup{config: config, policies: shopPolicies, edit: func(c *bootstrap.Config) {
		unnamed := func(name string) bool { return strings.HasPrefix(name, "xds.") }
		for _, p := range c.Processors {
			p.RequestAttributes = slices.DeleteFunc(p.RequestAttributes, unnamed)
			p.ResponseAttributes = slices.DeleteFunc(p.ResponseAttributes, unnamed)
		}
	}})
	for host, origin := range map[string]string{"api.example.com": "https://shop.example.com", "files.example.com:8443": "https://partner.example"} {
		if got := g.do("GET", host, "/", "Origin: "+origin).joined["access-control-allow-origin"]; got != origin {
			t.Errorf("%s: %s gets %q", host, origin, got)
		}
	}
	if got := g.do("GET", "files.example.com", "/", "Origin: https://shop.example.com").joined["access-control-allow-origin"]; got != "" {
		t.Errorf("the other virtual host's origin gets %q", got)
	}
}

// The key is nobody's: no token is ever made for it.
const jwtFilter = `
- name: envoy.filters.http.jwt_authn
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
    providers:
      nobody: {issuer: nobody, local_jwks: {inline_string: '{"keys": [{"kty": "RSA", "e": "AQAB", "n": "72p7iyayJtKC1Mucl9UjDpoWeDzm43yOUBeOqoNk4rE8uWZspaLtN75gGJofUsfH5lDz4G4i2xsO72C91J1_2Al1Dgc01KVNPA1e48Qjrz2fUQ-48uvWYGlmszGFa3-L5kb5oohortMvyHxwh6p7ShZ6oE2wNZElTmRw-v6I3F-cauNFNZKePOQJpT8nn1VucrGKRddG_31Q61xW5Oj3sTIn_MpYbQorSkSbaJOQxKAIFVAnDGr64OlBm9TLnKRr9lz4pE7iglkeON4BMqGg7w1Rgt0VR4U-IaWQTFFumyIo1qakxwSK07sDi2BrJPgZgFh1-6vx4Cdib5SoFnu_-w"}]}'}}
    rules:
    - match: {path: /private}
      requires: {provider_name: nobody}
`

// TestLocalReplies: a page that is allowed can read what Envoy and its filters answer themselves, and one that is not
// cannot.
func TestLocalReplies(t *testing.T) { withRecipes(t, checkLocalReplies) }

func checkLocalReplies(t *testing.T, config string) {
	g := start(t, setup{
		config:   config,
		policies: shopPolicies,
		before:   denyFilter,
		after:    jwtFilter,
		virtualHosts: `
- name: api
  domains: [api.example.com]
  routes:
  - {match: {path: /private}, route: {cluster: echo}}
  - {match: {path: /down}, route: {cluster: nobody}}
  - {match: {path: /direct}, direct_response: {status: 418}}
  - {match: {path: /redirect}, redirect: {path_redirect: /}}
`,
	})
	for _, c := range []struct {
		name, host, path string
		lines            []string
		status           int
	}{
		{"401 of jwt_authn behind corsproc", "api.example.com", "/private", nil, 401},
		{"403 of rbac before corsproc", "api.example.com", "/private", []string{"X-Deny: 1"}, 403},
		{"404 without a route", "api.example.com", "/nothing", nil, 404},
		{"404 without a virtual host", "other.example.com", "/nothing", nil, 404},
		{"503 without an upstream", "api.example.com", "/down", nil, 503},
		{"a direct response", "api.example.com", "/direct", nil, 418},
		{"a redirect", "api.example.com", "/redirect", nil, 301},
	} {
		t.Run(c.name, func(t *testing.T) {
			allowed := g.do("GET", c.host, c.path, append(c.lines, "Origin: https://shop.example.com")...)
			if allowed.status != c.status || allowed.joined["access-control-allow-origin"] != "https://shop.example.com" || allowed.joined["vary"] != "Origin" {
				t.Errorf("an allowed page gets %d %v", allowed.status, allowed.header)
			}
			refused := g.do("GET", c.host, c.path, append(c.lines, "Origin: https://evil.example")...)
			if refused.status != c.status || refused.joined["access-control-allow-origin"] != "" || refused.joined["vary"] != "Origin" {
				t.Errorf("another page gets %d %v", refused.status, refused.header)
			}
		})
	}
	t.Run("a preflight never meets jwt_authn", func(t *testing.T) {
		a := g.do("OPTIONS", "api.example.com", "/private", "Origin: https://shop.example.com", "Access-Control-Request-Method: POST")
		if a.status != 204 {
			t.Errorf("status %d", a.status)
		}
	})
}

// TestBytesThatAreNoText sends what neither text nor an origin is; a stream must not fail over it, or what is to be
// removed or stopped would pass.
func TestBytesThatAreNoText(t *testing.T) {
	for _, config := range []string{"enforcing.yaml", "one-message.yaml"} {
		t.Run(config, func(t *testing.T) { checkBytesThatAreNoText(t, config) })
	}
}

func checkBytesThatAreNoText(t *testing.T, config string) {
	g := start(t, setup{config: config, policies: shopPolicies, before: denyFilter})
	g.upstream.answers("up", "Access-Control-Allow-Origin: *")
	for _, lines := range [][]string{
		{"Origin: https://\xff.example.com"},
		{"Origin: \xc3\x28", "Sec-Fetch-Site: \xfe"},
		{"Origin: https://shop.example.com\xff", "Upgrade-Insecure-Requests: 1"},
		{"Origin: https://\xff.example.com", "X-Deny: 1"},
	} {
		a := g.do("GET", "api.example.com", "/", append(lines, "X-Case: up")...)
		if a.status != 200 && a.status != 403 || a.joined["access-control-allow-origin"] != "" || a.joined["vary"] != "Origin" {
			t.Errorf("%q: %d %v", lines, a.status, a.header)
		}
	}
}

// TestServiceDown: what happens without corsproc is what the two configurations say of it.
func TestServiceDown(t *testing.T) {
	for config, want := range map[string]int{"envoy.yaml": http.StatusOK, "enforcing.yaml": http.StatusInternalServerError, "one-message.yaml": http.StatusOK} {
		t.Run(config, func(t *testing.T) {
			g := start(t, setup{config: config, noService: true})
			g.upstream.answers("up", "Access-Control-Allow-Origin: https://up.example")
			a := g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com")
			if a.status != want || a.joined["access-control-allow-origin"] != "" {
				t.Errorf("GET: %d %v", a.status, a.header)
			}
			if a := g.do("GET", "api.example.com", "/", "Origin: https://up.example", "X-Case: up"); want == 200 && a.joined["access-control-allow-origin"] == "" {
				t.Errorf("the upstream's own CORS headers pass in that time, as docs/operations.md says, but got %v", a.header)
			}
		})
	}
}

// TestServiceReturns kills corsproc and starts it again at the same address: nothing has to be done to Envoy.
func TestServiceReturns(t *testing.T) { withRecipes(t, checkServiceReturns) }

func checkServiceReturns(t *testing.T, config string) {
	g := start(t, setup{config: config, policies: shopPolicies})
	granted := func() bool {
		a := g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com")
		if a.status != 200 {
			t.Fatalf("status %d", a.status)
		}
		return a.joined["access-control-allow-origin"] != ""
	}
	if !granted() {
		t.Fatal("nothing was granted at first")
	}
	g.service.Stop(syscall.SIGKILL, 0)
	if granted() {
		t.Error("granted by nobody")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	g.service = g.startService(ctx, g.service.Listen)
	for deadline := time.Now().Add(patience); !granted(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was granted again")
		}
	}
}
