package policy

// Tested by gaps_test.go and policy/browser/changes_least_test.go.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
)

// denied returns a gap for each entry of deny_origins that covers an origin: it is denied until all of them are gone.
func denied(policy *compiled.Policy, o *origin.Origin) (gaps []Gap) {
	for _, set := range policy.Deny {
		for _, rule := range set.Covering(o) {
			gaps = append(gaps, Gap{Kind: GapDenied, Policy: policy.Name, Rule: Rule(rule), Value: o.Text})
		}
	}
	return gaps
}

// isAllowedElsewhere reports whether what denies an origin is in an origin set by which some policy allows: to take it out
// would take away what is granted by it.
func (t *trial) isAllowedElsewhere(g Gap) bool {
	kind, set, _ := g.Rule.Parts()
	return kind == compiled.RuleSet && slices.ContainsFunc(t.set.Policies, func(p *compiled.Policy) bool {
		return slices.Contains(p.Allow, &t.set.OriginSets[set].Origins)
	})
}

// isDangerous reports whether an origin must not get credentials.
func isDangerous(text string) bool {
	p, why := origin.ParsePattern(text)
	return why == "" && len(p.Dangers()) > 0
}

// isPolicyDangerous reports whether a policy without credentials cannot have them: somebody that it allows must not get them,
// or its "*" would become the name of a header.
func isPolicyDangerous(policy *compiled.Policy) bool {
	if strings.HasPrefix(policy.ExposeHeaders, "*") {
		return true
	}
	for _, re := range policy.Regexes {
		if regex.AcceptsAll(re, regex.ProbeOrigins("https")) || regex.AcceptsAll(re, regex.ProbeOrigins("http")) {
			return true
		}
	}
	for _, set := range policy.Allow {
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
