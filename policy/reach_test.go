package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

func reached(t *testing.T) *policy.Set {
	t.Helper()
	list := func(names ...string) *corsprocv1.PolicyList { return &corsprocv1.PolicyList{Names: names} }
	set, findings := policy.Compile(policy.Source{Name: "a.yaml", Set: &corsprocv1.PolicySet{
		OriginSets: map[string]*corsprocv1.OriginList{"partners": {Origins: []string{"https://p.example", "https://*.q.example:*"}}},
		Policies: map[string]*corsprocv1.Policy{
			"shop": {
				AllowOrigins: []string{"https://shop.example", "@partners", "null", "app://x"}, DenyOrigins: []string{"https://no.q.example"},
				AllowMethods: []string{"PUT", "DELETE", "PATCH"}, AllowHeaders: []string{"X-A", "*"}, AllowPrivateNetwork: true,
			},
			"public": {AllowOrigins: []string{"*"}},
		},
		VirtualHosts: []*corsprocv1.VirtualHost{
			{Domains: []string{"api.example", "*.api.example"}, Policies: list("shop", "public"), Routes: []*corsprocv1.Route{
				{Prefix: "/public/", Policies: list("public")}, {RouteName: "cart/*", Policies: list("none")},
			}},
			{Name: "by/*/name", Policies: list("public")},
			{Name: "exact", Policies: list("public")},
		},
	}})
	if set == nil {
		t.Fatal(findings)
	}
	return set
}

// TestReach: the place that is told is the one that decides.
func TestReach(t *testing.T) {
	set := reached(t)
	for _, c := range []struct {
		request policy.Request
		want    string
	}{
		{policy.Request{Authority: "api.example", Path: "/"}, "api.example -1"},
		{policy.Request{Authority: "API.example:8443", Path: "/public/x?y"}, "api.example 0"},
		{policy.Request{Authority: "x.api.example", Path: "/", Route: "cart/7"}, "api.example 1"},
		{policy.Request{Authority: "api.example", VirtualHost: "by/a/name"}, "by/*/name -1"},
		{policy.Request{Authority: "other.example", Path: "/public/"}, "default -1"},
	} {
		host, route := set.Reach(&c.request, 1)
		if got := fmt.Sprint(host.Label, " ", route); got != c.want || host.IsDefault() != strings.HasPrefix(got, "default") {
			t.Errorf("%+v: %s, want %s", c.request, got, c.want)
		}
		if route >= 0 {
			if i := slices.Collect(host.Routes())[route]; i.Match != host.Route(route).Match || i.At != host.Route(route).At {
				t.Errorf("%+v and %+v", i, host.Route(route))
			}
		}
		if d := set.Decide(&c.request); d.VirtualHost != host.Label {
			t.Errorf("%+v is decided at %s", c.request, d.VirtualHost)
		}
	}
	for name, want := range map[string]bool{"exact": true, "by/x/name": true, "by/name": false, "api.example": false, "": false} {
		if set.HasVirtualHostName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	for name, want := range map[string]bool{"cart/1": true, "cart/*": true, "cart": false, "/public/": false, "": false} {
		if set.HasRouteName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestPatternsOfPolicies(t *testing.T) {
	set := reached(t)
	for policy, want := range map[string]string{
		"shop": "null https://shop.example app://x https://p.example https://*.q.example:*", "public": "*", "none": "", "nobody": "",
	} {
		if got := strings.Join(slices.Collect(set.AllowedPatterns(policy)), " "); got != want {
			t.Errorf("%s allows %q", policy, got)
		}
		for range set.AllowedPatterns(policy) {
			break
		}
	}
	if got := slices.Collect(set.DeniedPatterns("shop")); !slices.Equal(got, []string{"https://no.q.example"}) {
		t.Errorf("shop denies %q", got)
	}
	terms, ok := set.PolicyTerms("shop", 2)
	if !ok || !slices.Equal(terms.AllowMethods.First, []string{"PUT", "DELETE"}) || terms.AllowMethods.Total != 3 || !terms.AllowPrivateNetwork || terms.AllowHeaders.Total != 1 {
		t.Errorf("%+v", terms)
	}
	for _, name := range []string{"none", "nobody"} {
		if _, ok := set.PolicyTerms(name, 2); ok {
			t.Errorf("%s says something", name)
		}
	}
}
