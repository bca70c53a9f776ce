package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/compiled"
)

// lintFixedOrigins finds policies with fixed_origin at places whose answers depend on who asks all the same: where other
// policies are listed too, or requests are rejected.
func (l *Linter) lintFixedOrigins() {
	id := 1 // the first virtual host is default
	for i, f := range l.Files {
		if d := f.Set.GetDefault(); d != nil {
			l.lintFixedOrigin(l.In(int32(i), compile.Position{Host: -1, Route: -1}.Path()), d, &l.Set.Hosts[0].Place)
		}
		for j, h := range f.Set.GetVirtualHosts() {
			host := &l.Set.Hosts[id]
			id++
			l.lintFixedOrigin(l.In(int32(i), compile.Position{Host: j, Route: -1}.Path()), h, &host.Place)
			for k, r := range h.GetRoutes() {
				l.lintFixedOrigin(l.In(int32(i), compile.Position{Host: j, Route: k}.Path()), r, &host.Routes[k].Place)
			}
		}
	}
}

// lintFixedOrigin looks at what a place says itself. Of what it takes over from an outer place, that is told.
func (l *Linter) lintFixedOrigin(at finding.Location, m compile.Place, p *compiled.Place) {
	warn := func(at finding.Location, value, because string) {
		l.found.Warn(finding.Finding{Code: finding.CodeFixedNoEffect, Location: at, Value: value,
			Message: "fixed_origin has no effect at this place, " + because + ": its answers have Vary, and a cache that ignores that mixes them up"})
	}
	names := m.GetPolicies().GetNames()
	if len(names) > 1 {
		for i, name := range names {
			if policy := l.Set.ByName[name]; policy != nil && policy.FixedOrigin != "" {
				warn(at.Field("policies").Index(i), name, "where other policies are listed too")
			}
		}
		return
	}
	if p.Reject == compiled.RejectNever || !p.Active.ButPreflights {
		return
	}
	const because = "which rejects requests"
	switch {
	case len(names) > 0:
		warn(at.Field("policies").Index(0), names[0], because)
	case m.GetReject() != 0:
		warn(at.Field("reject"), p.Reject.String(), because)
	}
}
