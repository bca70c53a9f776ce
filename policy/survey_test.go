package policy_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

func TestSurvey(t *testing.T) {
	list := func(names ...string) *corsprocv1.PolicyList { return &corsprocv1.PolicyList{Names: names} }
	set, findings := policy.Compile(policy.Source{Name: "a.yaml", Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{
			"shop":   {AllowOrigins: []string{"https://shop.example.com"}},
			"public": {AllowOrigins: []string{"*"}},
		},
		VirtualHosts: []*corsprocv1.VirtualHost{
			{Domains: []string{"api.example.com"}, Policies: list("shop", "public"), Reject: corsprocv1.Reject_REJECT_WEBSOCKETS, Routes: []*corsprocv1.Route{
				{Prefix: "/public/", Policies: list("public"), Candidates: list("none")},
				{RouteName: "health", Reject: corsprocv1.Reject_REJECT_ALWAYS},
			}},
		},
	}})
	if set == nil {
		t.Fatal(findings)
	}
	at := func(r policy.Rule) string {
		place, ok := set.Locate(r)
		if !ok {
			return "nowhere"
		}
		return place.Source + " " + place.Path.String()
	}
	var got []string
	show := func(what string, s policy.Survey) {
		got = append(got, fmt.Sprint(what, " at ", at(s.At), ": ", s.Policies, " at ", at(s.PoliciesAt), ", ", s.Candidates, ", ", s.Reject))
	}
	for h := range set.Hosts() {
		show(fmt.Sprint(h.Label, " with ", h.Len()), h.Survey)
		for r := range h.Routes() {
			show(r.Kind+" "+r.Match, r.Survey)
		}
	}
	var policies []string
	for name, rule := range set.PolicyRules() {
		policies = append(policies, name+" at "+at(rule))
	}
	got = append(got, slices.Sorted(slices.Values(policies))...)
	if diff := cmp.Diff([]string{
		"default with 0 at nowhere: [passthrough] at nowhere, [], NEVER",
		"api.example.com with 2 at a.yaml virtual_hosts[0]: [shop public] at a.yaml virtual_hosts[0].policies, [], WEBSOCKETS",
		"prefix /public/ at a.yaml virtual_hosts[0].routes[0]: [public] at a.yaml virtual_hosts[0].routes[0].policies, [none], WEBSOCKETS",
		"route_name health at a.yaml virtual_hosts[0].routes[1]: [shop public] at a.yaml virtual_hosts[0].policies, [], ALWAYS",
		"public at a.yaml policies.public", "shop at a.yaml policies.shop",
	}, got); diff != "" {
		t.Error(diff)
	}
}
