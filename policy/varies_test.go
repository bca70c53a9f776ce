package policy_test

import (
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
)

func TestMergeVary(t *testing.T) {
	for _, test := range []struct {
		lines []string
		want  string // empty: nothing changes
	}{
		{nil, "Origin"},
		{[]string{""}, "Origin"},
		{[]string{"Accept", "accept, X"}, "Accept, X, Origin"},
		{[]string{"Accept", "oRIGIN"}, ""},
		{[]string{"Accept, *"}, ""},
		{[]string{"a\x01"}, "*"},
		// Names are tokens: A-Z alone are folded, and nothing beside letters.
		{[]string{"X-\u212A, x-k, X-\u00C9, x-\u00E9"}, "X-\u212A, x-k, X-\u00C9, x-\u00E9, Origin"},
		{[]string{"a@, a`, a[, a{"}, "a@, a`, a[, a{, Origin"},
		{[]string{"a-Z, A-z"}, "a-Z, Origin"},
	} {
		merged, changed := policy.MergeVary([]byte("kept "), test.lines)
		if changed != (test.want != "") || changed && string(merged) != "kept "+test.want {
			t.Errorf("%q: %q, %v", test.lines, merged, changed)
		}
	}
}

// TestPathScope: where another path begins as it says, and can be read in one way, the decision is the same.
func TestPathScope(t *testing.T) {
	set := compileText(t, `
policies:
  shop: {allow_origins: [https://shop.example]}
  other: {allow_origins: [https://other.example]}
virtual_hosts:
  - {name: flat, policies: [shop]}
  - {name: names, policies: [shop], routes: [{route_name: "a/*", policies: [none]}]}
  - domains: [routes.example]
    policies: [shop]
    routes: [{prefix: /api/, policies: [other]}, {path: /about, policies: [none]}, {path_separated_prefix: /v1, policies: [other]}]
  - name: regex
    policies: [shop]
    routes: [{prefix: /api/, policies: [other]}, {regex: "/v[0-9]/.*", policies: [none]}, {prefix: /v1/, policies: [other]}]
`)
	for _, test := range []struct {
		host, authority, path string
		scope                 string // what decides of the path
		whole                 bool   // all of it, and nothing else is the same
	}{
		{"flat", "routes.example", "/a/../b", "", false},
		{"", "else.example", "/x", "", false},
		{"names", "", "/a//b", "", false},
		{"", "routes.example", "/api/x/y?z", "/api/x", false},
		{"", "ROUTES.example:80", "/api/x", "/api/x", false},
		{"", "routes.example", "/api/", "", true},
		{"", "routes.example", "/apiary", "/apia", false},
		{"", "routes.example", "/about", "", true},
		{"", "routes.example", "/about?x", "", true},
		{"", "routes.example", "/aboutx", "/aboutx", false},
		{"", "routes.example", "/abo/x", "/abo/", false},
		{"", "routes.example", "/v1", "", true},
		{"", "routes.example", "/v1/x", "/v1/", false},
		{"", "routes.example", "/v1x", "/v1x", false},
		{"", "routes.example", "/", "", true},
		{"", "routes.example", "", "", true},
		{"", "routes.example", "*", "*", false},
		{"", "routes.example", "/zoo/1#/api/", "/z", false},
		{"", "routes.example", "/zoo//1", "", true},
		{"", "routes.example", "/zoo/%2e%2E/1", "", true},
		{"", "routes.example", "/zoo/%20", "/z", false},
		{"regex", "", "/api/x", "/api/x", false},
		{"regex", "", "/v1/x", "", true},
		{"regex", "", "/zoo", "", true},
	} {
		r := policy.Request{VirtualHost: test.host, Authority: test.authority, Method: "GET", Path: test.path, Origin: policy.Line("https://shop.example")}
		n, ok := set.PathScope(&r)
		if ok == test.whole || test.path[:n] != test.scope {
			t.Errorf("%s%s %s: %q decides, %v", test.host, test.authority, test.path, test.path[:n], ok)
			continue
		}
		if !ok {
			continue
		}
		want := set.Decide(&r)
		for _, end := range []string{"", "x", "1/x", "/x", "/api/", "bout", "?/../api", "/v1"} {
			other := r
			other.Path = test.scope + end
			if strings.Contains(other.Path, "//") {
				continue
			}
			if d := set.Decide(&other); d.Outcome != want.Outcome {
				t.Errorf("%s%s %s: %v, and %v with %s", test.host, test.authority, test.path, want.Outcome, d.Outcome, other.Path)
			}
		}
	}
}

// TestVaries: where an answer depends on the origin, and only there, caches are told.
func TestVaries(t *testing.T) {
	set := compileText(t, `
policies:
  shop: {allow_origins: [https://shop.example]}
virtual_hosts:
  - {name: flat, policies: [shop]}
`)
	for host, want := range map[string]bool{"flat": true, "other": false} {
		d := set.Decide(&policy.Request{VirtualHost: host, Method: "GET", Path: "/", Origin: policy.Line("https://shop.example")})
		if (d.Action() == policy.Adjust) != want || want && !d.Varies() {
			t.Errorf("%s: action %v, varies %v", host, d.Action(), d.Varies())
		}
	}
}
