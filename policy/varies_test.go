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

// TestPathMatters: where it says that it does not, no path changes a decision, and only virtual hosts with routes say otherwise.
func TestPathMatters(t *testing.T) {
	set := compileText(t, `
policies:
  shop: {allow_origins: [https://shop.example]}
virtual_hosts:
  - {name: flat, policies: [shop]}
  - {domains: [routes.example], policies: [shop], routes: [{prefix: /none, policies: [none]}]}
`)
	for _, test := range []struct {
		host, authority string
		matters, varies bool
	}{
		{"flat", "routes.example", false, true},
		{"", "routes.example", true, true},
		{"other", "ROUTES.example:80", true, true},
		{"", "else.example", false, false},
	} {
		r := policy.Request{VirtualHost: test.host, Authority: test.authority, Method: "GET", Path: "/", Origin: policy.Line("https://shop.example")}
		if got := set.PathMatters(&r); got != test.matters {
			t.Errorf("%q %q: %v", test.host, test.authority, got)
		}
		d := set.Decide(&r)
		if (d.Action() == policy.Adjust) != test.varies || test.varies && !d.Varies() {
			t.Errorf("%q %q: action %v, varies %v", test.host, test.authority, d.Action(), d.Varies())
		}
		r.Path = "/none" + strings.Repeat("/x", 3)
		if other := set.Decide(&r); (other.Outcome != d.Outcome) != test.matters {
			t.Errorf("%q %q: another path makes %v of %v", test.host, test.authority, other.Outcome, d.Outcome)
		}
	}
}
