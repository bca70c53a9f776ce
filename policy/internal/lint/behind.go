package lint

// Tested by lint_test.go and policy/testdata/lints.yaml.

import (
	"regexp/syntax"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/regex"
)

// language returns what a route takes as an expression for whole paths; nil for an expression that cannot be parsed.
func language(t *compiled.Route) *syntax.Regexp {
	literal := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune(t.Text)}
	rest := &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{{Op: syntax.OpAnyChar}}}
	switch t.Kind {
	case compiled.RoutePath:
		return literal
	case compiled.RoutePrefix:
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{literal, rest}}
	case compiled.RouteSegments:
		slash := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune("/")}
		below := &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{slash, rest}}
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{literal, {Op: syntax.OpQuest, Sub: []*syntax.Regexp{below}}}}
	}
	tree, err := syntax.Parse(t.Text, syntax.Perl)
	if err != nil {
		return nil
	}
	return tree
}

// union returns an expression for what any of some routes takes.
func union(routes []*compiled.Route) *syntax.Regexp {
	if len(routes) == 0 {
		return &syntax.Regexp{Op: syntax.OpNoMatch}
	}
	all := &syntax.Regexp{Op: syntax.OpAlternate}
	for _, t := range routes {
		tree := language(t)
		if tree == nil {
			return nil
		}
		all.Sub = append(all.Sub, tree)
	}
	if len(all.Sub) == 1 {
		return all.Sub[0]
	}
	return all
}

// coveredBefore looks at whether routes of a virtual host that come before t take every path that t could. Where they do it
// returns one that does so alone, or the first of those that do so together.
func coveredBefore(x *regex.Inclusion, h *compiled.VirtualHost, before []reached, t *compiled.Route, r regex.PathReach) (how regex.Extent, first int, alone bool) {
	if t.Kind != compiled.RouteRegex && t.Kind != compiled.RoutePrefix && t.Kind != compiled.RouteSegments {
		return regex.ExtentUnknown, 0, false // a single path was tried already
	}
	var indexes []int
	var routes []*compiled.Route
	worthwhile := t.Kind != compiled.RoutePrefix // many paths do not make a prefix
	for _, b := range before {
		if x.Steps--; x.Steps < 0 {
			return regex.ExtentUnknown, 0, false
		}
		if e := &h.Routes[b.route]; strings.HasPrefix(b.Prefix, r.Prefix) || strings.HasPrefix(r.Prefix, b.Prefix) {
			indexes, routes = append(indexes, b.route), append(routes, e)
			worthwhile = worthwhile || e.Kind == compiled.RouteRegex
		}
	}
	if !worthwhile || len(routes) > regex.MaxIncluding || t.Kind != compiled.RouteRegex && len(routes) == 0 {
		return regex.ExtentUnknown, 0, false
	}
	how = x.Compare(language(t), union(routes))
	if how != regex.ExtentCovered {
		return how, 0, false
	}
	for i := range routes {
		if x.Compare(language(t), union(routes[i:i+1])) == regex.ExtentCovered {
			return how, indexes[i], true
		}
	}
	return how, indexes[0], len(routes) == 1
}
