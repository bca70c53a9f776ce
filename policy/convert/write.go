package convert

// Tested by builder_test.go and golden_test.go.

import (
	"fmt"
	"strings"

	"github.com/corsproc/corsproc/policy/draft"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// write fills the file.
func (b *builder) write(f *draft.File, of map[*proposal]*merged) {
	taken, written := newNames(), map[*merged]bool{}
	name := func(p *proposal) string {
		m := of[p]
		if !written[m] {
			written[m] = true
			m.name = taken.take(p.name)
			f.Set.Policies[m.name] = m.policy
			f.Order = append(f.Order, m.name)
			f.Before(draft.At(m.policy), m.comments()...)
			if dangers := draft.At(m.policy).Field("dangerously_allow"); len(m.policy.DangerouslyAllow) > 0 {
				f.Before(dangers, "as the source allows it; without this line it would not load")
			}
		}
		return m.name
	}
	list := func(proposals []*proposal) *corsprocv1.PolicyList {
		if len(proposals) == 0 {
			return nil
		}
		names := &corsprocv1.PolicyList{}
		for _, q := range proposals {
			names.Names = append(names.Names, name(q))
		}
		return names
	}
	active := func(p *place) *corsprocv1.PolicyList {
		switch {
		case len(p.policies) > 0:
		case p.nobody:
			return &corsprocv1.PolicyList{Names: []string{"none"}}
		default:
			return &corsprocv1.PolicyList{Names: []string{"passthrough"}}
		}
		return list(p.policies)
	}
	for _, h := range b.hosts {
		v := &corsprocv1.VirtualHost{Name: h.name, Domains: h.domains, Policies: active(&h.place), Candidates: list(h.candidates), Reject: h.reject}
		f.Before(draft.At(v), h.comments()...)
		for _, r := range h.routes {
			t := &corsprocv1.Route{Policies: active(&r.place), Candidates: list(r.candidates), Reject: r.reject}
			if r.reject == 0 && h.reject != 0 {
				t.Reject = corsprocv1.Reject_REJECT_NEVER // else it is the virtual host's
			}
			r.match.set(t)
			f.Before(draft.At(t), r.notes.texts...)
			v.Routes = append(v.Routes, t)
		}
		f.Set.VirtualHosts = append(f.Set.VirtualHosts, v)
	}
}

func (m match) set(t *corsprocv1.Route) {
	switch m.kind {
	case matchPath:
		t.Path = m.text
	case matchPrefix:
		t.Prefix = m.text
	case matchSegments:
		t.PathSeparatedPrefix = m.text
	case matchRegex:
		t.Regex = m.text
	case matchRouteName:
		t.RouteName = m.text
	}
}

// maxFrom is how many places of the source a policy names.
const maxFrom = 10

// comments returns what is said above a policy: where it comes from, and what is to be known of it.
func (m *merged) comments() (texts []string) {
	seen := map[string]bool{}
	var all notes
	for _, p := range m.proposals {
		if from := p.at.String(); from != "" && !seen[from] {
			seen[from] = true
			if len(seen) <= maxFrom {
				texts = append(texts, "from "+from)
			}
		}
		for _, text := range p.notes.texts {
			all.add(text)
		}
	}
	if more := len(seen) - maxFrom; more > 0 {
		texts = append(texts, fmt.Sprintf("and from %d more places", more))
	}
	for _, text := range m.notes.texts {
		all.add(text)
	}
	return append(texts, all.texts...)
}

// comments returns what is said above a virtual host.
func (h *host) comments() (texts []string) {
	if from := h.at.String(); from != "" {
		texts = append(texts, "from "+from)
	}
	return append(texts, h.notes.texts...)
}

// key returns a text that is the same for virtual hosts that differ in their domains only.
func (h *host) key(of map[*proposal]*merged) string {
	var s strings.Builder
	one := func(p *place) {
		fmt.Fprintf(&s, "%v %d %q", p.nobody, p.reject, p.notes.texts)
		for _, list := range [][]*proposal{p.policies, p.candidates} {
			for _, q := range list {
				fmt.Fprintf(&s, " %p", of[q])
			}
			s.WriteByte(';')
		}
		s.WriteByte('\n')
	}
	one(&h.place)
	for _, r := range h.routes {
		fmt.Fprintf(&s, "%s %q ", r.match.kind, r.match.text)
		one(&r.place)
	}
	return s.String()
}
