package origin

// Tested by policy/internal/lint/lint_test.go.

import "iter"

// Scope is what a pattern with a host matches, whatever its port. Patterns of one scope differ in their ports alone.
type Scope struct {
	Hosts  HostKind
	Scheme string
	Host   string // empty for HostAny
	Label         // of HostLabel
}

// ScopeOf returns the scope of a pattern.
func ScopeOf(p *Pattern) Scope { return Scope{p.Hosts, p.Origin.Scheme, p.Origin.Host, p.Label} }

// Text returns the scope as a pattern without a port.
func (s Scope) Text() string {
	host := s.Host
	switch s.Hosts {
	case HostSub:
		host = "*." + host
	case HostLabel:
		host = s.Prefix + "*" + s.Suffix + "." + host
	case HostAny:
		host = "*"
	}
	return s.Scheme + "://" + host
}

// Around yields the scope of a pattern and all that enclose it, the nearest first. Those with a star in a label are not among
// them, but for the pattern's own.
func Around(p *Pattern) iter.Seq[Scope] {
	return func(yield func(Scope) bool) {
		s := ScopeOf(p)
		if !yield(s) || p.Hosts == HostAny {
			return
		}
		s.Label = Label{}
		if s.Hosts == HostLabel {
			s.Hosts = HostSub
			if !yield(s) {
				return
			}
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
