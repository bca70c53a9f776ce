package policy

import (
	"iter"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/match"
)

// A PolicySurvey is what a policy says, of long lists the beginning.
type PolicySurvey struct {
	Name string
	At   Rule // the policy

	// The fields of a policy file, in its words and without repetitions. A list that refers to an origin set has "@name".
	AllowOrigins, AllowOriginRegexes, DenyOrigins Entries
	AllowMethods, AllowHeaders, ExposeHeaders     Entries
	AllowCredentials, AllowPrivateNetwork         bool
	MaxAge                                        string // in seconds; empty: unset
	PreflightStatus                               int

	Uses Uses // set by [Set.SurveyPolicies]
}

// Entries are the first of a list, and how many there are.
type Entries struct {
	First []string
	Total int
}

// A Use is a place whose own list has a policy.
type Use struct {
	Host        string // as in [Set.VirtualHosts]
	Kind, Match string // of a route; empty: the virtual host itself
	At          Rule   // the place
	Candidate   bool   // the list is of candidates
	Inherited   int    // how many inner places take the list over
}

// Uses are the first uses of a policy, in the order of [Set.Hosts], and how many there are.
type Uses struct {
	First []Use
	Total int
}

// SurveyPolicies returns what the named policies of the set say and which places use them, of each list and of the places at
// most so many.
func (s *Set) SurveyPolicies(names []string, most int) []PolicySurvey {
	sets := make(map[*match.Origins]string, len(s.originSets))
	for _, set := range s.originSets {
		sets[&set.Origins] = "@" + set.name
	}
	all := make([]PolicySurvey, 0, len(names))
	number := make(map[*grant]int, len(names))
	for _, name := range names {
		if g := s.byName[name]; g != nil && !g.builtin {
			number[g] = len(all)
			all = append(all, g.survey(sets, most))
		}
	}
	for l, use := range s.uses() {
		for _, g := range l.grants {
			i, ok := number[g]
			if !ok {
				continue
			}
			uses := &all[i].Uses
			if uses.Total++; len(uses.First) < most {
				uses.First = append(uses.First, use)
			}
		}
	}
	return all
}

func (g *grant) survey(sets map[*match.Origins]string, most int) PolicySurvey {
	p := PolicySurvey{
		Name: g.name, At: makeRule(rulePolicy, int(g.index), 0),
		AllowCredentials: g.credentials, AllowPrivateNetwork: g.privateNetwork, MaxAge: g.maxAge, PreflightStatus: g.preflightStatus,
	}
	p.AllowOrigins = originEntries(g.allow, sets, most)
	p.DenyOrigins = originEntries(g.deny, sets, most)
	for _, text := range g.regexTexts {
		p.AllowOriginRegexes.add(text, most)
	}
	if g.anyMethod {
		p.AllowMethods.add("*", most)
	}
	for _, name := range g.methods {
		p.AllowMethods.add(name, most)
	}
	p.AllowHeaders = headerEntries(g.allowHeaders, most)
	p.ExposeHeaders = headerEntries(g.exposeHeaders, most)
	return p
}

func (e *Entries) add(text string, most int) {
	if e.Total++; len(e.First) < most {
		e.First = append(e.First, text)
	}
}

// headerEntries takes the value of a header apart that the set has joined.
func headerEntries(value string, most int) (e Entries) {
	if value == "" {
		return e
	}
	for name := range strings.SplitSeq(value, ", ") {
		e.add(name, most)
	}
	return e
}

func originEntries(lists []*match.Origins, sets map[*match.Origins]string, most int) (e Entries) {
	for _, list := range lists {
		if name := sets[list]; name != "" {
			e.add(name, most)
			continue
		}
		if list.Any != 0 {
			e.add("*", most)
		}
		if list.Null != 0 {
			e.add("null", most)
		}
		first, total := list.Written(most - len(e.First))
		for _, text := range first {
			e.add(text, most)
		}
		e.Total += total - len(first)
	}
	return e
}

// uses yields every list of policies or candidates that a place has of its own, with the place.
func (s *Set) uses() iter.Seq2[*list, Use] {
	return func(yield func(*list, Use) bool) {
		none := new(place)
		for i := range s.hosts {
			h, outer := &s.hosts[i], &s.hosts[0].place
			if i == 0 {
				outer = none
			}
			if !h.uses(outer, Use{Host: h.label, At: makeRule(rulePlace, i, noRoute)}, s.inner(i), yield) {
				return
			}
			for k := range h.routes {
				r := &h.routes[k]
				use := Use{Host: h.label, Kind: r.kind.String(), Match: r.text, At: makeRule(rulePlace, i, k)}
				if !r.uses(&h.place, use, func(func(*place) bool) {}, yield) {
					return
				}
			}
		}
	}
}

// uses yields the lists that a place does not have from the outer one. inner are the places that may have them from it.
func (p *place) uses(outer *place, use Use, inner iter.Seq[*place], yield func(*list, Use) bool) bool {
	own := p.listRule != outer.listRule
	if own {
		for q := range inner {
			if q.listRule == p.listRule {
				use.Inherited++
			}
		}
		if !yield(p.policies, use) {
			return false
		}
	}
	if p.candidates == nil || !own && p.candidates == outer.candidates {
		return true
	}
	use.Candidate, use.Inherited = true, 0
	for q := range inner {
		if q.listRule == p.listRule && q.candidates == p.candidates {
			use.Inherited++
		}
	}
	return yield(p.candidates, use)
}

// inner yields the places inside a virtual host; inside default that is every other place.
func (s *Set) inner(host int) iter.Seq[*place] {
	return func(yield func(*place) bool) {
		hosts := s.hosts[host : host+1]
		if host == 0 {
			hosts = s.hosts
		}
		for i := range hosts {
			h := &hosts[i]
			if i > 0 && !yield(&h.place) {
				return
			}
			for k := range h.routes {
				if !yield(&h.routes[k].place) {
					return
				}
			}
		}
	}
}
