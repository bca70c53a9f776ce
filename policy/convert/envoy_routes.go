package convert

// Tested by golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// The codes of what is lost of routes.
const (
	codeRouteMatch  = "route-match" // routes told apart by more than their path
	codePathMatch   = "path-match"  // a path that a policy file cannot say
	codeClusters    = "weighted-clusters"
	codeRouteFinder = "route-matcher" // routes that a matching tree finds
)

// An envoyRoute is a route as Envoy has it: which requests it takes, and what is granted there.
type envoyRoute struct {
	match   match  // of the path; kind "": every path
	partly  string // what else a request has to have, for people; empty: nothing
	unsaid  bool   // match covers more than the route
	answers bool   // Envoy answers itself: a redirect or a direct response
	place
}

// readMatch reads which requests a route takes. ok: a browser can send one.
func (r *envoyReader) readMatch(m envoyMap) (route envoyRoute, ok bool, err error) {
	c, there, err := m.child("match")
	if err != nil {
		return route, false, err
	}
	if !there {
		return route, false, m.file.fault(m.at, "Envoy refuses this: a route has no match")
	}
	rm := &routev3.RouteMatch{}
	if err := c.decode(rm.ProtoReflect()); err != nil {
		return route, false, err
	}
	route.at = m.position()
	fold := rm.GetCaseSensitive() != nil && !rm.GetCaseSensitive().GetValue()
	switch v := rm.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		route.match, ok = prefixMatch(v.Prefix, fold)
	case *routev3.RouteMatch_Path:
		route.match, ok = pathMatch(v.Path, fold)
	case *routev3.RouteMatch_PathSeparatedPrefix:
		route.match, ok = segmentsMatch(v.PathSeparatedPrefix, fold)
	case *routev3.RouteMatch_SafeRegex:
		s := v.SafeRegex.GetRegex()
		if _, err := syntax.Parse(s, syntax.Perl); err != nil {
			if err := m.file.checkExpression(c.at, s); err != nil {
				return route, false, err
			}
			route.match, route.unsaid, ok = everyPath, true, true
			break
		}
		route.match, ok = regexMatch(s), true
	case *routev3.RouteMatch_ConnectMatcher_:
		return route, false, nil // no page sends CONNECT
	default: // a template: what stands before its first variable is a prefix
		route.match, route.unsaid, ok = everyPath, true, true
		template, err := templateOf(c)
		if err != nil {
			return route, false, err
		}
		if i := strings.IndexAny(template, "{*"); i > 0 {
			route.match, ok = prefixMatch(template[:i], fold)
		}
	}
	route.partly = conditions(rm)
	return route, ok, nil
}

// templateOf returns the template of a path, in the one extension that Envoy has for that; empty: it is another one.
func templateOf(m envoyMap) (string, error) {
	policy, ok, err := m.child("path_match_policy")
	if !ok {
		return "", err
	}
	n, err := policy.get("typed_config")
	if n == nil || err != nil {
		return "", err
	}
	_, config, err := m.file.packed(n)
	if err != nil {
		return "", err
	}
	return config.text("path_template")
}

// conditions says what a route looks at beside the path.
func conditions(rm *routev3.RouteMatch) string {
	var list []string
	for _, h := range rm.GetHeaders() {
		if h.GetName() == ":method" {
			list = append(list, "method")
		} else {
			list = append(list, "header")
		}
	}
	for _, c := range []struct {
		there bool
		what  string
	}{
		{len(rm.GetQueryParameters()) > 0, "query"}, {len(rm.GetCookies()) > 0, "cookie"}, {rm.GetGrpc() != nil, "grpc"}, {rm.GetTlsContext() != nil, "tls_context"},
		{len(rm.GetDynamicMetadata()) > 0, "dynamic_metadata"}, {len(rm.GetFilterState()) > 0, "filter_state"}, {rm.GetRuntimeFraction() != nil, "runtime_fraction"},
	} {
		if c.there {
			list = append(list, c.what)
		}
	}
	return strings.Join(once(list, false), ", ")
}

// A path begins with a slash and has neither query nor fragment when Envoy compares it.
func canBePath(s string) bool { return strings.HasPrefix(s, "/") && !strings.ContainsAny(s, "?#") }

func prefixMatch(s string, fold bool) (match, bool) {
	switch {
	case s == "" || s == "/":
		return everyPath, true
	case !canBePath(s):
		return match{}, false
	case fold:
		return match{matchRegex, "(?i)" + regexp.QuoteMeta(s) + ".*"}, true
	}
	return match{matchPrefix, s}, true
}

func pathMatch(s string, fold bool) (match, bool) {
	switch {
	case !canBePath(s):
		return match{}, false
	case fold:
		return match{matchRegex, "(?i)" + regexp.QuoteMeta(s)}, true
	}
	return match{matchPath, s}, true
}

func segmentsMatch(s string, fold bool) (match, bool) {
	switch {
	case !canBePath(s):
		return match{}, false
	case fold || strings.HasSuffix(s, "/"):
		return match{matchRegex, folded(regexp.QuoteMeta(s)+"(/.*)?", fold)}, true
	}
	return match{matchSegments, s}, true
}

func regexMatch(s string) match {
	switch strings.TrimSuffix(strings.TrimPrefix(s, "^"), "$") {
	case ".*", ".+", "/.*":
		return everyPath
	}
	return match{matchRegex, s}
}

// maxOverlays bounds the work on routes that look at more than the path: each is held against all behind it.
const maxOverlays = 4_000_000

// placesOf turns routes into those of a policy file, which look at the path alone.
func (r *envoyReader) placesOf(routes []envoyRoute) (list []*route) {
	conditional := 0
	for _, from := range routes {
		if from.partial() {
			conditional++
		}
	}
	if conditional*len(routes) > maxOverlays {
		return []*route{r.leastOf(routes)}
	}
	// From the last to the first: what stands behind a route is known then.
	var whole []*route // those before list, the other way round: to put each in front would take the square of their number
	join := func() {
		slices.Reverse(whole)
		list, whole = append(whole, list...), nil
	}
	for i := len(routes) - 1; i >= 0; i-- {
		if from := routes[i]; from.partial() {
			join()
			list = r.overlay(from, list)
		} else {
			whole = append(whole, &route{match: from.match, place: from.place})
		}
	}
	join()
	return list
}

// partial reports whether a route takes only some of the requests to the paths of its match.
func (r *envoyRoute) partial() bool { return r.partly != "" || r.unsaid }

// overlay lays a route that takes some of the requests to its paths over those behind it: at its paths they grant no more
// than it does either. Where all of them grant the same, nothing is lost.
func (r *envoyReader) overlay(from envoyRoute, list []*route) (laid []*route) {
	less := func(m match, behind place) (*route, bool) {
		p, same := meet(from.place, behind)
		if same {
			return nil, false
		}
		p.notes = notes{texts: append(slices.Clone(behind.notes.texts), from.notes.texts...)}
		if from.unsaid {
			r.b.warn(&p.notes, from.at, codePathMatch, "match", "a policy file cannot say which paths a route covers: here they get what both it and the routes behind it grant; give it a path, a prefix or an expression")
		} else {
			r.b.warn(&p.notes, from.at, codeRouteMatch, "match", fmt.Sprintf("a route is told apart by %s, at which a policy file does not look: here its paths get what both it and the routes behind it grant; "+
				"give it paths of its own, or the same CORS", from.partly))
		}
		return &route{match: m, place: p}, true
	}
	for i, behind := range list {
		switch {
		case !behind.match.meets(from.match):
			laid = append(laid, behind)
		case behind.match.covers(from.match): // nothing behind that one gets a request to these paths
			if l, ok := less(from.match, behind.place); ok {
				laid = append(laid, l)
			}
			return append(laid, list[i:]...)
		default:
			if l, ok := less(behind.match, behind.place); ok {
				behind = l
			}
			laid = append(laid, behind)
		}
	}
	if l, ok := less(from.match, place{at: from.at}); ok { // there may be no route at all
		laid = append(laid, l)
	}
	return laid
}

// leastOf returns one route for all of too many: it grants what all of them grant.
func (r *envoyReader) leastOf(routes []envoyRoute) *route {
	p := routes[0].place
	for _, from := range routes[1:] {
		p, _ = meet(p, from.place)
	}
	p.notes = notes{}
	r.b.warn(&p.notes, routes[0].at, codeRouteMatch, "routes", fmt.Sprintf("%d routes are told apart by more than their paths, which are too many to be held against each other: here everybody gets what all of them grant", len(routes)))
	return &route{match: everyPath, place: p}
}

// all reports whether a route takes every request.
func (r *envoyRoute) all() bool { return r.match == everyPath && !r.partial() }

// tightenAll makes all routes of a host grant what all of them grant: they are too many to be held against each other.
func (r *istioReader) tightenAll(out *host, services []*istioVS, lists [][]envoyRoute) {
	var least *place
	for _, list := range lists {
		for i := range list {
			if p := list[i].place; least == nil {
				least = &p
			} else {
				least.tighten(p)
			}
		}
	}
	for _, list := range lists {
		for i := range list {
			list[i].place.tighten(*least)
		}
	}
	r.b.warn(&out.notes, out.at, codeOrder, "hosts", fmt.Sprintf("%d VirtualServices share this host, the files do not say which one is the oldest, and their routes are too many to be held against each other: here all of them have to grant it; import kubectl get -o yaml, which says it", len(services)))
}
