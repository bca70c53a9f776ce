package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
)

// A place is where policies hold: default, a virtual host, or a route in one. It holds what is in force there, inherited
// or not.
type place struct {
	policies   *list
	candidates *list // nil: the place has none
	listRule   Rule  // where policies stands
	refuse     bool  // unmatched_preflights: REFUSE
	reject     reject
	timing     string // the value of Timing-Allow-Origin; empty: unset
}

// reject says which requests of pages that are not allowed are stopped. Each value includes the ones before it.
type reject uint8

const (
	rejectNever reject = iota
	rejectWebSockets
	rejectUnsafeMethods
	rejectAlways
)

// stops reports whether a cross-origin request of a page that is not allowed is stopped.
func (j reject) stops(r *Request) bool {
	switch j {
	case rejectWebSockets:
		return r.OpensWebSocket()
	case rejectUnsafeMethods:
		return r.OpensWebSocket() || !fetch.IsSafeMethod(r.Method)
	case rejectAlways:
		return true
	}
	return false
}

// OpensWebSocket reports whether a request opens a WebSocket: by Upgrade (RFC 6455) or by extended CONNECT (RFC 8441).
func (r *Request) OpensWebSocket() bool {
	return strings.EqualFold(r.Protocol, "websocket") || (r.Upgrade != "" && fetch.ListHas(r.Upgrade, "websocket"))
}

// A virtualHost is one of Set.hosts. The first of them is default.
type virtualHost struct {
	label    string // by which metrics and messages call it
	source   int32  // in Set.sources; -1: default, and no file says anything about it
	position int32  // in its file's virtual_hosts
	place
	routes []route
	index  *routeIndex // of many routes; nil: they are tried one after the other
}

// A route is a place of a virtual host.
type route struct {
	kind    routeKind
	text    string
	pattern *regexp.Regexp // of routeRegex
	place
}

type routeKind uint8

const (
	routeName routeKind = iota
	routePath
	routePrefix
	routeSegments // path_separated_prefix
	routeRegex
)

// covers reports whether a path, without query and fragment, belongs to the route (Envoy, RouteMatch).
func (t *route) covers(name, path string) bool {
	switch t.kind {
	case routeName:
		// A route that has no name belongs to no pattern, not even to "*".
		return name != "" && match.GlobMatch(t.text, name)
	case routePath:
		return path == t.text
	case routePrefix:
		return strings.HasPrefix(path, t.text)
	case routeSegments:
		return strings.HasPrefix(path, t.text) && (len(path) == len(t.text) || path[len(t.text)] == '/')
	}
	return t.pattern.MatchString(path)
}

// route returns the index of the first route that covers a path, or -1 for the virtual host itself.
func (h *virtualHost) route(name, path string) int {
	if h.index != nil {
		return h.index.find(h.routes, name, path)
	}
	for i := range h.routes {
		if h.routes[i].covers(name, path) {
			return i
		}
	}
	return -1
}

// at returns the place of a route, or that of the virtual host itself for -1.
func (h *virtualHost) at(route int) *place {
	if route < 0 {
		return &h.place
	}
	return &h.routes[route].place
}

// find returns the place of a request in the virtual host as its path was received, and the places to which other
// readings of the path lead, where they are different ones: an upstream may read it that way. Envoy's name for the route
// stands for every reading.
func (h *virtualHost) find(r *Request) (p *place, others []*place) {
	if len(h.routes) == 0 {
		return &h.place, nil
	}
	path, twofold := match.ReadPath(r.Path)
	p = h.at(h.route(r.Route, path))
	if !twofold {
		return p, nil
	}
	for read := range match.OtherReadings(path) {
		if also := h.at(h.route(r.Route, read)); also != p && !slices.Contains(others, also) {
			others = append(others, also)
		}
	}
	return p, others
}

// decidesAs reports whether two places decide alike: what a path may be read as makes no difference between them.
func (p *place) decidesAs(o *place) bool {
	return p.policies == o.policies && p.reject == o.reject && p.refuse == o.refuse || p.policies.passthrough && o.policies.passthrough
}
