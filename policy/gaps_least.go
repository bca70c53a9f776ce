package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// A change is what to change in one policy, and what it grants beyond the request that it is for.
type change struct {
	gaps  []Gap
	grant *grant

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
func (s *Set) compare(a, b change) int {
	n := cmp.Or(cmp.Compare(a.opens, b.opens), cmp.Compare(a.unknown, b.unknown), cmp.Compare(a.shares, b.shares),
		cmp.Compare(a.surplus, b.surplus), cmp.Compare(len(a.gaps), len(b.gaps)))
	if n == 0 {
		n = cmp.Compare(s.reach(a.grant), s.reach(b.grant))
	}
	return n
}

// everything is how many names a "*" counts for.
const everything = 1000

// change weighs what gaps in a policy grant when they are closed.
func (t *trial) change(g *grant, gaps []Gap) change {
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
	case credentials && g.allowsOthers(t.origin):
		c.shares = 2
	case terms > 0 && g.allowsOthers(t.origin):
		c.shares = 1
	}
	if terms > 0 && g.isOpen() {
		c.opens = 1
	}
	if c.unknown > 0 {
		if g.credentials && !t.credentials {
			c.opens = 1
		}
		c.surplus = g.surplus(t.request)
	}
	return c
}

// surplus counts what a policy allows or exposes beside what a request asks for.
func (g *grant) surplus(r *Request) int {
	n := len(g.headers)
	for _, m := range g.methods {
		if !fetch.IsSafelistedMethod(m) && m != r.RequestMethod.Value { // browsers may use the former anyway
			n++
		}
	}
	for list := (fetch.Elements{Lines: r.RequestHeaders}); ; {
		name, more := list.Next()
		if !more {
			break
		}
		if name != "" && g.listsHeader(name) {
			n--
		}
	}
	if g.exposeHeaders != "" {
		exposed := fetch.Elements{Lines: []string{g.exposeHeaders}}
		for _, more := exposed.Next(); more; _, more = exposed.Next() {
			n++
		}
	}
	for _, star := range []bool{g.anyMethod, g.anyHeader, strings.HasPrefix(g.exposeHeaders, "*")} {
		if star {
			n += everything
		}
	}
	return n
}

// isOpen reports whether a policy allows everybody, or every host.
func (g *grant) isOpen() bool {
	return g.anybody != 0 || slices.ContainsFunc(g.allow, (*match.Origins).HasAnyHost)
}

// allowsOthers reports whether a policy allows somebody beside an origin.
func (g *grant) allowsOthers(o *origin.Origin) bool {
	if len(g.regexes) > 0 {
		return true
	}
	for _, set := range g.allow {
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
func (s *Set) reach(g *grant) (n int) {
	count := func(p *place) {
		if slices.Contains(p.policies.grants, g) {
			n++
		}
	}
	for i := range s.hosts {
		count(&s.hosts[i].place)
		for j := range s.hosts[i].routes {
			count(&s.hosts[i].routes[j].place)
		}
	}
	return n
}
