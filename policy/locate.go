package policy

import "github.com/corsproc/corsproc/policy/finding"

// Locate returns where a rule of this set stands. It reports false for the zero rule, and for what no file says (the
// default place of a set without default).
func (s *Set) Locate(r Rule) (finding.Location, bool) {
	kind, a, b := r.parts()
	switch kind {
	case ruleAllow, ruleRegex, ruleDeny, ruleMethods, ruleHeaders, ruleField, rulePolicy:
		p := s.set.policies[a]
		path := finding.Path("").Name("policies").Name(p.name)
		switch kind {
		case ruleAllow:
			path = path.Name("allow_origins").Index(b)
		case ruleRegex:
			path = path.Name("allow_origin_regexes").Index(b)
		case ruleDeny:
			path = path.Name("deny_origins").Index(b)
		case ruleMethods:
			// Where nothing is listed there is no list to show, only the policy that lacks it.
			if p.listsMethods() {
				path = path.Name("allow_methods")
			}
		case ruleHeaders:
			if p.listsHeaders() {
				path = path.Name("allow_headers")
			}
		case rulePolicy:
			return finding.Location{Source: s.set.sources[p.source], Path: path, Key: true}, true
		case ruleField:
			path = path.Name(fieldNames[b])
		}
		return finding.Location{Source: s.set.sources[p.source], Path: path}, true
	case ruleSet:
		set := s.set.originSets[a]
		return finding.Location{Source: s.set.sources[set.source], Path: finding.Path("").Name("origin_sets").Name(set.name).Index(b)}, true
	case rulePolicies, rulePlace:
		h := &s.set.hosts[a]
		if h.source < 0 {
			return finding.Location{}, false
		}
		path := finding.Path("").Name("default")
		if a > 0 {
			path = finding.Path("").Name("virtual_hosts").Index(int(h.position))
		}
		if b != noRoute {
			path = path.Name("routes").Index(b)
		}
		if kind == rulePolicies {
			path = path.Name("policies")
		}
		return finding.Location{Source: s.set.sources[h.source], Path: path}, true
	}
	return finding.Location{}, false
}
