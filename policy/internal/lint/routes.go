package lint

// Tested by lint_test.go and policy/testdata/lints.yaml.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// maxRegexesTried is how many earlier expressions of a virtual host a path is tried on.
const maxRegexesTried = 64

// routesBefore answers which earlier route of a virtual host covers all that a later one could. It holds what was added
// so far, each by what it covers.
type routesBefore struct {
	paths, regexes, names map[string]int // by the whole text
	prefixes, segments    map[string]int
	lens                  []int // the lengths of prefixes' and segments' keys
	globs                 match.Globs
	tried                 []int     // the routes with an expression
	reached               []reached // all of them that go by the path
}

// reached is a route, and which paths it covers.
type reached struct {
	route int
	regex.PathReach
}

// lintRoutes finds routes of virtual host j of source i that no request can reach.
func (l *Linter) lintRoutes(i, j int, m *corsprocv1.VirtualHost, h *compiled.VirtualHost) {
	at := func(route int) finding.Location {
		field, _ := matcher(m.GetRoutes()[route])
		return l.In(int32(i), compile.Position{Host: j, Route: route}.Path()).Field(field)
	}
	var before routesBefore
	for i := range h.Routes {
		t := &h.Routes[i]
		if _, ok := matcher(m.GetRoutes()[i]); !ok || t.Kind == compiled.RouteRegex && t.Pattern == nil || isPathKind(t.Kind) && !strings.HasPrefix(t.Text, "/") {
			continue // there is an error about it
		}
		r := reach(t)
		first, behind := before.covering(h, t, r)
		message := "no request gets here: an earlier route takes all of them, and the first that matches is the place"
		if worthwhile := t.Kind != compiled.RoutePrefix || len(before.tried) > 0; worthwhile && !behind && !r.Nothing {
			how, by, alone := coveredBefore(&l.inclusion, h, before.reached, t, r)
			if first, behind = by, how == regex.ExtentCovered; !alone {
				message = "no request gets here: earlier routes together take all of them, and the first that matches is the place"
			}
			r.Nothing = how == regex.ExtentNothing && t.Kind == compiled.RouteRegex
		}
		switch {
		case behind:
			related := at(first)
			l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(i), Value: t.Text,
				Message: message, Related: &related})
			continue // what it covers is covered by earlier ones
		case r.Nothing && t.Kind == compiled.RouteRegex && r.Prefix[0] == '/':
			l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(i), Value: t.Text,
				Message: "no request gets here: no path is like this; it has no query, no fragment and no blanks"})
		case r.Nothing:
			l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(i), Value: t.Text,
				Message: "no request gets here: every path begins with a slash"})
		default:
			l.lintPath(func() finding.Location { return at(i) }, h, i)
		}
		before.add(i, t, r)
	}
}

// matcher returns the one field of a route that says what it covers.
func matcher(r *corsprocv1.Route) (field string, ok bool) {
	n := 0
	for _, f := range [...]struct{ name, value string }{
		{"route_name", r.GetRouteName()}, {"path", r.GetPath()}, {"prefix", r.GetPrefix()},
		{"path_separated_prefix", r.GetPathSeparatedPrefix()}, {"regex", r.GetRegex()},
	} {
		if f.value != "" {
			field = f.name
			n++
		}
	}
	return field, n == 1
}

func isPathKind(k compiled.RouteKind) bool {
	return k == compiled.RoutePath || k == compiled.RoutePrefix || k == compiled.RouteSegments
}

// reach returns which paths a route covers.
func reach(t *compiled.Route) regex.PathReach {
	switch t.Kind {
	case compiled.RoutePath, compiled.RouteSegments:
		return regex.PathReach{Prefix: t.Text}
	case compiled.RoutePrefix:
		return regex.PathReach{Prefix: t.Text, All: true}
	case compiled.RouteRegex:
		return regex.ReachOf(t.Text)
	}
	return regex.PathReach{}
}

func (b *routesBefore) add(i int, t *compiled.Route, r regex.PathReach) {
	put := func(m *map[string]int, key string) {
		if *m == nil {
			*m = map[string]int{}
		}
		if _, ok := (*m)[key]; !ok {
			(*m)[key] = i
		}
	}
	if t.Kind != compiled.RouteName && !r.Nothing {
		b.reached = append(b.reached, reached{i, r})
	}
	switch {
	case t.Kind == compiled.RouteName && match.IsGlob(t.Text):
		b.globs.Add(t.Text, i)
	case t.Kind == compiled.RouteName:
		put(&b.names, t.Text)
	case r.Nothing:
	case r.All:
		put(&b.prefixes, r.Prefix)
		b.addLength(len(r.Prefix))
	case t.Kind == compiled.RouteSegments:
		put(&b.segments, t.Text)
		b.addLength(len(t.Text))
	case t.Kind == compiled.RoutePath:
		put(&b.paths, t.Text)
	case t.Kind == compiled.RouteRegex:
		put(&b.regexes, t.Text)
		if len(b.tried) < maxRegexesTried {
			b.tried = append(b.tried, i)
		}
	}
}

func (b *routesBefore) addLength(n int) {
	if i, found := slices.BinarySearch(b.lens, n); !found {
		b.lens = slices.Insert(b.lens, i, n)
	}
}

// covering returns an earlier route that covers every request that t could cover.
func (b *routesBefore) covering(h *compiled.VirtualHost, t *compiled.Route, r regex.PathReach) (first int, ok bool) {
	if i, ok := b.prefixes["/"]; ok {
		return i, true
	}
	if t.Kind == compiled.RouteName {
		if i, ok := b.names[t.Text]; ok {
			return i, true
		}
		// As for virtual hosts: a pattern that matches the text of another one covers it.
		return b.globs.Find(t.Text)
	}
	for _, n := range b.lens {
		if n > len(r.Prefix) {
			break
		}
		if i, ok := b.prefixes[r.Prefix[:n]]; ok {
			return i, true
		}
		i, ok := b.segments[r.Prefix[:n]]
		if ok && (n < len(r.Prefix) && r.Prefix[n] == '/' || n == len(r.Prefix) && (t.Kind == compiled.RoutePath || t.Kind == compiled.RouteSegments)) {
			return i, true
		}
	}
	switch t.Kind {
	case compiled.RoutePath:
		if i, ok := b.paths[t.Text]; ok {
			return i, true
		}
		for _, i := range b.tried {
			if h.Routes[i].Pattern.MatchString(t.Text) {
				return i, true
			}
		}
	case compiled.RouteRegex:
		i, ok := b.regexes[t.Text]
		return i, ok
	}
	return 0, false
}
