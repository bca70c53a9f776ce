package match

// Tested by policy/internal/lint/lint_test.go and policy/naive_test.go.

import (
	"cmp"
	"slices"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// First returns the least number of all patterns that cover a well-formed origin other than null, or 0.
func (s *Origins) First(o *origin.Origin) uint64 {
	least := earlier(s.Any, s.find(spaceExact, noScheme, o.Text))
	scheme := s.index.scheme(o.Scheme)
	if scheme == noScheme {
		return least
	}
	hostPort := o.Text[len(o.Scheme)+len("://"):]
	for _, number := range [...]uint64{
		s.find(spaceHost, scheme, o.Host), s.find(spaceAny, scheme, hostPort[len(o.Host):]), s.find(spaceAnyAnyPort, scheme, ""),
	} {
		least = earlier(least, number)
	}
	s.coveringLabel(scheme, o.Host, hostPort, func(number uint64) { least = earlier(least, number) })
	all := s.lens | s.anyPortLens
	for n := all.below(len(o.Host) - 1); n > 0; n = all.below(n) {
		if start := len(o.Host) - n; o.Host[start-1] == '.' {
			least = earlier(least, earlier(s.find(spaceSub, scheme, hostPort[start:]), s.find(spaceSubAnyPort, scheme, o.Host[start:])))
		}
	}
	return least
}

// Covering returns the number of every pattern that covers an origin, in the order of the list; of entries that are the
// same, that of the first. [Origins.Match] finds the most particular one.
func (s *Origins) Covering(o *origin.Origin) (numbers []uint64) {
	add := func(number uint64) {
		if number != 0 {
			numbers = append(numbers, number)
		}
	}
	add(s.Any)
	if o.Null {
		add(s.Null)
		slices.Sort(numbers)
		return numbers
	}
	add(s.find(spaceExact, noScheme, o.Text))
	if scheme := s.index.scheme(o.Scheme); scheme != noScheme {
		hostPort := o.Text[len(o.Scheme)+len("://"):]
		add(s.find(spaceHost, scheme, o.Host))
		add(s.find(spaceAny, scheme, hostPort[len(o.Host):]))
		add(s.find(spaceAnyAnyPort, scheme, ""))
		s.coveringLabel(scheme, o.Host, hostPort, add)
		for i := 1; i < len(o.Host)-1; i++ {
			if o.Host[i] == '.' {
				add(s.find(spaceSub, scheme, hostPort[i+1:]))
				add(s.find(spaceSubAnyPort, scheme, o.Host[i+1:]))
			}
		}
	}
	slices.Sort(numbers)
	return numbers
}

// CoveringPattern is coveringElement for a pattern that does not stand in the list. Numbers that except is true of do not
// count; nil: all do.
func (s *Origins) CoveringPattern(p *origin.Pattern, except func(uint64) bool) (by uint64) {
	switch p.Kind {
	case origin.PatternNull:
		return unless(except, s.Null)
	case origin.PatternAny:
		return unless(except, s.Any)
	}
	kind, text := indexKey(p)
	scheme := uint32(noScheme)
	if kind != spaceExact {
		scheme = s.index.scheme(p.Origin.Scheme)
	}
	if by := unless(except, s.find(kind, scheme, text)); by != 0 {
		return by
	}
	return s.CoveringWider(p, except)
}

// unless returns a number, and 0 where it does not count.
func unless(except func(uint64) bool, r uint64) uint64 {
	if r != 0 && except != nil && except(r) {
		return 0
	}
	return r
}

// CoveringWider looks for a pattern that covers p and is not the same: the narrowest.
func (s *Origins) CoveringWider(p *origin.Pattern, except func(uint64) bool) (by uint64) {
	scheme := uint32(noScheme)
	if s.HasWildcards() {
		scheme = s.index.scheme(p.Origin.Scheme)
	}
	if scheme == noScheme {
		return unless(except, s.Any)
	}
	find := func(kind int, text string) uint64 { return unless(except, s.find(kind, scheme, text)) }
	host, hostPort := hostOf(p), hostPort(p)
	fixed := p.Origin.Port != origin.AnyPort // where p has any port, only what has it too covers p
	if fixed {
		switch p.Hosts {
		case origin.HostExact:
			by = find(spaceHost, host)
		case origin.HostSub:
			by = find(spaceSubAnyPort, host)
		case origin.HostAny:
			by = find(spaceAnyAnyPort, "")
		}
	}
	if by != 0 || p.Hosts == origin.HostAny {
		return cmp.Or(by, unless(except, s.Any))
	}
	if by = s.widerLabel(scheme, p, except); by != 0 {
		return by
	}
	all := s.lens | s.anyPortLens
	for n := all.below(len(host) - 1); n > 0; n = all.below(n) {
		start := len(host) - n
		if host[start-1] != '.' {
			continue
		}
		if fixed {
			by = find(spaceSub, hostPort[start:])
		}
		if by = cmp.Or(by, find(spaceSubAnyPort, host[start:])); by != 0 {
			return by
		}
	}
	if fixed {
		by = find(spaceAny, hostPort[len(host):])
	}
	return cmp.Or(by, find(spaceAnyAnyPort, ""), unless(except, s.Any))
}

// HasAnyHost reports whether the list has patterns of any host.
func (s *Origins) HasAnyHost() bool { return s.has(spaceAny) || s.has(spaceAnyAnyPort) }

// HasLabels reports whether the list has patterns with a star for a part of a label.
func (s *Origins) HasLabels() bool { return s.has(spaceLabel) || s.has(spaceLabelAnyPort) }
