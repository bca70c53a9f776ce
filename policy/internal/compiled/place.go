package compiled

// Tested by policy/cases_test.go and policy/naive_paths_test.go.

import (
	"regexp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/match"
)

// A Place is where policies hold: default, a virtual host, or a route in one. It holds what is in force there, inherited
// or not.
type Place struct {
	Active     *List
	Candidates *List // nil: the place has none
	ListRule   Rule  // where policies stands
	Refuse     bool  // unmatched_preflights: REFUSE
	Reject     Reject
	Timing     string // the value of Timing-Allow-Origin; empty: unset
}

// Reject says which requests of pages that are not allowed are stopped. Each value includes the ones before it.
type Reject uint8

const (
	RejectNever Reject = iota
	RejectWebSockets
	RejectUnsafeMethods
	RejectAlways
)

// String returns the value as policy files write it.
func (j Reject) String() string {
	return [...]string{"NEVER", "WEBSOCKETS", "UNSAFE_METHODS", "ALWAYS"}[j]
}

// A VirtualHost is one of Set.hosts. The first of them is default.
type VirtualHost struct {
	Label    string // by which metrics and messages call it
	Source   int32  // in Set.sources; -1: default, and no file says anything about it
	Position int32  // in its file's virtual_hosts
	Place
	Routes []Route
	Index  *RouteIndex // of many routes; nil: they are tried one after the other
}

// A Route is a place of a virtual host.
type Route struct {
	Kind    RouteKind
	Text    string
	Pattern *regexp.Regexp // of RouteRegex
	Place
}

type RouteKind uint8

const (
	RouteName RouteKind = iota
	RoutePath
	RoutePrefix
	RouteSegments // path_separated_prefix
	RouteRegex
)

// String returns the field of policy files that says what the route covers.
func (k RouteKind) String() string {
	return [...]string{"route_name", "path", "prefix", "path_separated_prefix", "regex"}[k]
}

// Says reports whether two routes cover the same, as far as that can be read.
func (t *Route) Says(o *Route) bool { return t.Kind == o.Kind && t.Text == o.Text }

// Covers reports whether a path, without query and fragment, belongs to the route (Envoy, RouteMatch).
func (t *Route) Covers(name, path string) bool {
	switch t.Kind {
	case RouteName:
		// A route that has no name belongs to no pattern, not even to "*".
		return name != "" && match.GlobMatch(t.Text, name)
	case RoutePath:
		return path == t.Text
	case RoutePrefix:
		return strings.HasPrefix(path, t.Text)
	case RouteSegments:
		return strings.HasPrefix(path, t.Text) && (len(path) == len(t.Text) || path[len(t.Text)] == '/')
	}
	return t.Pattern.MatchString(path)
}

// RouteOf returns the index of the first route that covers a path, or -1 for the virtual host itself.
func (h *VirtualHost) RouteOf(name, path string) int {
	if h.Index != nil {
		return h.Index.Find(h.Routes, name, path)
	}
	for i := range h.Routes {
		if h.Routes[i].Covers(name, path) {
			return i
		}
	}
	return -1
}

// PlaceOf returns the place of a route, or that of the virtual host itself for -1.
func (h *VirtualHost) PlaceOf(route int) *Place {
	if route < 0 {
		return &h.Place
	}
	return &h.Routes[route].Place
}

// Find returns the place of a request in the virtual host as its path was received, and the places to which other
// readings of the path lead, where they are different ones: an upstream may read it that way. Envoy's name for the route
// stands for every reading.
func (h *VirtualHost) Find(route, path string) (p *Place, others []*Place) {
	if len(h.Routes) == 0 {
		return &h.Place, nil
	}
	path, twofold := match.ReadPath(path)
	p = h.PlaceOf(h.RouteOf(route, path))
	if !twofold {
		return p, nil
	}
	for read := range match.OtherReadings(path) {
		if also := h.PlaceOf(h.RouteOf(route, read)); also != p && !slices.Contains(others, also) {
			others = append(others, also)
		}
	}
	return p, others
}

// DecidesAs reports whether two places decide alike: what a path may be read as makes no difference between them.
func (p *Place) DecidesAs(o *Place) bool {
	return p.Active == o.Active && p.Reject == o.Reject && p.Refuse == o.Refuse || p.Active.Passthrough && o.Active.Passthrough
}
