package diff

// Tested by policy/diff_test.go, policy/testdata/diff.yaml and policy/diff_random_test.go.

import (
	"math"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
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
type foundRoutes map[routeMatch][]*compiled.Route

// routePairs returns the pairs of places to which the requests of a virtual host belong. It tries paths and names of
// routes that stand for all that the routes of both can tell apart.
//
// A request's place is the first route that covers its name or its path. So names and paths are looked up on their own,
// and every combination that makes a difference is told from the two answers (combine.go).
func routePairs(before, after *compiled.VirtualHost) []routePair {
	hosts := [2]*compiled.VirtualHost{before, after}
	lookUps := [2]*routeLookUp{newRouteLookUp(before), newRouteLookUp(after)}
	names, paths := foundRoutes{{noneCovers, noneCovers}: {nil}}, foundRoutes{}
	note := func(found foundRoutes, by *compiled.Route, covering func(*routeLookUp) int) {
		m := routeMatch{covering(lookUps[0]), covering(lookUps[1])}
		found[m] = append(found[m], by)
	}
	note(paths, nil, func(l *routeLookUp) int { return l.path("/" + fresh) })
	for _, h := range hosts {
		for i := range h.Routes {
			t := &h.Routes[i]
			if t.Kind == compiled.RouteName {
				note(names, t, func(l *routeLookUp) int { return l.name(sample(t.Text)) })
				continue
			}
			for _, path := range samplePaths(t) {
				note(paths, t, func(l *routeLookUp) int {
					if t.Kind == compiled.RouteRegex {
						return l.pathOf(t.Text, path)
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
func offerLabels(r *ranked, hosts [2]*compiled.VirtualHost, found routeMatch, by []*compiled.Route, with string) {
	for _, t := range by {
		rank, label := labelRank(2), with
		if t != nil {
			label += t.Kind.String() + " " + t.Text
		}
		switch {
		case t == nil && found == (routeMatch{noneCovers, noneCovers}):
			rank = 0
		case t == nil:
			rank = 3
		case found.after != noneCovers && hosts[1].Routes[found.after].Says(t):
			rank = 0
		case found.before != noneCovers && hosts[0].Routes[found.before].Says(t):
			rank = 1
		}
		if with != "" {
			rank += 4 // rather by one of them alone
		}
		r.offer(rank, label)
	}
}

// samplePaths returns paths that stand for all that the route covers and no longer path of another route does. With
// those of every route they reach every place: what covers a path is decided by the longest text of a route that the
// path begins with, and by what follows only where the path ends there. Those of an expression are some that it matches;
// whether another expression matches them says nothing about the rest.
func samplePaths(t *compiled.Route) []string {
	switch t.Kind {
	case compiled.RoutePath:
		return []string{t.Text}
	case compiled.RoutePrefix:
		return []string{t.Text, t.Text + fresh}
	case compiled.RouteSegments:
		return []string{t.Text, t.Text + "/" + fresh}
	}
	paths := regex.SamplePaths(t.Text, t.Pattern)
	if len(paths) == 0 {
		paths = []string{"/" + fresh}
	}
	return paths
}
