package diff

// Tested by policy/diff_test.go, policy/testdata/diff.yaml and policy/diff_random_test.go.

import (
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// manyPolicies is from how many policies of a list on an index says which of them an origin concerns first.
const manyPolicies = 16

// maxExpressionTries bounds on how many origins expressions of long lists are tried, for a whole comparison. Beyond it
// they match nothing but what is written as they are.
const maxExpressionTries = 1_000_000

// asked is a list of policies that is asked about many origins.
type asked struct {
	*differ
	list []*compiled.Policy

	// Of a long list: which policy is the first to name what matches an origin, counted from 1.
	patterns        match.Origins
	expressions     map[string]int // by their text
	withExpressions []int          // the policies that have expressions
}

func (d *differ) newAsked(list []*compiled.Policy) *asked {
	a := &asked{differ: d, list: list}
	if len(list) < manyPolicies {
		return a
	}
	a.patterns = new(match.OriginIndex).List()
	a.expressions = map[string]int{}
	seen := map[*match.Origins]bool{}
	for i, policy := range list {
		for _, sets := range [...][]*match.Origins{policy.Allow, policy.Deny} {
			for _, set := range sets {
				if seen[set] {
					continue // an origin set that an earlier policy refers to
				}
				seen[set] = true
				if set.Any != 0 {
					a.patterns.Add(&origin.Pattern{Kind: origin.PatternAny}, uint64(i+1))
				}
				for p := range set.All() {
					a.patterns.Add(&p, uint64(i+1))
				}
			}
		}
		for _, re := range policy.Regexes {
			if a.expressions[re.String()] == 0 {
				a.expressions[re.String()] = i + 1
			}
		}
		if len(policy.Regexes) > 0 {
			a.withExpressions = append(a.withExpressions, i+1)
		}
	}
	return a
}

// ask returns what the list grants to a subject; nil: nothing.
func (a *asked) ask(s *subject) *granted {
	for _, policy := range a.concerned(s) {
		rule, denied := policy.Match(&s.origin)
		if s.regex != "" {
			rule, denied = a.matchRegex(policy, s)
		}
		switch {
		case denied:
			return nil
		case rule != 0:
			return a.grantedBy(policy)
		}
	}
	return nil
}

// concerned returns the policies among which the first that says something of a subject is the first of the list to do so.
func (a *asked) concerned(s *subject) []*compiled.Policy {
	if len(a.list) < manyPolicies || s.origin.Null {
		return a.list
	}
	first := int(a.patterns.First(&s.origin))
	if s.regex != "" {
		if i := a.expressions[s.regex]; i != 0 && (first == 0 || i < first) {
			first = i
		}
	} else {
		for _, i := range a.withExpressions {
			if first != 0 && i >= first {
				break
			}
			if a.tries++; a.tries > maxExpressionTries {
				break
			}
			if a.list[i-1].MatchingRegex(s.origin.Text) >= 0 {
				first = i
			}
		}
	}
	if first == 0 {
		return nil
	}
	return a.list[first-1 : first]
}

// matchRegex is match for the origins that an expression matches: other expressions are taken not to match them.
func (d *differ) matchRegex(policy *compiled.Policy, s *subject) (rule compiled.Rule, denied bool) {
	if rule := policy.Denies(&s.origin); rule != 0 {
		return rule, true
	}
	if i, ok := d.expressionsOf(policy)[s.regex]; ok {
		return compiled.MakeRule(compiled.RuleRegex, int(policy.Index), i), false
	}
	for _, set := range policy.Allow {
		if rule := set.Match(&s.origin); rule != 0 {
			return compiled.Rule(rule), false
		}
	}
	return 0, false
}

// expressionsOf returns which of a policy's expressions a text is.
func (d *differ) expressionsOf(policy *compiled.Policy) map[string]int {
	if len(policy.Regexes) == 0 {
		return nil
	}
	if d.expressions[policy] == nil {
		list := make(map[string]int, len(policy.Regexes))
		for i, re := range policy.Regexes {
			if _, had := list[re.String()]; !had {
				list[re.String()] = i
			}
		}
		d.expressions[policy] = list
	}
	return d.expressions[policy]
}
