package origin

// Tested by policy/internal/lint/lint_test.go.

import "iter"

// Scope is what a pattern with a host matches, whatever its port. Patterns of one scope differ in their ports alone.
type Scope struct {
	Hosts  HostKind
	Scheme string
	Host   string // empty for HostAny
}

// ScopeOf returns the scope of a pattern.
func ScopeOf(p *Pattern) Scope { return Scope{p.Hosts, p.Origin.Scheme, p.Origin.Host} }

// Around yields the scope of a pattern and all that enclose it, the nearest first.
func Around(p *Pattern) iter.Seq[Scope] {
	return func(yield func(Scope) bool) {
		s := ScopeOf(p)
		if !yield(s) || p.Hosts == HostAny {
			return
		}
		s.Hosts = HostSub
		for i := 1; i < len(p.Origin.Host)-1; i++ {
			if p.Origin.Host[i] == '.' {
				s.Host = p.Origin.Host[i+1:]
				if !yield(s) {
					return
				}
			}
		}
		s.Hosts, s.Host = HostAny, ""
		yield(s)
	}
}
