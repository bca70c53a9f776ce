package build

// Tested by builder_test.go and policy/convert/golden_test.go.

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Alike reports whether two places grant the same.
func Alike(a, b Place) bool {
	return a.Reject == b.Reject && len(a.Policies) == len(b.Policies) && (len(a.Policies) > 0 || a.Nobody == b.Nobody) &&
		slices.EqualFunc(a.Policies, b.Policies, equalPolicies) && slices.EqualFunc(a.Candidates, b.Candidates, equalPolicies)
}

func equalPolicies(p, q *Proposal) bool { return p == q || proto.Equal(p.Policy, q.Policy) }

// Meet returns a place that grants nobody more than either of two does: for requests that the source tells apart by what a
// policy file does not look at. same reports whether nothing is lost by that.
func Meet(a, b Place) (m Place, same bool) {
	if Alike(a, b) {
		return a, true
	}
	m = Place{At: a.At, Nobody: true, Reject: max(a.Reject, b.Reject)}
	if len(a.Policies) == 1 && len(b.Policies) == 1 {
		p, q := a.Policies[0], b.Policies[0]
		both := &Proposal{Policy: meetPolicies(p, q), Name: p.Name, At: p.At}
		if len(both.Policy.AllowOrigins)+len(both.Policy.AllowOriginRegexes) > 0 {
			m.Policies = []*Proposal{both}
		}
	}
	return m, false
}

// meetPolicies returns what both policies grant. Of two expressions only the same text is known to be one of both.
func meetPolicies(a, b *Proposal) *corsprocv1.Policy {
	p, q := a.Policy, b.Policy
	m := &corsprocv1.Policy{
		AllowCredentials:    p.AllowCredentials && q.AllowCredentials,
		AllowPrivateNetwork: p.AllowPrivateNetwork && q.AllowPrivateNetwork,
		AllowMethods:        both(p.AllowMethods, q.AllowMethods, false),
		AllowHeaders:        both(p.AllowHeaders, q.AllowHeaders, true),
		ExposeHeaders:       both(p.ExposeHeaders, q.ExposeHeaders, true),
	}
	take := func(from *corsprocv1.Policy, other *Proposal) {
		all := slices.Contains(other.Policy.AllowOrigins, "*")
		for _, s := range from.AllowOrigins {
			if other.covers(s) || all && s == "null" && !other.Policy.AllowCredentials {
				m.AllowOrigins = append(m.AllowOrigins, s)
			}
		}
		for _, s := range from.AllowOriginRegexes {
			if (all || slices.Contains(other.Policy.AllowOriginRegexes, s)) && !slices.Contains(m.AllowOriginRegexes, s) {
				m.AllowOriginRegexes = append(m.AllowOriginRegexes, s)
			}
		}
	}
	take(p, b)
	take(q, a)
	m.AllowOrigins = Once(m.AllowOrigins, false)
	if p.MaxAge != nil && q.MaxAge != nil {
		m.MaxAge = p.MaxAge
		if d, e := durationOf(p.GetMaxAge()), durationOf(q.GetMaxAge()); e < d {
			m.MaxAge = q.MaxAge
		}
	}
	return m
}

// Covers reports whether a policy lets in everybody whom an entry of allow_origins does.
func (p *Proposal) covers(entry string) bool {
	if p.covering == nil {
		p.covering = newCovering(p.Policy)
	}
	return p.covering.covers(entry)
}

// covering is whom a policy lets in, to be asked about.
type covering struct {
	written     map[string]bool
	patterns    match.Origins
	expressions []*regexp.Regexp
}

func newCovering(p *corsprocv1.Policy) *covering {
	o := &covering{written: map[string]bool{}, patterns: (&match.OriginIndex{}).List()}
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

// Tighten makes a place grant no more than another one does, and keeps what is said of it.
func (p *Place) Tighten(other Place) (same bool) {
	m, same := Meet(*p, other)
	if !same {
		p.Policies, p.Nobody, p.Reject = m.Policies, m.Nobody, m.Reject
	}
	return same
}
