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
		for _, rule := range set.Covering(o) {
			gaps = append(gaps, Gap{Kind: GapDenied, Policy: g.name, Rule: Rule(rule), Value: o.Text})
		}
	}
	return gaps
}

// isAllowedElsewhere reports whether what denies an origin is in an origin set by which some policy allows: to take it out
// would take away what is granted by it.
func (s *Set) isAllowedElsewhere(g Gap) bool {
	kind, set, _ := g.Rule.parts()
	return kind == ruleSet && slices.ContainsFunc(s.policies, func(p *grant) bool {
		return slices.Contains(p.allow, &s.originSets[set].Origins)
	})
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
		if set.Any != 0 || set.Null != 0 {
			return true
		}
		for p := range set.All() {
			if len(p.Dangers()) > 0 {
				return true
			}
		}
	}
	return false
}
