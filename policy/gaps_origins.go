package policy

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
)

// denied returns a gap for each entry of deny_origins that covers an origin: it is denied until all of them are gone.
func (g *grant) denied(o *origin.Origin) (gaps []Gap) {
	for _, set := range g.deny {
		for _, rule := range set.covering(o) {
			gaps = append(gaps, Gap{Kind: GapDenied, Policy: g.name, Rule: rule, Value: o.Text})
		}
	}
	return gaps
}

// isAllowedElsewhere reports whether what denies an origin is in an origin set by which some policy allows: to take it out
// would take away what is granted by it.
func (s *Set) isAllowedElsewhere(g Gap) bool {
	kind, set, _ := g.Rule.parts()
	return kind == ruleSet && slices.ContainsFunc(s.policies, func(p *grant) bool {
		return slices.Contains(p.allow, &s.originSets[set].origins)
	})
}

// covering returns every rule that covers an origin, in the order of the list; of entries that are the same, the first.
// [origins.match] finds the most particular one.
func (s *origins) covering(o *origin.Origin) (rules []Rule) {
	add := func(rule Rule) {
		if rule != 0 {
			rules = append(rules, rule)
		}
	}
	add(s.any)
	if o.Null {
		add(s.null)
		slices.Sort(rules)
		return rules
	}
	add(s.find(spaceExact, noScheme, o.Text))
	if scheme := s.index.scheme(o.Scheme); scheme != noScheme {
		hostPort := o.Text[len(o.Scheme)+len("://"):]
		add(s.find(spaceHost, scheme, o.Host))
		add(s.find(spaceAny, scheme, hostPort[len(o.Host):]))
		add(s.find(spaceAnyAnyPort, scheme, ""))
		for i := 1; i < len(o.Host)-1; i++ {
			if o.Host[i] == '.' {
				add(s.find(spaceSub, scheme, hostPort[i+1:]))
				add(s.find(spaceSubAnyPort, scheme, o.Host[i+1:]))
			}
		}
	}
	slices.Sort(rules)
	return rules
}

// isDangerous reports whether an origin must not get credentials.
func isDangerous(text string) bool {
	p, why := origin.ParsePattern(text)
	return why == "" && len(p.Dangers()) > 0
}

// isDangerous reports whether a policy without credentials cannot have them: somebody that it allows must not get them,
// or its "*" would become the name of a header.
func (g *grant) isDangerous() bool {
	if strings.HasPrefix(g.exposeHeaders, "*") {
		return true
	}
	for _, re := range g.regexes {
		if regex.AcceptsAll(re, regex.ProbeOrigins("https")) || regex.AcceptsAll(re, regex.ProbeOrigins("http")) {
			return true
		}
	}
	for _, set := range g.allow {
		if set.any != 0 || set.null != 0 {
			return true
		}
		for p := range set.all() {
			if len(p.Dangers()) > 0 {
				return true
			}
		}
	}
	return false
}
