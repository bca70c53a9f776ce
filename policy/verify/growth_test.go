package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/growth"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// manyHosts returns policies with so many virtual hosts.
func manyHosts(t *testing.T, n int) *policy.Set {
	t.Helper()
	list := func(name string) *corsprocv1.PolicyList { return &corsprocv1.PolicyList{Names: []string{name}} }
	m := &corsprocv1.PolicySet{Policies: map[string]*corsprocv1.Policy{
		"p": {AllowOrigins: []string{"https://a.example", "https://*.b.example"}, AllowMethods: []string{"PUT"}},
	}}
	for i := range n {
		m.VirtualHosts = append(m.VirtualHosts, &corsprocv1.VirtualHost{
			Domains: []string{fmt.Sprintf("h%d.test", i)}, Policies: list("p"), Routes: []*corsprocv1.Route{{Prefix: "/a/", Policies: list("none")}},
		})
	}
	set, findings := policy.Compile(policy.Source{Name: "policies.yaml", Set: m})
	if set == nil {
		t.Fatal(findings)
	}
	return set
}

// TestPlanOfManyHosts: only the places of the URLs' hosts are looked at, so that neither the questions nor the work depend on
// how many other hosts there are.
func TestPlanOfManyHosts(t *testing.T) {
	plans := map[int]*Plan{}
	work := func(n int) func() {
		set, site := manyHosts(t, n), siteOf(t, "https://h7.test")
		return func() {
			for range 100 {
				plans[n] = NewPlan(set, []*Site{site}, options)
			}
		}
	}
	growth.AtMost(t, 4, work(100), work(100_000))
	if few, many := plans[100], plans[100_000]; many != nil && (len(many.Questions) != len(few.Questions) || len(many.Places) != 2) {
		t.Errorf("%d and %d questions", len(few.Questions), len(many.Questions))
	}
}

// TestPlanGrows: the work on a host grows with its places, and that on a policy with its origins.
func TestPlanGrows(t *testing.T) {
	routes := func(n int) func() {
		var b strings.Builder
		b.WriteString("policies: {p: {allow_origins: [https://a.example]}}\nvirtual_hosts:\n- domains: [h.test]\n  policies: [p]\n  routes:\n")
		for i := range n {
			fmt.Fprintf(&b, "  - {path: /a/%d, policies: [p]}\n", i)
		}
		set, site := compile(t, b.String()), siteOf(t, "https://h.test")
		return func() {
			if plan := NewPlan(set, []*Site{site}, options); len(plan.Questions) > options.Most {
				t.Errorf("%d questions", len(plan.Questions))
			}
		}
	}
	origins := func(n int) func() {
		var b strings.Builder
		b.WriteString("policies:\n  p:\n    allow_origins:\n")
		for i := range n {
			fmt.Fprintf(&b, "    - https://a%d.example\n", i)
		}
		b.WriteString("    deny_origins:\n")
		for i := range n {
			fmt.Fprintf(&b, "    - https://b%d.a%d.example\n", i, i)
		}
		set, site := compile(t, b.String()+"default: {policies: [p]}\n"), siteOf(t, "https://h.test")
		return func() {
			plan := NewPlan(set, []*Site{site}, options)
			if len(plan.Questions) > options.Most || n > maxPatterns && len(plan.NotAsked) == 0 {
				t.Errorf("%d questions, %v", len(plan.Questions), plan.NotAsked)
			}
		}
	}
	for name, prepare := range map[string]func(n int) func(){"routes": routes, "origins": origins} {
		t.Run(name, func(t *testing.T) { growth.Hold(t, 250, prepare) })
	}
}

// TestPlanBreadth: of many places each is asked about once before any is asked about twice, and all that is left out is
// counted.
func TestPlanBreadth(t *testing.T) {
	var b strings.Builder
	b.WriteString("policies: {p: {allow_origins: [https://a.example]}}\nvirtual_hosts:\n- domains: [h.test]\n  policies: [p]\n  routes:\n")
	for i := range 99 {
		fmt.Fprintf(&b, "  - {path: /a/%d, policies: [p]}\n", i)
	}
	set, site := compile(t, b.String()), siteOf(t, "https://h.test")
	all := NewPlan(set, []*Site{site}, Options{Method: "GET", Repeat: 1, Most: MaxRequests})
	for _, most := range []int{1, 99, 100, 101, 250, len(all.Questions) - 1, len(all.Questions), len(all.Questions) + 1} {
		plan := NewPlan(set, []*Site{site}, Options{Method: "GET", Repeat: 1, Most: most})
		asked := map[*Place]int{}
		for i, q := range plan.Questions {
			if asked[q.Place] != i/100 && i < 200 {
				t.Fatalf("of %d, question %d is the place's %d.", most, i, asked[q.Place]+1)
			}
			asked[q.Place]++
		}
		if want := min(most, len(all.Questions)); len(plan.Questions) != want || plan.Left != len(all.Questions)-want {
			t.Errorf("of %d: %d questions, %d left of %d", most, len(plan.Questions), plan.Left, len(all.Questions))
		}
	}
}
