package convert

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/corsproc/corsproc/policy/printable"
)

// The codes of what is lost of routes.
const (
	codeRouteMatch  = "route-match" // routes told apart by more than their path
	codePathMatch   = "path-match"  // a path that a policy file cannot say
	codeClusters    = "weighted-clusters"
	codeRouteFinder = "route-matcher" // routes that a matching tree finds
	codeTLS         = "require-tls"
)

// An envoyRoute is a route as Envoy has it: which requests it takes, and what is granted there.
type envoyRoute struct {
	match   match  // of the path; kind "": every path
	partly  string // what else a request has to have, for people; empty: nothing
	unsaid  bool   // match covers more than the route
	answers bool   // Envoy answers itself: a redirect or a direct response
	place
	note *notes // of the place
}

// everyPath covers what "/" begins, which is every path.
var everyPath = match{matchPrefix, "/"}

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
			e := err.(*syntax.Error)
			if e.Code != syntax.ErrLarge && e.Code != syntax.ErrNestingDepth && !strings.Contains(s, `\C`) {
				return route, false, m.file.fault(c.at, "Envoy refuses this: the expression %s: %s", printable.Cut(strconv.Quote(s)), e.Code)
			}
			route.match, route.unsaid, ok = everyPath, true, true
			break
		}
		route.match, ok = regexMatch(s), true
	case *routev3.RouteMatch_ConnectMatcher_:
		return route, false, nil // no page sends CONNECT
	default: // a template
		route.match, route.unsaid, ok = everyPath, true, true
	}
	route.partly = conditions(rm)
	return route, ok, nil
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

// covers reports whether every path of n is one of m, as far as that can be told from their texts.
func (m match) covers(n match) bool {
	if m == n || m == everyPath {
		return true
	}
	below := n.kind == matchPath || n.kind == matchPrefix || n.kind == matchSegments
	switch m.kind {
	case matchPrefix:
		return below && strings.HasPrefix(n.text, m.text)
	case matchSegments:
		return (n.kind == matchPath || n.kind == matchSegments) && (n.text == m.text || strings.HasPrefix(n.text, m.text+"/")) ||
			n.kind == matchPrefix && strings.HasPrefix(n.text, m.text+"/")
	}
	return false
}

// meets reports whether a path may be one of both.
func (m match) meets(n match) bool {
	if m.kind == matchRegex || n.kind == matchRegex {
		return true
	}
	if m.covers(n) || n.covers(m) {
		return true
	}
	// Of a plain prefix and one by segments, each may be the longer one.
	if m.kind == matchPath && n.kind == matchPath {
		return false
	}
	return m.kind != matchPath && strings.HasPrefix(n.text, m.text) || n.kind != matchPath && strings.HasPrefix(m.text, n.text)
}

// placesOf turns routes into those of a policy file, which look at the path alone. A route that looks at more, or whose path
// a policy file cannot say, grants what all routes grant that can get the request in its place.
func (r *envoyReader) placesOf(routes []envoyRoute) (list []*route) {
	for i, from := range routes {
		if from.partly == "" && !from.unsaid {
			list = append(list, &route{match: from.match, place: from.place})
			continue
		}
		p, same := from.place, true
		done := false
		for _, other := range routes[i+1:] {
			if !other.match.meets(from.match) {
				continue
			}
			var alike bool
			p, alike = meet(p, other.place)
			same = same && alike
			if other.partly == "" && !other.unsaid && other.match.covers(from.match) {
				done = true
				break
			}
		}
		if !done { // there may be no route at all
			var alike bool
			p, alike = meet(p, place{at: from.at})
			same = same && alike
		}
		if same {
			continue // the routes behind it grant the same
		}
		p.notes = notes{texts: append([]string(nil), from.notes.texts...)}
		if from.unsaid {
			r.b.warn(&p.notes, from.at, codePathMatch, "match", "a policy file cannot say which paths this route covers: here it grants what the routes behind it grant, too; give it a path, a prefix or an expression")
		} else {
			r.b.warn(&p.notes, from.at, codeRouteMatch, "match", fmt.Sprintf("this route is told apart by %s, at which a policy file does not look: here its paths get what the routes behind it grant, too; "+
				"give the two routes paths of their own, or the same CORS", from.partly))
		}
		list = append(list, &route{match: from.match, place: p})
	}
	return list
}
