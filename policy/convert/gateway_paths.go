package convert

// Tested by gateway_test.go, gateway_random_test.go and golden_test.go.

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A grantedPath is what is granted for a path of a host.
type grantedPath struct {
	terms   place
	content bool // whether anything but the gateway itself answers there
	// narrowed says that what takes all that is left of the requests, or may, grants more.
	narrowed bool
}

// grantFor says what holds for requests that several matches take, in their order, up to the first without conditions. Of
// those with conditions a policy file knows nothing. So what is granted is what every request gets that a page can make
// there: its preflight takes one match, the request itself perhaps another.
//
// A page can send a header of its own, or a method beyond GET, HEAD and POST, only where the preflight allows it. A match
// by such a one is kept away from pages by allowing neither, instead of narrowing what everybody else gets.
func grantFor(matches []*gatewayMatch) grantedPath {
	var preflights, requests []*gatewayMatch
	answered := false // every preflight takes one of preflights
	same, content := true, false
	for _, m := range matches {
		if m.answers {
			continue
		}
		content = true
		requests = append(requests, m)
		some, all := m.takesPreflight()
		all = all && !m.partly
		if some && !answered {
			preflights = append(preflights, m)
			answered = all
		}
	}
	if !content {
		return grantedPath{}
	}
	g := narrowing{}
	for _, m := range requests {
		g.reject = max(g.reject, m.terms.reject) // what any of them stops, none lets through
	}
	for _, m := range requests[1:] {
		same = same && alike(m.terms, requests[0].terms)
	}
	if same && (answered || len(requests[0].terms.policies) == 0) {
		return grantedPath{terms: requests[0].terms, content: true}
	}
	for _, m := range preflights {
		g.preflight(m.terms)
	}
	if !answered {
		g.preflight(place{}) // the gateway refuses it: there is no route for it
	}
	var shut []*gatewayMatch
	for _, m := range requests {
		if m.approved() {
			shut = append(shut, m)
		} else {
			g.request(m.terms)
		}
	}
	for _, m := range shut {
		g.shut(m)
	}
	granted := grantedPath{terms: g.place(), content: true}
	for _, m := range requests {
		granted.narrowed = granted.narrowed || (m.partly || !m.conditional()) && !alike(m.terms, granted.terms)
	}
	return granted
}

// approved reports whether pages have to ask a preflight for what a match has for a condition.
func (m *gatewayMatch) approved() bool {
	return m.ownHeader() != "" || m.method != "" && !fetch.IsSafelistedMethod(m.method)
}

// ownHeader returns a header of a match that no request has without a preflight.
func (m *gatewayMatch) ownHeader() string {
	for _, name := range m.headers {
		if !isAmbient(name) {
			return name
		}
	}
	return ""
}

// A narrowing is a policy that becomes narrower with each match that is taken into it.
type narrowing struct {
	now    *proposal // nil: nothing was taken yet
	reject corsprocv1.Reject
	nobody bool
	simple bool // some preflights are not answered: only what needs none is granted
	asked  bool // some preflights are
}

// preflight takes in what answers preflights.
func (n *narrowing) preflight(terms place) {
	if len(terms.policies) == 0 {
		n.simple = true
		return
	}
	n.asked = true
	n.meet(terms)
}

// request takes in what a request gets.
func (n *narrowing) request(terms place) {
	if len(terms.policies) == 0 {
		n.nobody = true
		return
	}
	// Which methods and headers are allowed is the preflight's to say. Where none is, nothing is.
	wide := proto.CloneOf(terms.policies[0].policy)
	if n.now != nil {
		wide.AllowMethods, wide.AllowHeaders, wide.MaxAge = n.now.policy.AllowMethods, n.now.policy.AllowHeaders, n.now.policy.MaxAge
	}
	n.meet(place{policies: []*proposal{{policy: wide, name: terms.policies[0].name, at: terms.policies[0].at, notes: terms.policies[0].notes}}})
}

func (n *narrowing) meet(terms place) {
	if n.nobody {
		return
	}
	if n.now == nil {
		p := *terms.policies[0]
		p.policy = proto.CloneOf(p.policy)
		p.notes.texts = slices.Clone(p.notes.texts)
		n.now = &p
		return
	}
	m, _ := meet(place{policies: []*proposal{n.now}}, terms)
	if len(m.policies) == 0 {
		n.nobody = true
		return
	}
	p := *m.policies[0]
	p.notes.texts = append(p.notes.texts, n.now.notes.texts...)
	p.notes.add(terms.policies[0].notes.texts...)
	n.now = &p
}

// shut keeps pages away from a match that they need a preflight for, unless it grants what the others do.
func (n *narrowing) shut(m *gatewayMatch) {
	if n.nobody || n.now == nil {
		return
	}
	p, header := n.now.policy, m.ownHeader()
	has := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return s == "*" || strings.EqualFold(s, name) })
	}
	switch {
	case n.simple, header != "" && !has(p.AllowHeaders, header), header == "" && !has(p.AllowMethods, m.method): // no preflight allows it
	case len(m.terms.policies) > 0 && n.within(m.terms):
	case header != "" && !slices.Contains(p.AllowHeaders, "*"):
		p.AllowHeaders = slices.DeleteFunc(p.AllowHeaders, func(s string) bool { return strings.EqualFold(s, header) })
	case m.method != "" && !fetch.IsSafelistedMethod(m.method) && !slices.Contains(p.AllowMethods, "*"):
		p.AllowMethods = slices.DeleteFunc(p.AllowMethods, func(s string) bool { return s == m.method })
	default:
		n.request(m.terms)
	}
}

// within reports whether what is granted now is no more than what a match grants its requests.
func (n *narrowing) within(terms place) bool {
	wide := proto.CloneOf(terms.policies[0].policy)
	p := n.now.policy
	wide.AllowMethods, wide.AllowHeaders, wide.MaxAge = p.AllowMethods, p.AllowHeaders, p.MaxAge
	m, _ := meet(place{policies: []*proposal{n.now}}, place{policies: []*proposal{{policy: wide}}})
	return len(m.policies) == 1 && alike(place{policies: m.policies}, place{policies: []*proposal{n.now}})
}

func (n *narrowing) place() place {
	switch {
	case n.nobody:
		// Where no preflight is answered there, all of them are the upstream's anyway.
		return place{nobody: n.asked, reject: n.reject}
	case n.now == nil:
		return place{} // neither a preflight nor a request that needs none gets anywhere
	}
	if n.simple {
		n.now.policy.AllowMethods, n.now.policy.AllowHeaders = nil, nil
	}
	return place{policies: []*proposal{n.now}, at: n.now.at, reject: n.reject}
}
