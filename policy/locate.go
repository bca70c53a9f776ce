package policy

// Tested by findings_test.go and policy/browser/table_test.go.

import (
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
)

// Rule is a small reference to the part of a [Set] that made a decision. It costs nothing per request, and says nothing by
// itself: [Set.Locate] knows where it stands. The zero value refers to nothing.
type Rule = compiled.Rule

// Locate returns where a rule of this set stands. It reports false for the zero rule, and for what no file says (the
// default place of a set without default).
func (s *Set) Locate(r Rule) (finding.Location, bool) {
	kind, a, b := r.Parts()
	switch kind {
	case compiled.RuleAllow, compiled.RuleRegex, compiled.RuleDeny, compiled.RuleMethods, compiled.RuleHeaders, compiled.RuleField, compiled.RulePolicy:
		p := s.set.Policies[a]
		path := finding.Path("").Name("policies").Name(p.Name)
		switch kind {
		case compiled.RuleAllow:
			path = path.Name("allow_origins").Index(b)
		case compiled.RuleRegex:
			path = path.Name("allow_origin_regexes").Index(b)
		case compiled.RuleDeny:
			path = path.Name("deny_origins").Index(b)
		case compiled.RuleMethods:
			// Where nothing is listed there is no list to show, only the policy that lacks it.
			if p.ListsMethods() {
				path = path.Name("allow_methods")
			}
		case compiled.RuleHeaders:
			if p.ListsHeaders() {
				path = path.Name("allow_headers")
			}
		case compiled.RulePolicy:
			return finding.Location{Source: s.set.Sources[p.Source], Path: path, Key: true}, true
		case compiled.RuleField:
			path = path.Name(compiled.FieldNames[b])
		}
		return finding.Location{Source: s.set.Sources[p.Source], Path: path}, true
	case compiled.RuleSet:
		set := s.set.OriginSets[a]
		if set.File {
			return finding.Location{Source: s.set.Sources[set.Lines], Path: finding.Path("").Name("origin_files").Name(set.Name).Index(b)}, true
		}
		return finding.Location{Source: s.set.Sources[set.Source], Path: finding.Path("").Name("origin_sets").Name(set.Name).Index(b)}, true
	case compiled.RulePolicies, compiled.RulePlace:
		h := &s.set.Hosts[a]
		if h.Source < 0 {
			return finding.Location{}, false
		}
		path := finding.Path("").Name("default")
		if a > 0 {
			path = finding.Path("").Name("virtual_hosts").Index(int(h.Position))
		}
		if b != compiled.NoRoute {
			path = path.Name("routes").Index(b)
		}
		if kind == compiled.RulePolicies {
			path = path.Name("policies")
		}
		return finding.Location{Source: s.set.Sources[h.Source], Path: path}, true
	}
	return finding.Location{}, false
}
