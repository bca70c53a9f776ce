package convert

// Tested by builder_test.go and golden_test.go.

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	originmatch "github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
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
		both := &proposal{policy: meetPolicies(p, q), name: p.name, at: p.at}
		if len(both.policy.AllowOrigins)+len(both.policy.AllowOriginRegexes) > 0 {
			m.policies = []*proposal{both}
		}
	}
	return m, false
}

// meetPolicies returns what both policies grant. Of two expressions only the same text is known to be one of both.
func meetPolicies(a, b *proposal) *corsprocv1.Policy {
	p, q := a.policy, b.policy
	m := &corsprocv1.Policy{
		AllowCredentials:    p.AllowCredentials && q.AllowCredentials,
		AllowPrivateNetwork: p.AllowPrivateNetwork && q.AllowPrivateNetwork,
		AllowMethods:        both(p.AllowMethods, q.AllowMethods, false),
		AllowHeaders:        both(p.AllowHeaders, q.AllowHeaders, true),
		ExposeHeaders:       both(p.ExposeHeaders, q.ExposeHeaders, true),
	}
	take := func(from *corsprocv1.Policy, other *proposal) {
		all := slices.Contains(other.policy.AllowOrigins, "*")
		for _, s := range from.AllowOrigins {
			if other.covers(s) || all && s == "null" && !other.policy.AllowCredentials {
				m.AllowOrigins = append(m.AllowOrigins, s)
			}
		}
		for _, s := range from.AllowOriginRegexes {
			if (all || slices.Contains(other.policy.AllowOriginRegexes, s)) && !slices.Contains(m.AllowOriginRegexes, s) {
				m.AllowOriginRegexes = append(m.AllowOriginRegexes, s)
			}
		}
	}
	take(p, b)
	take(q, a)
	m.AllowOrigins = once(m.AllowOrigins, false)
	if p.MaxAge != nil && q.MaxAge != nil {
		m.MaxAge = p.MaxAge
		if d, e := durationOf(p.GetMaxAge()), durationOf(q.GetMaxAge()); e < d {
			m.MaxAge = q.MaxAge
		}
	}
	return m
}

// covers reports whether a policy lets in everybody whom an entry of allow_origins does.
func (p *proposal) covers(entry string) bool {
	if p.covering == nil {
		p.covering = newCovering(p.policy)
	}
	return p.covering.covers(entry)
}

// covering is whom a policy lets in, to be asked about.
type covering struct {
	written     map[string]bool
	patterns    originmatch.Origins
	expressions []*regexp.Regexp
}

func newCovering(p *corsprocv1.Policy) *covering {
	o := &covering{written: map[string]bool{}, patterns: (&originmatch.OriginIndex{}).List()}
	for i, s := range p.AllowOrigins {
		o.written[s] = true
		if pattern, why := origin.ParsePattern(s); why == "" {
			o.patterns.Add(&pattern, uint64(i)+1)
		}
	}
	for _, s := range p.AllowOriginRegexes {
		if re, err := regexp.Compile("^(?:" + s + ")$"); err == nil {
			o.expressions = append(o.expressions, re)
		}
	}
	return o
}

func (o *covering) covers(entry string) bool {
	if o.written[entry] {
		return true
	}
	pattern, why := origin.ParsePattern(entry)
	if why != "" {
		return false
	}
	if o.patterns.CoveringPattern(&pattern, nil) != 0 {
		return true
	}
	return pattern.IsExact() && slices.ContainsFunc(o.expressions, func(re *regexp.Regexp) bool { return re.MatchString(entry) })
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
