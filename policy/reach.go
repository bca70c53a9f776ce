package policy

import (
	"iter"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
)

// Reach returns the virtual host of a request, default for one that belongs to none, and which of its routes the path as it
// was received belongs to; -1: none of them. It is where [Set.Decide] looks first: a path that can be read in two ways may
// lead to other routes, too. Of each list of policies it has at most so many names.
func (s *Set) Reach(r *Request, most int) (host HostSurvey, route int) {
	i := s.set.HostIndex(r.VirtualHost, r.Authority)
	h := &s.set.Hosts[i]
	path, _ := match.ReadPath(r.Path)
	return s.hostSurvey(i, most), h.RouteOf(r.Route, path)
}

// IsDefault reports whether it is the place of requests that belong to no virtual host.
func (h *HostSurvey) IsDefault() bool { return h.number == 0 }

// Route returns the route of an index below Len.
func (h *HostSurvey) Route(i int) RouteSurvey {
	r := &h.routes[i]
	return RouteSurvey{Kind: r.Kind.String(), Match: r.Text, Survey: surveyOf(&r.Place, h.number, i, h.most)}
}

// HasVirtualHostName reports whether Envoy's name of a virtual host leads to one of the set.
func (s *Set) HasVirtualHostName(name string) bool {
	if s.set.Names.Find(compiled.NameExact, name) != 0 {
		return true
	}
	_, ok := s.set.Globs.Find(name)
	return ok
}

// HasRouteName reports whether a virtual host of the set has a route that Envoy's name of a route leads to.
func (s *Set) HasRouteName(name string) bool {
	for i := range s.set.Hosts {
		for j := range s.set.Hosts[i].Routes {
			if r := &s.set.Hosts[i].Routes[j]; r.Kind == compiled.RouteName && r.Covers(name, "") {
				return true
			}
		}
	}
	return false
}

// PolicyTerms returns what a policy says beside its origins, of each list at most so many entries: a survey without origin
// patterns and uses, whose cost does not depend on the rest of the set. It reports false for a policy that does not exist.
func (s *Set) PolicyTerms(name string, most int) (PolicySurvey, bool) {
	policy := s.set.ByName[name]
	if policy == nil || policy.Builtin {
		return PolicySurvey{}, false
	}
	bare := *policy
	bare.Allow, bare.Deny = nil, nil
	return surveyPolicy(&bare, nil, most), true
}

// AllowedPatterns yields the origin patterns that a policy allows, those of the origin sets that it refers to with them, in
// the form of a policy file. "*" and "null" come first; beside the star the other patterns say nothing.
func (s *Set) AllowedPatterns(policy string) iter.Seq[string] {
	return s.patterns(policy, func(p *compiled.Policy) []*match.Origins { return p.Allow })
}

// DeniedPatterns is [Set.AllowedPatterns] for what a policy denies.
func (s *Set) DeniedPatterns(policy string) iter.Seq[string] {
	return s.patterns(policy, func(p *compiled.Policy) []*match.Origins { return p.Deny })
}

// patterns yields the patterns of some lists of a policy; of one that does not exist there are none.
func (s *Set) patterns(policy string, lists func(*compiled.Policy) []*match.Origins) iter.Seq[string] {
	return func(yield func(string) bool) {
		if p := s.set.ByName[policy]; p != nil && !p.Builtin {
			yieldPatterns(lists(p), yield)
		}
	}
}

func yieldPatterns(lists []*match.Origins, yield func(string) bool) {
	for _, list := range lists {
		if list.Any != 0 && !yield("*") || list.Null != 0 && !yield("null") {
			return
		}
		for text := range list.Texts() {
			if !yield(text) {
				return
			}
		}
	}
}
