package policy

// Tested by gaps_test.go and policy/browser/changes_least_test.go.

import (
	"maps"
	"slices"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// A trial decides about a request with changes made, on copies of the places that it may belong to.
type trial struct {
	set         *compiled.Set
	request     *Request
	origin      *origin.Origin
	credentials bool // the page needs Access-Control-Allow-Credentials

	place  *compiled.Place
	others []*compiled.Place // to which other readings of the path lead
}

// suffices reports whether the request is allowed once gaps are closed.
func (t *trial) suffices(gaps []Gap) bool {
	d := t.decide(gaps)
	return d.Verdict == Allowed && (d.answer.policy.Credentials || !t.credentials)
}

// decide decides with gaps closed.
func (t *trial) decide(gaps []Gap) (d Decision) {
	lists := map[*compiled.List]*compiled.List{} // the copies: places that have the same list have the same copy
	added := t.missing()
	change := func(p *compiled.Place) *compiled.Place {
		copied := *p
		if slices.ContainsFunc(gaps, func(g Gap) bool { return g.Kind == GapPolicy && g.Rule == p.ListRule }) {
			copied.Active = added
			return &copied
		}
		if lists[p.Active] == nil {
			lists[p.Active] = t.changed(p.Active, gaps)
		}
		copied.Active = lists[p.Active]
		return &copied
	}
	var others []*compiled.Place
	for _, p := range t.others {
		others = append(others, change(p))
	}
	p := change(t.place)
	e := evaluation{set: t.set, request: t.request, kind: kindOf(t.request), origin: *t.origin, wellFormed: true, place: p, list: p.Active, known: true}
	if len(others) > 0 {
		e.join(others)
	}
	e.decide(&d)
	return d
}

// missing returns a list of the policy that a list may lack: it allows the request and nothing else. What stands behind
// the first that matches makes no difference.
func (t *trial) missing() *compiled.List {
	policy := &compiled.Policy{Terms: &compiled.Terms{}, Credentials: t.credentials}
	gaps, _ := gapsOf(policy, t.request, t.origin, t.credentials) // all that a policy lacks that says nothing yet
	for _, gap := range gaps {
		closeGap(policy, gap)
	}
	policy.Alone = compiled.NewList([]*compiled.Policy{policy})
	return &policy.Alone
}

// changed returns a list whose policies have gaps closed; l itself where that changes nothing.
func (t *trial) changed(l *compiled.List, gaps []Gap) *compiled.List {
	if len(gaps) == 0 || l.Passthrough {
		return l
	}
	policies := slices.Clone(l.Policies)
	for i, policy := range policies {
		copied := *policy
		copied.Deny = slices.DeleteFunc(slices.Clone(policy.Deny), func(s *match.Origins) bool { return isLifted(s.Covering(t.origin), gaps) })
		for _, gap := range gaps {
			if gap.Policy == policy.Name {
				closeGap(&copied, gap)
			}
		}
		policies[i] = &copied
	}
	all := compiled.NewList(policies)
	return &all
}

// isLifted reports whether all rules that deny an origin are removed. What else a list denies is nothing to this origin.
func isLifted(rules []uint64, gaps []Gap) bool {
	for _, rule := range rules {
		if !slices.ContainsFunc(gaps, func(g Gap) bool { return g.Kind == GapDenied && g.Rule == Rule(rule) }) {
			return false
		}
	}
	return len(rules) > 0
}

// closeGap closes a gap of a copied policy, which keeps what it shares with others.
func closeGap(policy *compiled.Policy, gap Gap) {
	t := *policy.Terms
	switch gap.Kind {
	case GapOrigin:
		x := &match.OriginIndex{}
		x.Reserve(1, len(gap.Value))
		list := x.List()
		if p, why := origin.ParsePattern(gap.Value); why == "" {
			list.Add(&p, uint64(gap.Rule))
		}
		policy.Allow = append(slices.Clone(policy.Allow), &list)
	case GapMethod:
		t.Methods, t.AnyMethod = append(slices.Clone(t.Methods), gap.Value), t.AnyMethod || gap.Value == "*"
	case GapHeader:
		name := string(fetch.LowerASCII(gap.Value, nil))
		t.Headers = maps.Clone(t.Headers)
		if t.Headers == nil {
			t.Headers = map[string]struct{}{}
		}
		t.Headers[name] = struct{}{}
		t.MaxHeader, t.AnyHeader = max(t.MaxHeader, len(name)), t.AnyHeader || name == "*"
	case GapCredentials:
		policy.Credentials, policy.Star = true, false
	}
	policy.Terms = &t
}
