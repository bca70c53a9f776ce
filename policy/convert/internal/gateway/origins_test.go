package gateway

import (
	"strings"
	"testing"
)

// TestGatewayOriginForms holds what becomes of each form of an origin, for both kinds.
func TestGatewayOriginForms(t *testing.T) {
	for _, c := range []struct{ text, api, envoy string }{
		{"*", "*", "*"},
		{"https://a.example", "https://a.example", "https://a.example"},
		{"https://*.a.example", "https://*.a.example", "https://*.a.example"},
		{"https://*", "https://*", "https://*:*"},
		{"http://*", "http://*", "http://*:*"},
		{"http://*:8080", "http://*:8080", "http://*:8080"},
		{"https://*:443", "https://*", "-"},
		{"https://a.example:443", "https://a.example", "-"},
		{"http://a.example:80", "http://a.example", "-"},
		{"http://a.example:443", "http://a.example:443", "http://a.example:443"},
		{"https://*.a.example:443", "https://*.a.example", "-"},
		{"https://A.example", "-", "-"},
		{"https://*.A.example", "-", "-"},
		{"HTTPS://a.example", "-", "-"},
		{"https://a.example/", "-", "-"},
		{"https://a.example:*", "-", "-"},
		{"https://app-*.a.example", "-", "-"},
		{"null", "-", "-"},
		{"@shops", "-", "-"},
		{"", "-", "-"},
		{"a.example", "-", "-"},
		{"https://a_b.example", "-", "https://a_b.example"},
		{"https://*.10", "-", `/https://.*\.10`},
		{"https://[2001:db8::1]", "-", "-"},
		{"app://*", "-", "app://*:*"},
		{"app://*.local", "-", "app://*.local"},
		{"capacitor://localhost", "-", "capacitor://localhost"},
		{"git+ssh://*.a.example", "-", "git+ssh://*.a.example"},
		{"https://" + strings.Repeat("a", 250), "-", "-"},
	} {
		for kind, want := range map[string]string{"gateway-api": c.api, "envoy-gateway": c.envoy} {
			o := map[string]func(string) gatewayOrigin{"gateway-api": apiOrigin, "envoy-gateway": envoyGatewayOrigin}[kind](c.text)
			got := o.pattern
			switch {
			case o.regex != "":
				got = "/" + o.regex
			case got == "" && o.nothing != "":
				got = "-"
			}
			if got != want {
				t.Errorf("%s: %q is %q (%s), want %q", kind, c.text, got, o.nothing, want)
			}
		}
	}
}
