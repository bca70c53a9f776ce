package compiled

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/match"
)

// PathScope returns how much of a path decides which route covers it: every path that begins with the first n bytes of this
// one, and has nothing that servers read in more than one way, finds what this one finds under the same name of a route. n
// is 0 where no path decides. ok is false where only the same path is sure to find the same.
//
// No route's text goes on where the n bytes end. So each is either contained in them, and covers all such paths or none of
// them, or says something else within them, and covers none.
func (h *VirtualHost) PathScope(route, path string) (n int, ok bool) {
	path, twofold := match.ReadPath(path)
	longest, some := h.longestCommon(path)
	regex := h.firstRegex()
	switch {
	case !some && regex < 0:
		return 0, true
	case twofold || longest == len(path):
		return 0, false
	case regex >= 0:
		// An expression may read all of a path. It does not count behind the route that covers this one anyway.
		if found := h.RouteOf(route, path); found < 0 || found >= regex {
			return 0, false
		}
	}
	return longest + 1, true
}

// longestCommon returns how many bytes a path has in common with the text of the route that it has most in common with. Names
// and expressions are no such texts.
func (h *VirtualHost) longestCommon(path string) (longest int, some bool) {
	if h.Index != nil {
		return h.Index.longestCommon(h.Routes, path)
	}
	for i := range h.Routes {
		if h.Routes[i].hasPathText() {
			longest, some = max(longest, common(h.Routes[i].Text, path)), true
		}
	}
	return longest, some
}

// longestCommon is virtualHost.longestCommon: of texts in their order, one of the two between which a path stands.
func (x *RouteIndex) longestCommon(routes []Route, path string) (longest int, some bool) {
	at, _ := slices.BinarySearchFunc(x.sorted, path, func(i int32, path string) int {
		return strings.Compare(routes[i].Text, path)
	})
	for _, i := range x.sorted[max(at-1, 0):min(at+1, len(x.sorted))] {
		longest = max(longest, common(routes[i].Text, path))
	}
	return longest, len(x.sorted) > 0
}

// firstRegex returns the index of the first route with an expression; -1: there is none.
func (h *VirtualHost) firstRegex() int {
	if h.Index != nil {
		return h.Index.regex
	}
	for i := range h.Routes {
		if h.Routes[i].Kind == RouteRegex {
			return i
		}
	}
	return -1
}

// hasPathText reports whether the route's text is a path, or the beginning of one.
func (t *Route) hasPathText() bool { return t.Kind != RouteName && t.Kind != RouteRegex }

// common returns how many bytes the beginnings of two texts have in common.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
