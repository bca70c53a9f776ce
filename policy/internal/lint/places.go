package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// lintLists finds policies that are never tried where they are listed: they stand there already, or behind one that
// answers every origin.
func (l *Linter) lintLists() {
	for i, f := range l.Files {
		for at, m := range compile.Places(f.Set) {
			if names := m.GetPolicies().GetNames(); len(names) > 1 {
				l.lintPolicyList(l.In(int32(i), at.Path()).Field("policies"), names)
			}
			if names := m.GetCandidates().GetNames(); len(names) > 1 {
				l.lintPolicyList(l.In(int32(i), at.Path()).Field("candidates"), names)
			}
		}
	}
}

func (l *Linter) lintPolicyList(at finding.Location, names []string) {
	first, everybody := map[string]int{}, -1
	for i, name := range names {
		p := l.Set.ByName[name]
		if p == nil || p.Builtin {
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
			if p.Star { // which covers null too
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
func (l *Linter) lintHostNames() {
	leading := 0
	for i, f := range l.Files {
		for j, h := range f.Set.GetVirtualHosts() {
			name := h.GetName()
			if !match.IsGlob(name) || len(h.GetDomains()) > 0 {
				continue
			}
			if name[0] == '*' {
				if leading++; leading > maxLeadingStars {
					continue
				}
			}
			at := l.In(int32(i), finding.Path("").Name("virtual_hosts").Index(j)).Field("name")
			if l.HostAt(int(l.Set.Names.Find(compiled.NameGlob, name))).Field("name") != at {
				continue // there is an error about it
			}
			// A pattern that matches the text of another one, its stars included, matches all that the other one does.
			id, ok := l.Set.Globs.Find(name)
			if !ok {
				continue
			}
			winner := l.Set.Hosts[id]
			first := l.In(winner.Source, finding.Path("").Name("virtual_hosts").Index(int(winner.Position))).Field("name")
			if first != at {
				l.found.Warn(finding.Finding{Code: finding.CodeUnreachableHost, Location: at, Value: name,
					Message: "no request belongs here: the pattern " + winner.Label + " matches every such name too, and the longer pattern wins", Related: &first})
			}
		}
	}
}

// lintTiming finds timing_allow_origins where nothing is ever changed: at a passthrough place that hands them down to no
// other one.
func (l *Linter) lintTiming() {
	id, inherited := 1, false // inherited: default's list has an effect somewhere
	for i, f := range l.Files {
		for j, h := range f.Set.GetVirtualHosts() {
			host := &l.Set.Hosts[id]
			id++
			effect := !host.Active.Passthrough
			for k, r := range h.GetRoutes() {
				if r.GetTimingAllowOrigins() == nil {
					effect = effect || !host.Routes[k].Active.Passthrough
				} else if host.Routes[k].Active.Passthrough {
					l.warnTiming(l.In(int32(i), compile.Position{Host: j, Route: k}.Path()), r.GetTimingAllowOrigins())
				}
			}
			if h.GetTimingAllowOrigins() == nil {
				inherited = inherited || effect
			} else if !effect {
				l.warnTiming(l.In(int32(i), compile.Position{Host: j, Route: -1}.Path()), h.GetTimingAllowOrigins())
			}
		}
	}
	d := &l.Set.Hosts[0]
	if d.Source >= 0 && d.Active.Passthrough && !inherited {
		l.warnTiming(l.In(d.Source, finding.Path("").Name("default")), l.Files[d.Source].Set.GetDefault().GetTimingAllowOrigins())
	}
}

func (l *Linter) warnTiming(at finding.Location, list *corsprocv1.OriginList) {
	if origins := list.GetOrigins(); len(origins) > 0 {
		l.found.Warn(finding.Finding{Code: finding.CodeTimingNoEffect, Location: at.Field("timing_allow_origins").Index(0), Value: origins[0],
			Message: "this place is passthrough, where no response is changed: the list has no effect"})
	}
}
