package policy

import (
	"math"
	"regexp/syntax"
	"slices"
	"strings"
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

// routePairs returns the pairs of places to which the requests of a virtual host belong. It tries paths and names of
// routes that stand for all that the routes of both can tell apart.
//
// A request's place is the first route that covers its name or its path. So names and paths are looked up on their own,
// and every combination is told from the two answers.
func routePairs(before, after *virtualHost) []routePair {
	hosts := [2]*virtualHost{before, after}
	names := map[routeMatch][]*route{{noneCovers, noneCovers}: {nil}}
	paths := map[routeMatch][]*route{}
	lookUp := func(found map[routeMatch][]*route, by *route, covers func(*route) bool) {
		m := routeMatch{firstRoute(before, covers), firstRoute(after, covers)}
		found[m] = append(found[m], by)
	}
	lookUp(paths, nil, func(t *route) bool { return t.kind != routeName && t.covers("", "/"+fresh) })
	for _, h := range hosts {
		for i := range h.routes {
			t := &h.routes[i]
			if t.kind == routeName {
				lookUp(names, t, func(o *route) bool { return o.kind == routeName && o.covers(sample(t.text), "") })
				continue
			}
			for _, path := range t.samplePaths() {
				lookUp(paths, t, func(o *route) bool {
					if o.kind == routeRegex && t.kind == routeRegex {
						return o.text == t.text
					}
					return o.kind != routeName && o.covers("", path)
				})
			}
		}
	}

	best := map[[2]int]*ranked{}
	for n, namedBy := range names {
		for p, pathBy := range paths {
			pair := [2]int{min(n.before, p.before), min(n.after, p.after)}
			if best[pair] == nil {
				best[pair] = &ranked{rank: math.MaxInt}
			}
			switch (routeMatch{pair[0], pair[1]}) {
			case n:
				offerLabels(best[pair], hosts, n, namedBy, "")
			case p:
				offerLabels(best[pair], hosts, p, pathBy, "")
			default: // the name decides in one set, the path in the other
				var name ranked
				name.rank = math.MaxInt
				offerLabels(&name, hosts, n, namedBy, "")
				offerLabels(best[pair], hosts, p, pathBy, name.label+" on ")
			}
		}
	}
	var pairs []routePair
	for pair, r := range best {
		p := routePair{before: pair[0], after: pair[1], label: r.label}
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

// firstRoute returns the index of the first route that covers a request.
func firstRoute(h *virtualHost, covers func(*route) bool) int {
	for i := range h.routes {
		if covers(&h.routes[i]) {
			return i
		}
	}
	return noneCovers
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
		for _, s := range samples(tree) {
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
