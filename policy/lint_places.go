package policy

import (
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/match"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// lintLists finds policies that are never tried where they are listed: they stand there already, or behind one that
// answers every origin.
func (l *linter) lintLists() {
	for i, src := range l.sources {
		for spot, m := range places(src.Set) {
			if names := m.GetPolicies().GetNames(); len(names) > 1 {
				l.lintPolicyList(l.in(int32(i), spot.path()).Field("policies"), names)
			}
			if names := m.GetCandidates().GetNames(); len(names) > 1 {
				l.lintPolicyList(l.in(int32(i), spot.path()).Field("candidates"), names)
			}
		}
	}
}

func (l *linter) lintPolicyList(at finding.Location, names []string) {
	first, everybody := map[string]int{}, -1
	for i, name := range names {
		p := l.set.byName[name]
		if p == nil || p.builtin {
			continue // it is built in, or there is an error about it
		}
		earlier, again := first[name]
		switch {
		case again:
			l.found.Hint(finding.Finding{Code: finding.CodeUnreachablePolicy, Location: at.Index(i), Value: name,
				Message: "this stands in the list already", Related: new(at.Index(earlier))})
		case everybody >= 0:
			l.found.Hint(finding.Finding{Code: finding.CodeUnreachablePolicy, Location: at.Index(i), Value: name,
				Message: "this is never tried here: " + names[everybody] + " allows every origin, and the first policy that matches ends the search", Related: new(at.Index(everybody))})
		default:
			first[name] = i
			if p.star { // which covers null too
				everybody = i
			}
		}
	}
}

// maxLeadingStars is how many names that begin with a star are looked at. Each is held against all others of these, which
// no index tells apart.
const maxLeadingStars = 5000

// lintHostNames finds virtual hosts that have nothing but a pattern for a name, of which every name that it matches
// belongs to a longer pattern. Domains can always be reached: they stand once, and the longest wins.
func (l *linter) lintHostNames() {
	leading := 0
	for i, src := range l.sources {
		for j, h := range src.Set.GetVirtualHosts() {
			name := h.GetName()
			if !match.IsGlob(name) || len(h.GetDomains()) > 0 {
				continue
			}
			if name[0] == '*' {
				if leading++; leading > maxLeadingStars {
					continue
				}
			}
			at := l.in(int32(i), finding.Path("").Name("virtual_hosts").Index(j)).Field("name")
			if l.hostAt(int(l.set.names.Find(nameGlob, name))).Field("name") != at {
				continue // there is an error about it
			}
			// A pattern that matches the text of another one, its stars included, matches all that the other one does.
			id, ok := l.set.globs.Find(name)
			if !ok {
				continue
			}
			winner := l.set.hosts[id]
			first := l.in(winner.source, finding.Path("").Name("virtual_hosts").Index(int(winner.position))).Field("name")
			if first != at {
				l.found.Warn(finding.Finding{Code: finding.CodeUnreachableHost, Location: at, Value: name,
					Message: "no request belongs here: the pattern " + winner.label + " matches every such name too, and the longer pattern wins", Related: &first})
			}
		}
	}
}

// lintTiming finds timing_allow_origins where nothing is ever changed: at a passthrough place that hands them down to no
// other one.
func (l *linter) lintTiming() {
	id, inherited := 1, false // inherited: default's list has an effect somewhere
	for i, src := range l.sources {
		for j, h := range src.Set.GetVirtualHosts() {
			host := &l.set.hosts[id]
			id++
			effect := !host.policies.passthrough
			for k, r := range h.GetRoutes() {
				if r.GetTimingAllowOrigins() == nil {
					effect = effect || !host.routes[k].policies.passthrough
				} else if host.routes[k].policies.passthrough {
					l.warnTiming(l.in(int32(i), spot{j, k}.path()), r.GetTimingAllowOrigins())
				}
			}
			if h.GetTimingAllowOrigins() == nil {
				inherited = inherited || effect
			} else if !effect {
				l.warnTiming(l.in(int32(i), spot{j, -1}.path()), h.GetTimingAllowOrigins())
			}
		}
	}
	d := &l.set.hosts[0]
	if d.source >= 0 && d.policies.passthrough && !inherited {
		l.warnTiming(l.in(d.source, finding.Path("").Name("default")), l.sources[d.source].Set.GetDefault().GetTimingAllowOrigins())
	}
}

func (l *linter) warnTiming(at finding.Location, list *corsprocv1.OriginList) {
	if origins := list.GetOrigins(); len(origins) > 0 {
		l.found.Warn(finding.Finding{Code: finding.CodeTimingNoEffect, Location: at.Field("timing_allow_origins").Index(0), Value: origins[0],
			Message: "this place is passthrough, where no response is changed: the list has no effect"})
	}
}
