package envoy

// Tested by policy/convert/golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
)

// The codes of what is lost of routes.
const (
	codeRouteMatch  = "route-match" // routes told apart by more than their path
	codePathMatch   = "path-match"  // a path that a policy file cannot say
	codeClusters    = "weighted-clusters"
	codeRouteFinder = "route-matcher" // routes that a matching tree finds
)

// An Route is a route as Envoy has it: which requests it takes, and what is granted there.
type Route struct {
	Match   build.Match // of the path; kind "": every path
	Partly  string      // what else a request has to have, for people; empty: nothing
	Unsaid  bool        // match covers more than the route
	answers bool        // Envoy answers itself: a redirect or a direct response
	build.Place
}

// readMatch reads which requests a route takes. ok: a browser can send one.
func (r *Reader) readMatch(m envoyMap) (route Route, ok bool, err error) {
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
	route.At = m.position()
	fold := rm.GetCaseSensitive() != nil && !rm.GetCaseSensitive().GetValue()
	switch v := rm.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		route.Match, ok = PrefixMatch(v.Prefix, fold)
	case *routev3.RouteMatch_Path:
		route.Match, ok = PathMatch(v.Path, fold)
	case *routev3.RouteMatch_PathSeparatedPrefix:
		route.Match, ok = segmentsMatch(v.PathSeparatedPrefix, fold)
	case *routev3.RouteMatch_SafeRegex:
		s := v.SafeRegex.GetRegex()
		if _, err := syntax.Parse(s, syntax.Perl); err != nil {
			if err := m.file.checkExpression(c.at, s); err != nil {
				return route, false, err
			}
			route.Match, route.Unsaid, ok = build.EveryPath, true, true
			break
		}
		route.Match, ok = RegexMatch(s), true
	case *routev3.RouteMatch_ConnectMatcher_:
		return route, false, nil // no page sends CONNECT
	default: // a template: what stands before its first variable is a prefix
		route.Match, route.Unsaid, ok = build.EveryPath, true, true
		template, err := templateOf(c)
		if err != nil {
			return route, false, err
		}
		if i := strings.IndexAny(template, "{*"); i > 0 {
			route.Match, ok = PrefixMatch(template[:i], fold)
		}
	}
	route.Partly = conditions(rm)
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
	return strings.Join(build.Once(list, false), ", ")
}

// A path begins with a slash and has neither query nor fragment when Envoy compares it.
func canBePath(s string) bool { return strings.HasPrefix(s, "/") && !strings.ContainsAny(s, "?#") }

func PrefixMatch(s string, fold bool) (build.Match, bool) {
	switch {
	case s == "" || s == "/":
		return build.EveryPath, true
	case !canBePath(s):
		return build.Match{}, false
	case fold:
		return build.Match{Kind: build.MatchRegex, Text: "(?i)" + regexp.QuoteMeta(s) + ".*"}, true
	}
	return build.Match{Kind: build.MatchPrefix, Text: s}, true
}

func PathMatch(s string, fold bool) (build.Match, bool) {
	switch {
	case !canBePath(s):
		return build.Match{}, false
	case fold:
		return build.Match{Kind: build.MatchRegex, Text: "(?i)" + regexp.QuoteMeta(s)}, true
	}
	return build.Match{Kind: build.MatchPath, Text: s}, true
}

func segmentsMatch(s string, fold bool) (build.Match, bool) {
	switch {
	case !canBePath(s):
		return build.Match{}, false
	case fold || strings.HasSuffix(s, "/"):
		return build.Match{Kind: build.MatchRegex, Text: folded(regexp.QuoteMeta(s)+"(/.*)?", fold)}, true
	}
	return build.Match{Kind: build.MatchSegments, Text: s}, true
}

func RegexMatch(s string) build.Match {
	switch strings.TrimSuffix(strings.TrimPrefix(s, "^"), "$") {
	case ".*", ".+", "/.*":
		return build.EveryPath
	}
	return build.Match{Kind: build.MatchRegex, Text: s}
}

// maxOverlays bounds the work on routes that look at more than the path: each is held against all behind it.
const maxOverlays = 4_000_000

// PlacesOf turns routes into those of a policy file, which look at the path alone.
func (r *Reader) PlacesOf(routes []Route) (list []*build.Route) {
	conditional := 0
	for _, from := range routes {
		if from.partial() {
			conditional++
		}
	}
	if conditional*len(routes) > maxOverlays {
		return []*build.Route{r.leastOf(routes)}
	}
	// From the last to the first: what stands behind a route is known then.
	var whole []*build.Route // those before list, the other way round: to put each in front would take the square of their number
	join := func() {
		slices.Reverse(whole)
		list, whole = append(whole, list...), nil
	}
	for i := len(routes) - 1; i >= 0; i-- {
		if from := routes[i]; from.partial() {
			join()
			list = r.overlay(from, list)
		} else {
			whole = append(whole, &build.Route{Match: from.Match, Place: from.Place})
		}
	}
	join()
	return list
}

// partial reports whether a route takes only some of the requests to the paths of its match.
func (r *Route) partial() bool { return r.Partly != "" || r.Unsaid }

// overlay lays a route that takes some of the requests to its paths over those behind it: at its paths they grant no more
// than it does either. Where all of them grant the same, nothing is lost.
func (r *Reader) overlay(from Route, list []*build.Route) (laid []*build.Route) {
	less := func(m build.Match, behind build.Place) (*build.Route, bool) {
		p, same := build.Meet(from.Place, behind)
		if same {
			return nil, false
		}
		p.Notes = build.Notes{Texts: append(slices.Clone(behind.Notes.Texts), from.Notes.Texts...)}
		if from.Unsaid {
			r.B.Warn(&p.Notes, from.At, codePathMatch, "match", "a policy file cannot say which paths a route covers: here they get what both it and the routes behind it grant; give it a path, a prefix or an expression")
		} else {
			r.B.Warn(&p.Notes, from.At, codeRouteMatch, "match", fmt.Sprintf("a route is told apart by %s, at which a policy file does not look: here its paths get what both it and the routes behind it grant; "+
				"give it paths of its own, or the same CORS", from.Partly))
		}
		return &build.Route{Match: m, Place: p}, true
	}
	for i, behind := range list {
		switch {
		case !behind.Match.Meets(from.Match):
			laid = append(laid, behind)
		case behind.Match.Covers(from.Match): // nothing behind that one gets a request to these paths
			if l, ok := less(from.Match, behind.Place); ok {
				laid = append(laid, l)
			}
			return append(laid, list[i:]...)
		default:
			if l, ok := less(behind.Match, behind.Place); ok {
				behind = l
			}
			laid = append(laid, behind)
		}
	}
	if l, ok := less(from.Match, build.Place{At: from.At}); ok { // there may be no route at all
		laid = append(laid, l)
	}
	return laid
}

// leastOf returns one route for all of too many: it grants what all of them grant.
func (r *Reader) leastOf(routes []Route) *build.Route {
	p := routes[0].Place
	for _, from := range routes[1:] {
		p, _ = build.Meet(p, from.Place)
	}
	p.Notes = build.Notes{}
	r.B.Warn(&p.Notes, routes[0].At, codeRouteMatch, "routes", fmt.Sprintf("%d routes are told apart by more than their paths, which are too many to be held against each other: here everybody gets what all of them grant", len(routes)))
	return &build.Route{Match: build.EveryPath, Place: p}
}

// All reports whether a route takes every request.
func (r *Route) All() bool { return r.Match == build.EveryPath && !r.partial() }
