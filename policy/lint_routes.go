package policy

import (
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
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
	pathReach
}

// lintRoutes finds routes of virtual host j of source i that no request can reach.
func (l *linter) lintRoutes(i, j int, m *corsprocv1.VirtualHost, h *virtualHost) {
	at := func(route int) finding.Location {
		field, _ := matcher(m.GetRoutes()[route])
		return l.in(int32(i), spot{j, route}.path()).Field(field)
	}
	var before routesBefore
	for i := range h.routes {
		t := &h.routes[i]
		if _, ok := matcher(m.GetRoutes()[i]); !ok || t.kind == routeRegex && t.pattern == nil || isPathKind(t.kind) && !strings.HasPrefix(t.text, "/") {
			continue // there is an error about it
		}
		r := reach(t)
		first, behind := before.covering(h, t, r)
		message := "no request gets here: an earlier route takes all of them, and the first that matches is the place"
		if worthwhile := t.kind != routePrefix || len(before.tried) > 0; worthwhile && !behind && !r.nothing {
			how, by, alone := coveredBefore(&l.inclusion, h, before.reached, t, r)
			if first, behind = by, how == regex.ExtentCovered; !alone {
				message = "no request gets here: earlier routes together take all of them, and the first that matches is the place"
			}
			r.nothing = how == regex.ExtentNothing && t.kind == routeRegex
		}
		switch {
		case behind:
			related := at(first)
			l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(i), Value: t.text,
				Message: message, Related: &related})
			continue // what it covers is covered by earlier ones
		case r.nothing && t.kind == routeRegex && r.prefix[0] == '/':
			l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(i), Value: t.text,
				Message: "no request gets here: no path is like this; it has no query, no fragment and no blanks"})
		case r.nothing:
			l.found.Warn(finding.Finding{Code: finding.CodeUnreachableRoute, Location: at(i), Value: t.text,
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

func isPathKind(k routeKind) bool { return k == routePath || k == routePrefix || k == routeSegments }

// pathReach is which paths a route covers, as far as that can be told by their beginning.
type pathReach struct {
	prefix  string // what each of them begins with
	all     bool   // and all that begin so are covered
	nothing bool   // no path is
}

func reach(t *route) pathReach {
	switch t.kind {
	case routePath, routeSegments:
		return pathReach{prefix: t.text}
	case routePrefix:
		return pathReach{prefix: t.text, all: true}
	case routeRegex:
		return regexReach(t.text)
	}
	return pathReach{}
}

// regexReach looks at the beginning of an expression for whole paths, and at whether the rest of it is ".*".
func regexReach(text string) pathReach {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return pathReach{prefix: "/"}
	}
	parts := regex.Parts(tree)
	r := pathReach{}
	if len(parts) > 0 && parts[0].Op == syntax.OpLiteral && parts[0].Flags&syntax.FoldCase == 0 {
		r.prefix = string(parts[0].Rune)
		parts = parts[1:]
	}
	// Every path has a slash, so that ".+" says the same as ".*" at the beginning.
	if len(parts) == 1 && (parts[0].Op == syntax.OpStar || r.prefix == "" && parts[0].Op == syntax.OpPlus) {
		r.all = regex.IsAnyChar(parts[0].Sub[0])
	}
	if r.prefix == "" {
		r.prefix = "/"
	}
	r.nothing = r.prefix[0] != '/'
	return r
}

func (b *routesBefore) add(i int, t *route, r pathReach) {
	put := func(m *map[string]int, key string) {
		if *m == nil {
			*m = map[string]int{}
		}
		if _, ok := (*m)[key]; !ok {
			(*m)[key] = i
		}
	}
	if t.kind != routeName && !r.nothing {
		b.reached = append(b.reached, reached{i, r})
	}
	switch {
	case t.kind == routeName && match.IsGlob(t.text):
		b.globs.Add(t.text, i)
	case t.kind == routeName:
		put(&b.names, t.text)
	case r.nothing:
	case r.all:
		put(&b.prefixes, r.prefix)
		b.addLength(len(r.prefix))
	case t.kind == routeSegments:
		put(&b.segments, t.text)
		b.addLength(len(t.text))
	case t.kind == routePath:
		put(&b.paths, t.text)
	case t.kind == routeRegex:
		put(&b.regexes, t.text)
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
func (b *routesBefore) covering(h *virtualHost, t *route, r pathReach) (first int, ok bool) {
	if i, ok := b.prefixes["/"]; ok {
		return i, true
	}
	if t.kind == routeName {
		if i, ok := b.names[t.text]; ok {
			return i, true
		}
		// As for virtual hosts: a pattern that matches the text of another one covers it.
		return b.globs.Find(t.text)
	}
	for _, n := range b.lens {
		if n > len(r.prefix) {
			break
		}
		if i, ok := b.prefixes[r.prefix[:n]]; ok {
			return i, true
		}
		i, ok := b.segments[r.prefix[:n]]
		if ok && (n < len(r.prefix) && r.prefix[n] == '/' || n == len(r.prefix) && (t.kind == routePath || t.kind == routeSegments)) {
			return i, true
		}
	}
	switch t.kind {
	case routePath:
		if i, ok := b.paths[t.text]; ok {
			return i, true
		}
		for _, i := range b.tried {
			if h.routes[i].pattern.MatchString(t.text) {
				return i, true
			}
		}
	case routeRegex:
		i, ok := b.regexes[t.text]
		return i, ok
	}
	return 0, false
}
