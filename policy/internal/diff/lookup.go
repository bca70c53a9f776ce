package diff

// Tested by policy/diff_test.go, policy/testdata/diff.yaml and policy/diff_random_test.go.

import (
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/regex"

	"github.com/corsproc/corsproc/policy/internal/match"
)

// A routeLookUp finds the first route of a virtual host that covers a name, or a path, alone. Its time grows with what it
// is asked about and not with the number of routes, but for patterns that begin alike.
type routeLookUp struct {
	routes      []compiled.Route
	texts       compiled.RouteIndex // every route but those of the following
	globs       byBeginning         // names with a star
	expressions byBeginning         // by what every path begins with that one of them matches
	same        map[string]int      // the first expression of each text
}

// byBeginning are routes by what all that they cover begins with.
type byBeginning struct {
	routes map[string][]int // in their order
	lens   []int            // of the keys, longest first
}

func (b *byBeginning) add(beginning string, i int) {
	if b.routes == nil {
		b.routes = map[string][]int{}
	}
	b.routes[beginning] = append(b.routes[beginning], i)
	match.AddLength(&b.lens, len(beginning))
}

func newRouteLookUp(h *compiled.VirtualHost) *routeLookUp {
	l := &routeLookUp{routes: h.Routes, same: map[string]int{}}
	for i := range h.Routes {
		switch t := &h.Routes[i]; {
		case t.Kind == compiled.RouteRegex:
			l.expressions.add(regex.ReachOf(t.Text).Prefix, i)
			if _, had := l.same[t.Text]; !had {
				l.same[t.Text] = i
			}
		case t.Kind == compiled.RouteName && match.IsGlob(t.Text):
			beginning, _, _ := strings.Cut(t.Text, "*")
			l.globs.add(beginning, i)
		default:
			l.texts.AddText(t, i)
		}
	}
	return l
}

// name returns the first route that covers a name.
func (l *routeLookUp) name(name string) int {
	best := noneCovers
	if i := l.texts.Index.Find(uint64(compiled.RouteName), name); i != 0 {
		best = int(i) - 1
	}
	return l.first(&l.globs, name, best, func(t *compiled.Route) bool { return t.Covers(name, "") })
}

// path returns the first route that covers a path.
func (l *routeLookUp) path(path string) int {
	return l.first(&l.expressions, path, l.text(path), func(t *compiled.Route) bool { return t.Covers("", path) })
}

// pathOf returns the first route that covers a path which stands for all that an expression matches. Expressions are
// compared as text.
func (l *routeLookUp) pathOf(expression, path string) int {
	best := l.text(path)
	if i, ok := l.same[expression]; ok {
		best = min(best, i)
	}
	return best
}

// text returns the first route without an expression that covers a path.
func (l *routeLookUp) text(path string) int {
	if i := l.texts.Find(l.routes, "", path); i >= 0 {
		return i
	}
	return noneCovers
}

// first returns the first of some routes that covers a text, or best if that comes before it.
func (l *routeLookUp) first(some *byBeginning, text string, best int, covers func(*compiled.Route) bool) int {
	for _, n := range some.lens {
		if n > len(text) {
			continue
		}
		for _, i := range some.routes[text[:n]] {
			if i > best {
				break
			}
			if covers(&l.routes[i]) {
				best = i
			}
		}
	}
	return best
}
