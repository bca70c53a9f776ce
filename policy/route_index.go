package policy

import (
	"math"

	"github.com/corsproc/corsproc/policy/internal/match"
)

// A routeIndex finds the first route of a virtual host that covers a request, for virtual hosts with so many routes that
// trying one after the other costs more than a look-up for each length that the text of a prefix has. Routes with an
// expression or with a star in their name are still tried, as far as they stand before what is found otherwise.
type routeIndex struct {
	match.Index
	longest int   // the length of the longest path
	lens    []int // of prefixes and of path_separated_prefixes, longest first
	tried   []int // the routes that are in no other part
}

// manyRoutes is from how many routes on a virtual host has an index.
const manyRoutes = 16

// indexRoutes returns the index of many routes, and nil for few.
func indexRoutes(routes []route) *routeIndex {
	if len(routes) < manyRoutes {
		return nil
	}
	x := &routeIndex{}
	text := 0
	for i := range routes {
		text += len(routes[i].text)
	}
	x.Reserve(len(routes), text)
	for i := range routes {
		if t := &routes[i]; t.kind == routeRegex || t.kind == routeName && match.IsGlob(t.text) {
			x.tried = append(x.tried, i)
		} else {
			x.addText(t, i)
		}
	}
	return x
}

// addText adds a route that has neither an expression nor a star in its name.
func (x *routeIndex) addText(t *route, i int) {
	switch t.kind {
	case routePrefix, routeSegments:
		match.AddLength(&x.lens, len(t.text))
	case routePath:
		x.longest = max(x.longest, len(t.text))
	}
	x.Add(uint64(t.kind), t.text, uint64(i+1)) // the first of two that are the same stays
}

// find is virtualHost.route.
func (x *routeIndex) find(routes []route, name, path string) int {
	best := math.MaxInt
	at := func(kind routeKind, text string) {
		if i := int(x.Index.Find(uint64(kind), text)); i > 0 {
			best = min(best, i-1)
		}
	}
	if name != "" {
		at(routeName, name)
	}
	if len(path) <= x.longest {
		at(routePath, path)
	}
	for _, n := range x.lens {
		if n > len(path) {
			continue
		}
		at(routePrefix, path[:n])
		if n == len(path) || path[n] == '/' {
			at(routeSegments, path[:n])
		}
	}
	for _, i := range x.tried {
		if i > best {
			break
		}
		if routes[i].covers(name, path) {
			return i
		}
	}
	if best == math.MaxInt {
		return -1
	}
	return best
}
