package policy

import "github.com/corsproc/corsproc/policy/finding"

// Rule is a small reference to the part of a set that made a decision: a kind and two numbers, packed, so that it costs
// nothing per request and four bytes less than a pointer per pattern in sets with a million of them. The zero value
// refers to nothing.
type Rule uint64

type ruleKind uint8

const (
	ruleAllow    ruleKind = iota + 1 // policy, index in allow_origins
	ruleRegex                        // policy, index in allow_origin_regexes
	ruleDeny                         // policy, index in deny_origins
	ruleSet                          // origin set, index
	ruleMethods                      // policy
	ruleHeaders                      // policy
	rulePolicies                     // virtual host, route: the list that was tried
	rulePlace                        // virtual host, route: the place itself
	ruleField                        // policy, one of the fields below: also where it is not written
	rulePolicy                       // policy, as a whole
)

// The fields of a policy that a [Gap] may be about.
const (
	fieldOrigins = iota
	fieldMethods
	fieldHeaders
	fieldCredentials
)

var fieldNames = [...]string{"allow_origins", "allow_methods", "allow_headers", "allow_credentials"}

// noRoute as the second number of rulePolicies and rulePlace is the virtual host itself. The virtual host 0 is default.
const noRoute = ruleMask

const (
	ruleBits = 29
	ruleMask = 1<<ruleBits - 1
)

func makeRule(k ruleKind, a, b int) Rule {
	return Rule(k)<<(2*ruleBits) | Rule(a&ruleMask)<<ruleBits | Rule(b&ruleMask)
}

func (r Rule) parts() (k ruleKind, a, b int) {
	return ruleKind(r >> (2 * ruleBits)), int(r >> ruleBits & ruleMask), int(r & ruleMask)
}

// Locate returns where a rule of this set stands. It reports false for the zero rule, and for what no file says (the
// default place of a set without default).
func (s *Set) Locate(r Rule) (finding.Location, bool) {
	kind, a, b := r.parts()
	switch kind {
	case ruleAllow, ruleRegex, ruleDeny, ruleMethods, ruleHeaders, ruleField, rulePolicy:
		p := s.policies[a]
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
			return finding.Location{Source: s.sources[p.source], Path: path, Key: true}, true
		case ruleField:
			path = path.Name(fieldNames[b])
		}
		return finding.Location{Source: s.sources[p.source], Path: path}, true
	case ruleSet:
		set := s.originSets[a]
		return finding.Location{Source: s.sources[set.source], Path: finding.Path("").Name("origin_sets").Name(set.name).Index(b)}, true
	case rulePolicies, rulePlace:
		h := &s.hosts[a]
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
		return finding.Location{Source: s.sources[h.source], Path: path}, true
	}
	return finding.Location{}, false
}
