package policy

// Tested by survey_test.go.

import (
	"iter"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
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
	FixedOrigin                                   bool
	ExposeUpstream                                bool   // beside ExposeHeaders, where that does not cover everything
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
	sets := make(map[*match.Origins]string, len(s.set.OriginSets))
	for _, set := range s.set.OriginSets {
		sets[&set.Origins] = "@" + set.Name
	}
	all := make([]PolicySurvey, 0, len(names))
	number := make(map[*compiled.Policy]int, len(names))
	for _, name := range names {
		if policy := s.set.ByName[name]; policy != nil && !policy.Builtin {
			number[policy] = len(all)
			all = append(all, surveyPolicy(policy, sets, most))
		}
	}
	for l, use := range s.uses() {
		for _, policy := range l.Policies {
			i, ok := number[policy]
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

func surveyPolicy(policy *compiled.Policy, sets map[*match.Origins]string, most int) PolicySurvey {
	p := PolicySurvey{
		Name: policy.Name, At: compiled.MakeRule(compiled.RulePolicy, int(policy.Index), 0),
		AllowCredentials: policy.Credentials, AllowPrivateNetwork: policy.PrivateNetwork, FixedOrigin: policy.FixedOrigin != "", ExposeUpstream: policy.ExposeUpstream,
		MaxAge: policy.MaxAge, PreflightStatus: policy.PreflightStatus,
	}
	p.AllowOrigins = originEntries(policy.Allow, sets, most)
	p.DenyOrigins = originEntries(policy.Deny, sets, most)
	for _, text := range policy.RegexTexts {
		p.AllowOriginRegexes.add(text, most)
	}
	if policy.AnyMethod {
		p.AllowMethods.add("*", most)
	}
	for _, name := range policy.Methods {
		p.AllowMethods.add(name, most)
	}
	p.AllowHeaders = headerEntries(policy.AllowHeaders, most)
	p.ExposeHeaders = headerEntries(policy.ExposeHeaders, most)
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
func (s *Set) uses() iter.Seq2[*compiled.List, Use] {
	return func(yield func(*compiled.List, Use) bool) {
		none := new(compiled.Place)
		for i := range s.set.Hosts {
			h, outer := &s.set.Hosts[i], &s.set.Hosts[0].Place
			if i == 0 {
				outer = none
			}
			if !usesOf(&h.Place, outer, Use{Host: h.Label, At: compiled.MakeRule(compiled.RulePlace, i, compiled.NoRoute)}, s.inner(i), yield) {
				return
			}
			for k := range h.Routes {
				r := &h.Routes[k]
				use := Use{Host: h.Label, Kind: r.Kind.String(), Match: r.Text, At: compiled.MakeRule(compiled.RulePlace, i, k)}
				if !usesOf(&r.Place, &h.Place, use, func(func(*compiled.Place) bool) {}, yield) {
					return
				}
			}
		}
	}
}

// usesOf yields the lists that a place does not have from the outer one. inner are the places that may have them from it.
func usesOf(p, outer *compiled.Place, use Use, inner iter.Seq[*compiled.Place], yield func(*compiled.List, Use) bool) bool {
	own := p.ListRule != outer.ListRule
	if own {
		for q := range inner {
			if q.ListRule == p.ListRule {
				use.Inherited++
			}
		}
		if !yield(p.Active, use) {
			return false
		}
	}
	if p.Candidates == nil || !own && p.Candidates == outer.Candidates {
		return true
	}
	use.Candidate, use.Inherited = true, 0
	for q := range inner {
		if q.ListRule == p.ListRule && q.Candidates == p.Candidates {
			use.Inherited++
		}
	}
	return yield(p.Candidates, use)
}

// inner yields the places inside a virtual host; inside default that is every other place.
func (s *Set) inner(host int) iter.Seq[*compiled.Place] {
	return func(yield func(*compiled.Place) bool) {
		hosts := s.set.Hosts[host : host+1]
		if host == 0 {
			hosts = s.set.Hosts
		}
		for i := range hosts {
			h := &hosts[i]
			if i > 0 && !yield(&h.Place) {
				return
			}
			for k := range h.Routes {
				if !yield(&h.Routes[k].Place) {
					return
				}
			}
		}
	}
}
