package policy

import (
	"regexp/syntax"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/regex"
)

// language returns what a route takes as an expression for whole paths; nil for an expression that cannot be parsed.
func language(t *route) *syntax.Regexp {
	literal := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune(t.text)}
	rest := &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{{Op: syntax.OpAnyChar}}}
	switch t.kind {
	case routePath:
		return literal
	case routePrefix:
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{literal, rest}}
	case routeSegments:
		slash := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune("/")}
		below := &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{slash, rest}}
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{literal, {Op: syntax.OpQuest, Sub: []*syntax.Regexp{below}}}}
	}
	tree, err := syntax.Parse(t.text, syntax.Perl)
	if err != nil {
		return nil
	}
	return tree
}

// union returns an expression for what any of some routes takes.
func union(routes []*route) *syntax.Regexp {
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
func coveredBefore(x *regex.Inclusion, h *virtualHost, before []reached, t *route, r pathReach) (how regex.Extent, first int, alone bool) {
	if t.kind != routeRegex && t.kind != routePrefix && t.kind != routeSegments {
		return regex.ExtentUnknown, 0, false // a single path was tried already
	}
	var indexes []int
	var routes []*route
	worthwhile := t.kind != routePrefix // many paths do not make a prefix
	for _, b := range before {
		if x.Steps--; x.Steps < 0 {
			return regex.ExtentUnknown, 0, false
		}
		if e := &h.routes[b.route]; strings.HasPrefix(b.prefix, r.prefix) || strings.HasPrefix(r.prefix, b.prefix) {
			indexes, routes = append(indexes, b.route), append(routes, e)
			worthwhile = worthwhile || e.kind == routeRegex
		}
	}
	if !worthwhile || len(routes) > regex.MaxIncluding || t.kind != routeRegex && len(routes) == 0 {
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
