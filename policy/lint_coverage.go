package policy

import (
	"cmp"
	"iter"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// coveringElement returns the rule of a list that covers an element of it: matches, that is, every origin that the
// element matches. Of two that say the same the second is covered by the first. Its time grows with the labels of a host,
// not with the list.
func (s *origins) coveringElement(p *entry) (by Rule) {
	switch {
	case p.same != 0:
		return p.same
	case p.Kind != origin.PatternOrigin:
		return 0 // whether "*" covers null depends on the policy
	}
	return s.coveringWider(&p.Pattern, nil)
}

// coveringPattern is coveringElement for a pattern that does not stand in the list. Rules that except is true of do not
// count; nil: all do.
func (s *origins) coveringPattern(p *origin.Pattern, except func(Rule) bool) (by Rule) {
	switch p.Kind {
	case origin.PatternNull:
		return unless(except, s.null)
	case origin.PatternAny:
		return unless(except, s.any)
	}
	kind, text := indexKey(p)
	scheme := uint32(noScheme)
	if kind != spaceExact {
		scheme = s.index.scheme(p.Origin.Scheme)
	}
	if by := unless(except, s.find(kind, scheme, text)); by != 0 {
		return by
	}
	return s.coveringWider(p, except)
}

// unless returns a rule, and 0 where it does not count.
func unless(except func(Rule) bool, r Rule) Rule {
	if r != 0 && except != nil && except(r) {
		return 0
	}
	return r
}

// coveringWider looks for a pattern that covers p and is not the same: the narrowest.
func (s *origins) coveringWider(p *origin.Pattern, except func(Rule) bool) (by Rule) {
	scheme := uint32(noScheme)
	if s.kinds&^(1<<spaceExact) != 0 {
		scheme = s.index.scheme(p.Origin.Scheme)
	}
	if scheme == noScheme {
		return unless(except, s.any)
	}
	find := func(kind int, text string) Rule { return unless(except, s.find(kind, scheme, text)) }
	host, hostPort := p.Origin.Host, hostPort(p)
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
		return cmp.Or(by, unless(except, s.any))
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
	return cmp.Or(by, find(spaceAnyAnyPort, ""), unless(except, s.any))
}

// element returns which element of its list a rule is.
func (r Rule) element() int {
	_, _, i := r.parts()
	return i
}

// coverKey is what a pattern with a host matches.
type coverKey struct {
	host   origin.HostKind
	scheme string
	name   string // empty for origin.HostAny
	port   int32
}

func keyOf(p *origin.Pattern) coverKey {
	return coverKey{p.Hosts, p.Origin.Scheme, p.Origin.Host, p.Origin.Port}
}

// enclosingHosts yields the same without looking at ports, which are 0.
func enclosingHosts(p *origin.Pattern) iter.Seq[coverKey] {
	return func(yield func(coverKey) bool) {
		key := keyOf(p)
		key.port = 0
		if !yield(key) || p.Hosts == origin.HostAny {
			return
		}
		key.host = origin.HostSub
		for i := 1; i < len(p.Origin.Host)-1; i++ {
			if p.Origin.Host[i] == '.' {
				key.name = p.Origin.Host[i+1:]
				if !yield(key) {
					return
				}
			}
		}
		key.host, key.name = origin.HostAny, ""
		yield(key)
	}
}

// parents yields the domains above a host of an origin, the nearest first, without the top-level one.
func parents(host string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range deepest {
			_, parent, ok := strings.Cut(host, ".")
			if !ok || !strings.Contains(parent, ".") || !yield(parent) {
				return
			}
			host = parent
		}
	}
}
