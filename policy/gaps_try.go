package policy

import (
	"maps"
	"slices"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// A trial decides about a request with changes made, on copies of the places that it may belong to.
type trial struct {
	set         *Set
	request     *Request
	origin      *origin.Origin
	credentials bool // the page needs Access-Control-Allow-Credentials

	place  *place
	others []*place // to which other readings of the path lead
}

// suffices reports whether the request is allowed once gaps are closed.
func (t *trial) suffices(gaps []Gap) bool {
	d := t.decide(gaps)
	return d.Verdict == Allowed && (d.answer.grant.credentials || !t.credentials)
}

// decide decides with gaps closed.
func (t *trial) decide(gaps []Gap) (d Decision) {
	lists := map[*list]*list{} // the copies: places that have the same list have the same copy
	added := t.missing()
	change := func(p *place) *place {
		copied := *p
		if slices.ContainsFunc(gaps, func(g Gap) bool { return g.Kind == GapPolicy && g.Rule == p.listRule }) {
			copied.policies = added
			return &copied
		}
		if lists[p.policies] == nil {
			lists[p.policies] = t.changed(p.policies, gaps)
		}
		copied.policies = lists[p.policies]
		return &copied
	}
	var others []*place
	for _, p := range t.others {
		others = append(others, change(p))
	}
	p := change(t.place)
	e := evaluation{set: t.set, request: t.request, kind: kindOf(t.request), origin: *t.origin, wellFormed: true, place: p, list: p.policies, known: true}
	if len(others) > 0 {
		e.join(others)
	}
	e.decide(&d)
	return d
}

// missing returns a list of the policy that a list may lack: it allows the request and nothing else. What stands behind
// the first that matches makes no difference.
func (t *trial) missing() *list {
	g := &grant{terms: &terms{}, credentials: t.credentials}
	for _, gap := range t.gapsOf(g) {
		g.close(gap)
	}
	g.alone = newList([]*grant{g})
	return &g.alone
}

// gapsOf returns all that a policy lacks that says nothing yet.
func (t *trial) gapsOf(g *grant) []Gap {
	gaps, _ := g.gaps(t.request, t.origin, t.credentials)
	return gaps
}

// changed returns a list whose policies have gaps closed; l itself where that changes nothing.
func (t *trial) changed(l *list, gaps []Gap) *list {
	if len(gaps) == 0 || l.passthrough {
		return l
	}
	grants := slices.Clone(l.grants)
	for i, g := range grants {
		copied := *g
		copied.deny = slices.DeleteFunc(slices.Clone(g.deny), func(s *match.Origins) bool { return isLifted(s.Covering(t.origin), gaps) })
		for _, gap := range gaps {
			if gap.Policy == g.name {
				copied.close(gap)
			}
		}
		grants[i] = &copied
	}
	all := newList(grants)
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

// close closes a gap of a copied policy, which keeps what it shares with others.
func (g *grant) close(gap Gap) {
	t := *g.terms
	switch gap.Kind {
	case GapOrigin:
		x := &match.OriginIndex{}
		x.Reserve(1, len(gap.Value))
		list := x.List()
		if p, why := origin.ParsePattern(gap.Value); why == "" {
			list.Add(&p, uint64(gap.Rule))
		}
		g.allow = append(slices.Clone(g.allow), &list)
	case GapMethod:
		t.methods, t.anyMethod = append(slices.Clone(t.methods), gap.Value), t.anyMethod || gap.Value == "*"
	case GapHeader:
		name := string(fetch.LowerASCII(gap.Value, nil))
		t.headers = maps.Clone(t.headers)
		if t.headers == nil {
			t.headers = map[string]struct{}{}
		}
		t.headers[name] = struct{}{}
		t.maxHeader, t.anyHeader = max(t.maxHeader, len(name)), t.anyHeader || name == "*"
	case GapCredentials:
		g.credentials, g.star = true, false
	}
	g.terms = &t
}
