package build

// Tested by builder_test.go and policy/convert/golden_test.go.

import (
	"fmt"
	"strings"

	"github.com/corsproc/corsproc/policy/draft"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// write fills the file.
func (b *Builder) write(f *draft.File, of map[*Proposal]*merged) {
	var taken draft.Names
	written := map[*merged]bool{}
	name := func(p *Proposal) string {
		m := of[p]
		if !written[m] {
			written[m] = true
			m.name = taken.Take(p.Name)
			f.Set.Policies[m.name] = m.policy
			f.Order = append(f.Order, m.name)
			f.Before(draft.At(m.policy), m.comments()...)
			if dangers := draft.At(m.policy).Field("dangerously_allow"); len(m.policy.DangerouslyAllow) > 0 {
				f.Before(dangers, "as the source allows it; without this line it would not load")
			}
		}
		return m.name
	}
	list := func(proposals []*Proposal) *corsprocv1.PolicyList {
		if len(proposals) == 0 {
			return nil
		}
		names := &corsprocv1.PolicyList{}
		for _, q := range proposals {
			names.Names = append(names.Names, name(q))
		}
		return names
	}
	active := func(p *Place) *corsprocv1.PolicyList {
		switch {
		case len(p.Policies) > 0:
		case p.Nobody:
			return &corsprocv1.PolicyList{Names: []string{"none"}}
		default:
			return &corsprocv1.PolicyList{Names: []string{"passthrough"}}
		}
		return list(p.Policies)
	}
	for _, h := range b.Hosts {
		v := &corsprocv1.VirtualHost{Name: h.Name, Domains: h.Domains, Policies: active(&h.Place), Candidates: list(h.Candidates), Reject: h.Reject}
		f.Before(draft.At(v), h.comments()...)
		for _, r := range h.Routes {
			t := &corsprocv1.Route{Policies: active(&r.Place), Candidates: list(r.Candidates), Reject: r.Reject}
			if r.Reject == 0 && h.Reject != 0 {
				t.Reject = corsprocv1.Reject_REJECT_NEVER // else it is the virtual host's
			}
			r.Match.set(t)
			f.Before(draft.At(t), r.Notes.Texts...)
			v.Routes = append(v.Routes, t)
		}
		f.Set.VirtualHosts = append(f.Set.VirtualHosts, v)
	}
}

func (m Match) set(t *corsprocv1.Route) {
	switch m.Kind {
	case MatchPath:
		t.Path = m.Text
	case MatchPrefix:
		t.Prefix = m.Text
	case MatchSegments:
		t.PathSeparatedPrefix = m.Text
	case MatchRegex:
		t.Regex = m.Text
	}
}

// MaxFrom is how many places of the source a policy names.
const MaxFrom = 10

// comments returns what is said above a policy: where it comes from, and what is to be known of it.
func (m *merged) comments() (texts []string) {
	seen := map[string]bool{}
	var all Notes
	for _, p := range m.proposals {
		if from := p.At.String(); from != "" && !seen[from] {
			seen[from] = true
			if len(seen) <= MaxFrom {
				texts = append(texts, "from "+from)
			}
		}
		all.Add(p.Notes.Texts...)
	}
	if more := len(seen) - MaxFrom; more > 0 {
		texts = append(texts, fmt.Sprintf("and from %d more places", more))
	}
	return append(texts, all.Texts...)
}

// comments returns what is said above a virtual host.
func (h *Host) comments() (texts []string) {
	if from := h.At.String(); from != "" {
		texts = append(texts, "from "+from)
	}
	return append(texts, h.Notes.Texts...)
}

// key returns a text that is the same for virtual hosts that differ in their domains only.
func (h *Host) key(of map[*Proposal]*merged) string {
	var s strings.Builder
	one := func(p *Place) {
		fmt.Fprintf(&s, "%v %d %q", p.Nobody, p.Reject, p.Notes.Texts)
		for _, list := range [][]*Proposal{p.Policies, p.Candidates} {
			for _, q := range list {
				fmt.Fprintf(&s, " %p", of[q])
			}
			s.WriteByte(';')
		}
		s.WriteByte('\n')
	}
	one(&h.Place)
	for _, r := range h.Routes {
		fmt.Fprintf(&s, "%s %q ", r.Match.Kind, r.Match.Text)
		one(&r.Place)
	}
	return s.String()
}
