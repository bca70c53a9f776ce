package compiled

import (
	"math"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/match"
)

// A RouteIndex finds the first route of a virtual host that covers a request, for virtual hosts with so many routes that
// trying one after the other costs more than a look-up for each length that the text of a prefix has. Routes with an
// expression or with a star in their name are still tried, as far as they stand before what is found otherwise.
type RouteIndex struct {
	match.Index
	longest int     // the length of the longest path
	lens    []int   // of prefixes and of path_separated_prefixes, longest first
	tried   []int   // the routes that are in no other part
	sorted  []int32 // those whose text is a path or the beginning of one, in the order of the texts
	regex   int     // the first route with an expression; -1: there is none
}

// manyRoutes is from how many routes on a virtual host has an index.
const manyRoutes = 16

// IndexRoutes returns the index of many routes, and nil for few.
func IndexRoutes(routes []Route) *RouteIndex {
	if len(routes) < manyRoutes {
		return nil
	}
	x := &RouteIndex{regex: slices.IndexFunc(routes, func(t Route) bool { return t.Kind == RouteRegex })}
	text := 0
	for i := range routes {
		text += len(routes[i].Text)
	}
	x.Reserve(len(routes), text)
	for i := range routes {
		if t := &routes[i]; t.Kind == RouteRegex || t.Kind == RouteName && match.IsGlob(t.Text) {
			x.tried = append(x.tried, i)
		} else {
			x.AddText(t, i)
		}
		if routes[i].hasPathText() {
			x.sorted = append(x.sorted, int32(i))
		}
	}
	slices.SortFunc(x.sorted, func(i, j int32) int { return strings.Compare(routes[i].Text, routes[j].Text) })
	return x
}

// AddText adds a route that has neither an expression nor a star in its name.
func (x *RouteIndex) AddText(t *Route, i int) {
	switch t.Kind {
	case RoutePrefix, RouteSegments:
		match.AddLength(&x.lens, len(t.Text))
	case RoutePath:
		x.longest = max(x.longest, len(t.Text))
	}
	x.Add(uint64(t.Kind), t.Text, uint64(i+1)) // the first of two that are the same stays
}

// Find is virtualHost.route.
func (x *RouteIndex) Find(routes []Route, name, path string) int {
	best := math.MaxInt
	at := func(kind RouteKind, text string) {
		if i := int(x.Index.Find(uint64(kind), text)); i > 0 {
			best = min(best, i-1)
		}
	}
	if name != "" {
		at(RouteName, name)
	}
	if len(path) <= x.longest {
		at(RoutePath, path)
	}
	for _, n := range x.lens {
		if n > len(path) {
			continue
		}
		at(RoutePrefix, path[:n])
		if n == len(path) || path[n] == '/' {
			at(RouteSegments, path[:n])
		}
	}
	for _, i := range x.tried {
		if i > best {
			break
		}
		if routes[i].Covers(name, path) {
			return i
		}
	}
	if best == math.MaxInt {
		return -1
	}
	return best
}
