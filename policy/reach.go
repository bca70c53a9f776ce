package policy

import (
	"iter"
	"regexp"
	"regexp/syntax"
)

// Reach returns the virtual host of a request, default for one that belongs to none, and which of its routes the path as it
// was received belongs to; -1: none of them. It is where [Set.Decide] looks first: a path that can be read in two ways may
// lead to other routes, too. Of each list of policies it has at most so many names.
func (s *Set) Reach(r *Request, most int) (host HostSurvey, route int) {
	i := s.hostIndex(r)
	h := &s.hosts[i]
	path, _ := readPath(r.Path)
	host = HostSurvey{Label: h.label, Survey: h.survey(i, noRoute, most), routes: h.routes, number: i, most: most}
	return host, h.route(r.Route, path)
}

// IsDefault reports whether it is the place of requests that belong to no virtual host.
func (h *HostSurvey) IsDefault() bool { return h.number == 0 }

// Route returns the route of an index below Len.
func (h *HostSurvey) Route(i int) RouteSurvey {
	r := &h.routes[i]
	return RouteSurvey{Kind: r.kind.String(), Match: r.text, Survey: r.survey(h.number, i, h.most)}
}

// HasVirtualHostName reports whether Envoy's name of a virtual host leads to one of the set.
func (s *Set) HasVirtualHostName(name string) bool {
	if s.names.find(nameExact, name) != 0 {
		return true
	}
	_, ok := s.globs.find(name)
	return ok
}

// HasRouteName reports whether a virtual host of the set has a route that Envoy's name of a route leads to.
func (s *Set) HasRouteName(name string) bool {
	for i := range s.hosts {
		for j := range s.hosts[i].routes {
			if r := &s.hosts[i].routes[j]; r.kind == routeName && r.covers(name, "") {
				return true
			}
		}
	}
	return false
}

// PolicyTerms returns what a policy says beside its origins, of each list at most so many entries: a survey without origin
// patterns and uses, whose cost does not depend on the rest of the set. It reports false for a policy that does not exist.
func (s *Set) PolicyTerms(name string, most int) (PolicySurvey, bool) {
	g := s.byName[name]
	if g == nil || g.builtin {
		return PolicySurvey{}, false
	}
	bare := *g
	bare.allow, bare.deny = nil, nil
	return bare.survey(nil, most), true
}

// AllowedPatterns yields the origin patterns that a policy allows, those of the origin sets that it refers to with them, in
// the form of a policy file. "*" and "null" come first; beside the star the other patterns say nothing.
func (s *Set) AllowedPatterns(policy string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if g := s.byName[policy]; g != nil && !g.builtin {
			yieldPatterns(g.allow, yield)
		}
	}
}

// DeniedPatterns is [Set.AllowedPatterns] for what a policy denies.
func (s *Set) DeniedPatterns(policy string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if g := s.byName[policy]; g != nil && !g.builtin {
			yieldPatterns(g.deny, yield)
		}
	}
}

func yieldPatterns(lists []*origins, yield func(string) bool) {
	for _, list := range lists {
		if list.any != 0 && !yield("*") || list.null != 0 && !yield("null") {
			return
		}
		for at := list.from; at < list.to; {
			r := list.index.record(at)
			at += r.size()
			kind := int(r.space >> 60)
			if kind != spaceScheme && !yield(list.index.written(kind, uint32(r.space&(1<<30-1)), string(r.text))) {
				return
			}
		}
	}
}

// Samples returns some of the texts that an expression matches as a whole: the shortest ones, with a letter where
// there is a choice. There may be none.
func Samples(expression string) (found []string) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	whole, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	if err != nil {
		return nil
	}
	for _, text := range samples(tree) {
		if whole.MatchString(text) {
			found = append(found, text)
		}
	}
	return found
}
