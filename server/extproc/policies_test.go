package extproc

import (
	"testing"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"

	"github.com/corsproc/corsproc/policy"
)

// shopPolicies is the set of most tests: one virtual host, a place for every kind of answer.
func shopPolicies() *corsprocv1.PolicySet {
	list := func(names ...string) *corsprocv1.PolicyList { return &corsprocv1.PolicyList{Names: names} }
	maxAge := "10m"
	return &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{
			"shop": {
				AllowOrigins:     []string{"https://shop.example"},
				DenyOrigins:      []string{"https://old.shop.example"},
				AllowMethods:     []string{"PUT"},
				AllowHeaders:     []string{"X-Token"},
				ExposeHeaders:    []string{"X-Request-Id"},
				AllowCredentials: true,
				MaxAge:           &maxAge,
			},
			"public": {AllowOrigins: []string{"*"}},
		},
		VirtualHosts: []*corsprocv1.VirtualHost{{
			Name:     "api",
			Domains:  []string{"api.example"},
			Policies: list("shop"),
			Routes: []*corsprocv1.Route{
				{Prefix: "/public/", Policies: list("public")},
				{Prefix: "/upstream/", Policies: list("passthrough")},
				{Prefix: "/guarded/", Reject: corsprocv1.Reject_REJECT_UNSAFE_METHODS},
				{Prefix: "/strict/", UnmatchedPreflights: corsprocv1.UnmatchedPreflights_UNMATCHED_PREFLIGHTS_REFUSE},
				{Prefix: "/trial/", Candidates: list("public")},
			},
		}},
	}
}

func compiled(t testing.TB, source *corsprocv1.PolicySet) *policy.Set {
	t.Helper()
	set, findings := policy.Compile(policy.Source{Name: "policies.yaml", Set: source})
	if set == nil {
		t.Fatalf("the set does not compile: %+v", findings)
	}
	return set
}
