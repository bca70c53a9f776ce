package policy

import (
	"iter"

	"github.com/corsproc/corsproc/policy/internal/compiled"
)

// A Survey is what holds at a place of a set: for people who look at the set as a whole. Deciding needs none of it.
type Survey struct {
	At         Rule    // the place
	Policies   Entries // in the order in which they are tried
	PoliciesAt Rule    // their list, which may be at an outer place
	Candidates Entries // empty: the place has none
	Reject     string  // as policy files spell it
}

// A RouteSurvey is a route: how it is found, and what holds there.
type RouteSurvey struct {
	Kind, Match string // the field of a policy file that says it, and its value
	Survey
}

// A HostSurvey is a virtual host, or default.
type HostSurvey struct {
	Label string // as in [Set.VirtualHosts]
	Survey
	routes []compiled.Route
	number int
	most   int
}

// Hosts yields what holds at the places of the set, in the order of [Set.VirtualHosts]; of each list of policies at most so
// many.
func (s *Set) Hosts(most int) iter.Seq[HostSurvey] {
	return func(yield func(HostSurvey) bool) {
		for i := range s.set.Hosts {
			if !yield(s.hostSurvey(i, most)) {
				return
			}
		}
	}
}

func (s *Set) hostSurvey(i, most int) HostSurvey {
	h := &s.set.Hosts[i]
	return HostSurvey{Label: h.Label, Survey: surveyOf(&h.Place, i, compiled.NoRoute, most), routes: h.Routes, number: i, most: most}
}

// Len returns how many routes the host has.
func (h *HostSurvey) Len() int { return len(h.routes) }

// Routes yields the host's routes in the order in which they are tried.
func (h *HostSurvey) Routes() iter.Seq[RouteSurvey] {
	return func(yield func(RouteSurvey) bool) {
		for i := range h.routes {
			if !yield(h.Route(i)) {
				return
			}
		}
	}
}

func surveyOf(p *compiled.Place, host, route, most int) Survey {
	return Survey{
		At: compiled.MakeRule(compiled.RulePlace, host, route), Policies: namesOf(p.Active, most), PoliciesAt: p.ListRule,
		Candidates: namesOf(p.Candidates, most), Reject: p.Reject.String(),
	}
}

// namesOf returns the names of a list's policies; none of no list.
func namesOf(l *compiled.List, most int) (names Entries) {
	switch {
	case l == nil:
		return names
	case l.Passthrough:
		return Entries{First: []string{compiled.NamePassthrough}, Total: 1}
	}
	names.Total = len(l.Policies)
	for _, policy := range l.Policies[:min(len(l.Policies), most)] {
		names.First = append(names.First, policy.Name)
	}
	return names
}
