package convert

// Tested by builder_test.go and golden_test.go.

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// alike reports whether two places grant the same.
func alike(a, b place) bool {
	return a.reject == b.reject && len(a.policies) == len(b.policies) && (len(a.policies) > 0 || a.nobody == b.nobody) &&
		slices.EqualFunc(a.policies, b.policies, equalPolicies) && slices.EqualFunc(a.candidates, b.candidates, equalPolicies)
}

func equalPolicies(p, q *proposal) bool { return p == q || proto.Equal(p.policy, q.policy) }

// meet returns a place that grants nobody more than either of two does: for requests that the source tells apart by what a
// policy file does not look at. same reports whether nothing is lost by that.
func meet(a, b place) (m place, same bool) {
	if alike(a, b) {
		return a, true
	}
	m = place{at: a.at, nobody: true, reject: max(a.reject, b.reject)}
	if len(a.policies) == 1 && len(b.policies) == 1 {
		p, q := a.policies[0], b.policies[0]
		both := &proposal{policy: meetPolicies(p.policy, q.policy), name: p.name, at: p.at}
		if len(both.policy.AllowOrigins)+len(both.policy.AllowOriginRegexes) > 0 {
			m.policies = []*proposal{both}
		}
	}
	return m, false
}

// meetPolicies returns what both policies grant, as far as that can be told by comparing what is written.
func meetPolicies(p, q *corsprocv1.Policy) *corsprocv1.Policy {
	m := &corsprocv1.Policy{
		AllowCredentials:    p.AllowCredentials && q.AllowCredentials,
		AllowPrivateNetwork: p.AllowPrivateNetwork && q.AllowPrivateNetwork,
		AllowMethods:        both(p.AllowMethods, q.AllowMethods, false),
		AllowHeaders:        both(p.AllowHeaders, q.AllowHeaders, true),
		ExposeHeaders:       both(p.ExposeHeaders, q.ExposeHeaders, true),
		DenyOrigins:         p.DenyOrigins,
	}
	for _, s := range q.DenyOrigins {
		if !slices.Contains(m.DenyOrigins, s) {
			m.DenyOrigins = append(m.DenyOrigins[:len(m.DenyOrigins):len(m.DenyOrigins)], s)
		}
	}
	take := func(from, other *corsprocv1.Policy) {
		all := slices.Contains(other.AllowOrigins, "*")
		for _, s := range from.AllowOrigins {
			has := slices.Contains(other.AllowOrigins, s) || all && (s != "null" || !other.AllowCredentials)
			if has && !slices.Contains(m.AllowOrigins, s) {
				m.AllowOrigins = append(m.AllowOrigins, s)
			}
		}
		for _, s := range from.AllowOriginRegexes {
			if (all || slices.Contains(other.AllowOriginRegexes, s)) && !slices.Contains(m.AllowOriginRegexes, s) {
				m.AllowOriginRegexes = append(m.AllowOriginRegexes, s)
			}
		}
	}
	take(p, q)
	take(q, p)
	if p.MaxAge != nil && q.MaxAge != nil {
		m.MaxAge = p.MaxAge
		if d, e := durationOf(p.GetMaxAge()), durationOf(q.GetMaxAge()); e < d {
			m.MaxAge = q.MaxAge
		}
	}
	return m
}

// both returns what two lists of methods or names have in common. fold: names, whose case is ignored.
func both(p, q []string, fold bool) (m []string) {
	has := func(list []string, s string) bool {
		return slices.ContainsFunc(list, func(t string) bool { return s == t || fold && strings.EqualFold(s, t) })
	}
	covered := func(list []string, s string) bool {
		return has(list, s) || has(list, "*") && !(fold && strings.EqualFold(s, "authorization"))
	}
	for _, s := range p {
		if covered(q, s) {
			m = append(m, s)
		}
	}
	for _, s := range q {
		if covered(p, s) && !has(m, s) {
			m = append(m, s)
		}
	}
	return m
}
