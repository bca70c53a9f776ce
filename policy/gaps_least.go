package policy

// Tested by gaps_test.go and policy/browser/changes_least_test.go.

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// A change is what to change in one policy, and what it grants beyond the request that it is for.
type change struct {
	gaps   []Gap
	policy *compiled.Policy

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
		n = cmp.Compare(t.reach(a.policy), t.reach(b.policy))
	}
	return n
}

// everything is how many names a "*" counts for.
const everything = 1000

// change weighs what gaps in a policy grant when they are closed.
func (t *trial) change(policy *compiled.Policy, gaps []Gap) change {
	c := change{gaps: gaps, policy: policy}
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
	case credentials && allowsOthers(policy, t.origin):
		c.shares = 2
	case terms > 0 && allowsOthers(policy, t.origin):
		c.shares = 1
	}
	if terms > 0 && isOpen(policy) {
		c.opens = 1
	}
	if c.unknown > 0 {
		if policy.Credentials && !t.credentials {
			c.opens = 1
		}
		c.surplus = surplus(policy, t.request)
	}
	return c
}

// surplus counts what a policy allows or exposes beside what a request asks for.
func surplus(policy *compiled.Policy, r *Request) int {
	n := len(policy.Headers)
	for _, m := range policy.Methods {
		if !fetch.IsSafelistedMethod(m) && m != r.RequestMethod.Value { // browsers may use the former anyway
			n++
		}
	}
	for list := (fetch.Elements{Lines: r.RequestHeaders}); ; {
		name, more := list.Next()
		if !more {
			break
		}
		if name != "" && policy.ListsHeader(name) {
			n--
		}
	}
	if policy.ExposeHeaders != "" {
		exposed := fetch.Elements{Lines: []string{policy.ExposeHeaders}}
		for _, more := exposed.Next(); more; _, more = exposed.Next() {
			n++
		}
	}
	for _, star := range []bool{policy.AnyMethod, policy.AnyHeader, strings.HasPrefix(policy.ExposeHeaders, "*") || policy.ExposeUpstream} {
		if star {
			n += everything
		}
	}
	return n
}

// isOpen reports whether a policy allows everybody, or every host.
func isOpen(policy *compiled.Policy) bool {
	return policy.Anybody != 0 || slices.ContainsFunc(policy.Allow, (*match.Origins).HasAnyHost)
}

// allowsOthers reports whether a policy allows somebody beside an origin.
func allowsOthers(policy *compiled.Policy, o *origin.Origin) bool {
	if len(policy.Regexes) > 0 {
		return true
	}
	for _, set := range policy.Allow {
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
func (t *trial) reach(policy *compiled.Policy) (n int) {
	for p := range t.places() {
		if slices.Contains(p.Active.Policies, policy) {
			n++
		}
	}
	return n
}

// places yields every place of the set.
func (t *trial) places() iter.Seq[*compiled.Place] {
	return func(yield func(*compiled.Place) bool) {
		for i := range t.set.Hosts {
			h := &t.set.Hosts[i]
			for route := -1; route < len(h.Routes); route++ {
				if !yield(h.PlaceOf(route)) {
					return
				}
			}
		}
	}
}
