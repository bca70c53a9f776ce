package policy

// Tested by gaps_test.go and policy/browser/changes_least_test.go.

import (
	"cmp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// A change is what to change in one policy, and what it grants beyond the request that it is for.
type change struct {
	gaps  []Gap
	grant *compiled.Policy

	// What is compared, the weightiest first: the smaller, the less is granted. A policy that knows the origin already is
	// rather changed than one that does not: to let partners delete is less than to make them the shop. But what opens a
	// method or header to everybody comes last, and so do credentials for an origin that does not ask for them.
	opens   int // a method or header for everybody, or credentials unasked for
	unknown int // the origin becomes one of the policy's
	shares  int // others of the policy get credentials (2), methods or headers (1) too
	surplus int // methods, headers and exposed headers that the origin gets and has not asked for
}

// compare returns a negative number where a grants less than b. Of two that grant the same here, it is the one whose policy
// is at fewer places.
func (t *trial) compare(a, b change) int {
	n := cmp.Or(cmp.Compare(a.opens, b.opens), cmp.Compare(a.unknown, b.unknown), cmp.Compare(a.shares, b.shares),
		cmp.Compare(a.surplus, b.surplus), cmp.Compare(len(a.gaps), len(b.gaps)))
	if n == 0 {
		n = cmp.Compare(t.reach(a.grant), t.reach(b.grant))
	}
	return n
}

// everything is how many names a "*" counts for.
const everything = 1000

// change weighs what gaps in a policy grant when they are closed.
func (t *trial) change(g *compiled.Policy, gaps []Gap) change {
	c := change{gaps: gaps, grant: g}
	terms, credentials := 0, false
	for _, gap := range gaps {
		switch gap.Kind {
		case GapOrigin:
			c.unknown = 1
		case GapMethod, GapHeader:
			terms++
		case GapCredentials:
			credentials = true
		}
	}
	switch {
	case credentials && allowsOthers(g, t.origin):
		c.shares = 2
	case terms > 0 && allowsOthers(g, t.origin):
		c.shares = 1
	}
	if terms > 0 && isOpen(g) {
		c.opens = 1
	}
	if c.unknown > 0 {
		if g.Credentials && !t.credentials {
			c.opens = 1
		}
		c.surplus = surplus(g, t.request)
	}
	return c
}

// surplus counts what a policy allows or exposes beside what a request asks for.
func surplus(g *compiled.Policy, r *Request) int {
	n := len(g.Headers)
	for _, m := range g.Methods {
		if !fetch.IsSafelistedMethod(m) && m != r.RequestMethod.Value { // browsers may use the former anyway
			n++
		}
	}
	for list := (fetch.Elements{Lines: r.RequestHeaders}); ; {
		name, more := list.Next()
		if !more {
			break
		}
		if name != "" && g.ListsHeader(name) {
			n--
		}
	}
	if g.ExposeHeaders != "" {
		exposed := fetch.Elements{Lines: []string{g.ExposeHeaders}}
		for _, more := exposed.Next(); more; _, more = exposed.Next() {
			n++
		}
	}
	for _, star := range []bool{g.AnyMethod, g.AnyHeader, strings.HasPrefix(g.ExposeHeaders, "*") || g.ExposeUpstream} {
		if star {
			n += everything
		}
	}
	return n
}

// isOpen reports whether a policy allows everybody, or every host.
func isOpen(g *compiled.Policy) bool {
	return g.Anybody != 0 || slices.ContainsFunc(g.Allow, (*match.Origins).HasAnyHost)
}

// allowsOthers reports whether a policy allows somebody beside an origin.
func allowsOthers(g *compiled.Policy, o *origin.Origin) bool {
	if len(g.Regexes) > 0 {
		return true
	}
	for _, set := range g.Allow {
		if set.Any != 0 || set.Null != 0 && !o.Null || set.HasWildcards() {
			return true
		}
		for p := range set.All() {
			if p.Origin.Text != o.Text {
				return true
			}
		}
	}
	return false
}

// reach counts the places in whose lists a policy is.
func (t *trial) reach(g *compiled.Policy) (n int) {
	count := func(p *compiled.Place) {
		if slices.Contains(p.Active.Policies, g) {
			n++
		}
	}
	for i := range t.set.Hosts {
		count(&t.set.Hosts[i].Place)
		for j := range t.set.Hosts[i].Routes {
			count(&t.set.Hosts[i].Routes[j].Place)
		}
	}
	return n
}
