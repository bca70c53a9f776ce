package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A grantPolicy is a policy to be: origins that were granted the same.
type grantPolicy struct {
	star        bool // everybody
	origins     []string
	denied      []string
	credentials bool
	methods     []string
	headers     []string
	exposed     []string
	maxAge      int64 // -1: unset
	message     *corsprocv1.Policy
}

// lists are what an origin was granted beside reading.
type lists struct{ methods, headers, exposed []string }

func (s *lists) key() string {
	return strings.Join(s.methods, ",") + "\n" + strings.Join(s.headers, ",") + "\n" + strings.Join(s.exposed, ",")
}

// listsOf returns what an origin asked for and was granted. "*" in a list is everything, where it was answered without
// credentials; to an origin that has them it would be more than was answered, and so it is what was asked for.
func (u *unit) listsOf(a *answers) (s lists) {
	n := &u.place.names
	credentials := a.credentials > 0
	if a.starMethods && !credentials {
		s.methods = []string{"*"}
	}
	if a.starHeaders && !credentials {
		s.headers = []string{"*"}
	}
	if a.starExposed && !credentials {
		s.exposed = []string{"*"}
	}
	for _, seen := range a.names {
		name := n.nameOf(seen.id)
		wasAsked, wasListed := seen.what&asked != 0, seen.what&listed != 0
		switch n.kindOf(seen.id) {
		case methodName:
			if wasAsked && (wasListed || a.starMethods) && !fetch.IsSafelistedMethod(name) && !isAll(s.methods) {
				s.methods = append(s.methods, name)
			}
		case headerName:
			isAlone := fetch.IsNonWildcardRequestHeader(name) // which a star does not cover
			if wasAsked && (wasListed || a.starHeaders && !isAlone) && (isAlone || !isAll(s.headers)) {
				s.headers = append(s.headers, name)
			}
		case exposedName:
			if !isAll(s.exposed) {
				s.exposed = append(s.exposed, name)
			}
		}
	}
	slices.Sort(s.methods)
	slices.Sort(s.headers)
	slices.Sort(s.exposed)
	return s
}

func isAll(list []string) bool { return len(list) > 0 && list[0] == "*" }

// group makes policies of what the origins of a unit were granted. Those that got the same share one, so that nobody gets
// what was answered to others. A grant to everybody stands last: it has what everybody got to whom it was answered.
func (u *unit) group() {
	groups := map[string]*grantPolicy{}
	var everybody []lists
	for _, origin := range u.origins {
		if a := u.answers[origin]; a.echoes == 0 {
			everybody = append(everybody, u.listsOf(a))
		}
	}
	var star *grantPolicy
	common := lists{}
	if len(everybody) > 0 {
		common = intersection(everybody)
		star = &grantPolicy{star: true, methods: common.methods, headers: common.headers, exposed: common.exposed}
	}
	for _, origin := range u.origins {
		a := u.answers[origin]
		s := u.listsOf(a)
		if a.echoes == 0 && s.key() == common.key() {
			star.origins = append(star.origins, origin)
			continue
		}
		key := fmt.Sprintf("%t\n%s", a.credentials > 0, s.key())
		g := groups[key]
		if g == nil {
			g = &grantPolicy{credentials: a.credentials > 0, methods: s.methods, headers: s.headers, exposed: s.exposed}
			groups[key] = g
		}
		g.origins = append(g.origins, origin)
	}
	u.policies = slices.SortedFunc(maps.Values(groups), func(a, b *grantPolicy) int { return cmp.Compare(a.origins[0], b.origins[0]) })
	if star != nil {
		star.denied = u.kept(u.origins)
		u.policies = append(u.policies, star)
	}
	for _, g := range u.policies {
		g.maxAge = u.maxAgeOf(g.origins)
	}
}

// kept returns the origins that were answered and are not taken, sorted: a grant to everybody must not let them in.
func (u *unit) kept(taken []string) (origins []string) {
	for origin, a := range u.answers {
		if _, found := slices.BinarySearch(taken, origin); !found && (a.isRefused() || a.isTaken()) {
			origins = append(origins, origin)
		}
	}
	slices.Sort(origins)
	return origins
}

// intersection returns what stands in all lists.
func intersection(all []lists) lists {
	common := all[0]
	for _, s := range all[1:] {
		common = lists{both(common.methods, s.methods), both(common.headers, s.headers), both(common.exposed, s.exposed)}
	}
	return common
}

// both returns what two lists allow, of which each may be everything.
func both(a, b []string) (out []string) {
	allows := func(list []string, name string) bool {
		_, found := slices.BinarySearch(list, name)
		return found || isAll(list) && !fetch.IsNonWildcardRequestHeader(name)
	}
	for _, list := range [][]string{a, b} {
		for _, name := range list {
			if allows(a, name) && allows(b, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// maxAgeOf returns the smallest time that browsers may remember preflights, -1 if one had none.
func (u *unit) maxAgeOf(origins []string) int64 {
	least := int64(-1)
	for _, origin := range origins {
		a := u.answers[origin]
		if a.unsetMaxAge {
			return -1
		}
		if a.hasMaxAge && (least < 0 || int64(a.maxAge) < least) {
			least = int64(a.maxAge)
		}
	}
	return least
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
