package policy

import (
	"math"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/regex"
)

// routePair is a place of a virtual host in the old set and one in the new to which the same requests belong.
type routePair struct {
	before, after int // -1: what no route covers
	label         string
}

// none as the index of a route says that no route covers a request.
const noneCovers = math.MaxInt

// routeMatch is which routes cover a request, first in each virtual host: by its name, or by its path.
type routeMatch struct{ before, after int }

// foundRoutes are which routes cover requests, each with the routes that the requests were made of; nil: the request that
// no route was made for.
type foundRoutes map[routeMatch][]*route

// routePairs returns the pairs of places to which the requests of a virtual host belong. It tries paths and names of
// routes that stand for all that the routes of both can tell apart.
//
// A request's place is the first route that covers its name or its path. So names and paths are looked up on their own,
// and every combination that makes a difference is told from the two answers (diff_combine.go).
func routePairs(before, after *virtualHost) []routePair {
	hosts := [2]*virtualHost{before, after}
	lookUps := [2]*routeLookUp{newRouteLookUp(before), newRouteLookUp(after)}
	names, paths := foundRoutes{{noneCovers, noneCovers}: {nil}}, foundRoutes{}
	note := func(found foundRoutes, by *route, covering func(*routeLookUp) int) {
		m := routeMatch{covering(lookUps[0]), covering(lookUps[1])}
		found[m] = append(found[m], by)
	}
	note(paths, nil, func(l *routeLookUp) int { return l.path("/" + fresh) })
	for _, h := range hosts {
		for i := range h.routes {
			t := &h.routes[i]
			if t.kind == routeName {
				note(names, t, func(l *routeLookUp) int { return l.name(sample(t.text)) })
				continue
			}
			for _, path := range t.samplePaths() {
				note(paths, t, func(l *routeLookUp) int {
					if t.kind == routeRegex {
						return l.pathOf(t.text, path)
					}
					return l.path(path)
				})
			}
		}
	}

	best := map[routeMatch]*ranked{}
	of := func(pair routeMatch) *ranked {
		if best[pair] == nil {
			best[pair] = &ranked{rank: math.MaxInt}
		}
		return best[pair]
	}
	for _, n := range decisive(names, paths) {
		offerLabels(of(n), hosts, n, names[n], "")
	}
	for _, p := range decisive(paths, names) {
		if p != (routeMatch{noneCovers, noneCovers}) { // which is among the names
			offerLabels(of(p), hosts, p, paths[p], "")
		}
	}
	for _, c := range combinations(names, paths) { // the name decides in one set, the path in the other
		name := ranked{rank: math.MaxInt}
		offerLabels(&name, hosts, c.name, names[c.name], "")
		offerLabels(of(c.pair()), hosts, c.path, paths[c.path], name.label+" on ")
	}
	var pairs []routePair
	for pair, r := range best {
		p := routePair{before: pair.before, after: pair.after, label: r.label}
		if p.before == noneCovers {
			p.before = -1
		}
		if p.after == noneCovers {
			p.after = -1
		}
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b routePair) int { return strings.Compare(a.label, b.label) })
	return pairs
}

// offerLabels offers the routes that probes were made of as the name of a pair of places: best the very route that
// covers them in the new set, then that of the old one, then whichever it was.
func offerLabels(r *ranked, hosts [2]*virtualHost, found routeMatch, by []*route, with string) {
	for _, t := range by {
		rank, label := labelRank(2), with
		if t != nil {
			label += t.kind.String() + " " + t.text
		}
		switch {
		case t == nil && found == (routeMatch{noneCovers, noneCovers}):
			rank = 0
		case t == nil:
			rank = 3
		case found.after != noneCovers && hosts[1].routes[found.after].says(t):
			rank = 0
		case found.before != noneCovers && hosts[0].routes[found.before].says(t):
			rank = 1
		}
		if with != "" {
			rank += 4 // rather by one of them alone
		}
		r.offer(rank, label)
	}
}

// says reports whether two routes cover the same, as far as that can be read.
func (t *route) says(o *route) bool { return t.kind == o.kind && t.text == o.text }

// samplePaths returns paths that stand for all that the route covers and no longer path of another route does. With
// those of every route they reach every place: what covers a path is decided by the longest text of a route that the
// path begins with, and by what follows only where the path ends there. Those of an expression are some that it matches;
// whether another expression matches them says nothing about the rest.
func (t *route) samplePaths() []string {
	switch t.kind {
	case routePath:
		return []string{t.text}
	case routePrefix:
		return []string{t.text, t.text + fresh}
	case routeSegments:
		return []string{t.text, t.text + "/" + fresh}
	}
	var paths []string
	if tree, err := syntax.Parse(t.text, syntax.Perl); err == nil {
		for _, s := range regex.Samples(tree) {
			if t.covers("", s) && strings.HasPrefix(s, "/") {
				paths = append(paths, s)
			}
		}
	}
	if len(paths) == 0 {
		paths = []string{"/" + fresh}
	}
	return paths
}

// String returns the field of policy files that says what the route covers.
func (k routeKind) String() string {
	return [...]string{"route_name", "path", "prefix", "path_separated_prefix", "regex"}[k]
}
