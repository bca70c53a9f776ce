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
		got = append(got, fmt.Sprint(what, " at ", at(s.At), ": ", s.Policies.First, " at ", at(s.PoliciesAt), ", ", s.Candidates.First, ", ", s.Reject))
	}
	for h := range set.Hosts(9) {
		show(fmt.Sprint(h.Label, " with ", h.Len()), h.Survey)
		for r := range h.Routes() {
			show(r.Kind+" "+r.Match, r.Survey)
		}
	}
	if diff := cmp.Diff([]string{
		"default with 0 at nowhere: [passthrough] at nowhere, [], NEVER",
		"api.example.com with 2 at a.yaml virtual_hosts[0]: [shop public] at a.yaml virtual_hosts[0].policies, [], WEBSOCKETS",
		"prefix /public/ at a.yaml virtual_hosts[0].routes[0]: [public] at a.yaml virtual_hosts[0].routes[0].policies, [none], WEBSOCKETS",
		"route_name health at a.yaml virtual_hosts[0].routes[1]: [shop public] at a.yaml virtual_hosts[0].policies, [], ALWAYS",
	}, got); diff != "" {
		t.Error(diff)
	}
}

// TestSurveyPolicies is about what policies say, in the words of their file, and who uses them.
func TestSurveyPolicies(t *testing.T) {
	list := func(names ...string) *corsprocv1.PolicyList { return &corsprocv1.PolicyList{Names: names} }
	age := "10m"
	set, findings := policy.Compile(policy.Source{Name: "a.yaml", Set: &corsprocv1.PolicySet{
		OriginSets: map[string]*corsprocv1.OriginList{"partners": {Origins: []string{"https://p.example", "https://q.example"}}},
		Policies: map[string]*corsprocv1.Policy{
			"shop": {
				AllowOrigins: []string{"@partners", "https://shop.example.com", "https://*.shop.example.com", "http://localhost:*", "https://*.a.example:*", "app://*", "app://*:*", "app://*:8443"},
				DenyOrigins:  []string{"https://old.shop.example.com", "@partners", "null"}, AllowOriginRegexes: []string{`https://[a-z0-9-]+\.pr\.example\.com`},
				AllowMethods: []string{"PUT", "DELETE"}, AllowHeaders: []string{"X-Cart", "Authorization"}, ExposeHeaders: []string{"X-Order"},
				AllowCredentials: true, MaxAge: &age, AllowPrivateNetwork: true,
			},
			"public": {AllowOrigins: []string{"*"}, AllowMethods: []string{"*"}, AllowHeaders: []string{"*", "authorization"}, ExposeHeaders: []string{"*"}},
			"unused": {AllowOrigins: []string{"null"}},
			"fixed":  {AllowOrigins: []string{"https://a.example"}, FixedOrigin: true, ExposeUpstream: true},
		},
		Default: &corsprocv1.DefaultPlace{Policies: list("public"), Candidates: list("shop")},
		VirtualHosts: []*corsprocv1.VirtualHost{
			{Name: "api", Policies: list("shop", "public"), Candidates: list("public"), Routes: []*corsprocv1.Route{
				{Prefix: "/public/", Policies: list("public")},
				{RouteName: "health"},
				{Path: "/c", Candidates: list("shop")},
			}},
			{Name: "www", Routes: []*corsprocv1.Route{{Path: "/x"}}},
			{Name: "off", Policies: list("none")},
		},
	}})
	if set == nil {
		t.Fatal(findings)
	}
	show := func(most int) (got []string) {
		for _, p := range set.SurveyPolicies([]string{"public", "shop", "none", "gone", "unused", "fixed"}, most) {
			place, _ := set.Locate(p.At)
			got = append(got, fmt.Sprint(p.Name, " at ", place.Path), fmt.Sprint(p.AllowOrigins, p.AllowOriginRegexes, p.DenyOrigins, p.AllowMethods, p.AllowHeaders, p.ExposeHeaders),
				fmt.Sprint(p.AllowCredentials, p.AllowPrivateNetwork, p.FixedOrigin, p.ExposeUpstream, " ", p.MaxAge, " ", p.PreflightStatus, ", uses ", p.Uses.Total))
			for _, u := range p.Uses.First {
				place, _ := set.Locate(u.At)
				got = append(got, fmt.Sprint(u.Host, " ", u.Kind, " ", u.Match, " at ", place.Path, " ", u.Candidate, " ", u.Inherited))
			}
		}
		return got
	}
	if diff := cmp.Diff([]string{
		"public at policies.public", "{[*] 1} {[] 0} {[] 0} {[*] 1} {[* authorization] 2} {[*] 1}", "false false false false  204, uses 4",
		"default   at default false 2", "api   at virtual_hosts[0] false 2", "api   at virtual_hosts[0] true 1", "api prefix /public/ at virtual_hosts[0].routes[0] false 0",
		"shop at policies.shop",
		`{[https://shop.example.com https://*.shop.example.com http://localhost:* https://*.a.example:* app://* app://*:* app://*:8443 @partners] 8} {[https://[a-z0-9-]+\.pr\.example\.com] 1} {[null https://old.shop.example.com @partners] 3} {[PUT DELETE] 2} {[X-Cart Authorization] 2} {[X-Order] 1}`,
		"true true false false 600 204, uses 3", "default   at default true 2", "api   at virtual_hosts[0] false 2", "api path /c at virtual_hosts[0].routes[2] true 0",
		"unused at policies.unused", "{[null] 1} {[] 0} {[] 0} {[] 0} {[] 0} {[] 0}", "false false false false  204, uses 0",
		"fixed at policies.fixed", "{[https://a.example] 1} {[] 0} {[] 0} {[] 0} {[] 0} {[] 0}", "false false true true  204, uses 0",
	}, show(20)); diff != "" {
		t.Error(diff)
	}
	const first = `{[https://shop.example.com] 8} {[https://[a-z0-9-]+\.pr\.example\.com] 1} {[null] 3} {[PUT] 2} {[X-Cart] 2} {[X-Order] 1}`
	if got := show(1); !slices.Contains(got, first) || len(got) != 3+3+1+3+1+3 {
		t.Errorf("of each list one: %q", got)
	}
}
