package policy

import (
	"cmp"
	"iter"
	"strings"
)

// coveringElement returns the rule of a list that covers an element of it: matches, that is, every origin that the
// element matches. Of two that say the same the second is covered by the first. Its time grows with the labels of a host,
// not with the list.
func (s *origins) coveringElement(p *entry) (by Rule) {
	switch {
	case p.same != 0:
		return p.same
	case p.kind != patternOrigin:
		return 0 // whether "*" covers null depends on the policy
	}
	return s.coveringWider(&p.pattern, nil)
}

// coveringPattern is coveringElement for a pattern that does not stand in the list. Rules that except is true of do not
// count; nil: all do.
func (s *origins) coveringPattern(p *pattern, except func(Rule) bool) (by Rule) {
	switch p.kind {
	case patternNull:
		return unless(except, s.null)
	case patternAny:
		return unless(except, s.any)
	}
	kind, text := p.key()
	scheme := uint32(noScheme)
	if kind != spaceExact {
		scheme = s.index.scheme(p.origin.scheme)
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
func (s *origins) coveringWider(p *pattern, except func(Rule) bool) (by Rule) {
	scheme := uint32(noScheme)
	if s.kinds&^(1<<spaceExact) != 0 {
		scheme = s.index.scheme(p.origin.scheme)
	}
	if scheme == noScheme {
		return unless(except, s.any)
	}
	find := func(kind int, text string) Rule { return unless(except, s.find(kind, scheme, text)) }
	host, hostPort := p.origin.host, p.hostPort()
	fixed := p.origin.port != anyPort // where p has any port, only what has it too covers p
	if fixed {
		switch p.host {
		case hostExact:
			by = find(spaceHost, host)
		case hostSub:
			by = find(spaceSubAnyPort, host)
		case hostAny:
			by = find(spaceAnyAnyPort, "")
		}
	}
	if by != 0 || p.host == hostAny {
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
	host   hostKind
	scheme string
	name   string // empty for hostAny
	port   int32
}

func keyOf(p *pattern) coverKey {
	return coverKey{p.host, p.origin.scheme, p.origin.host, p.origin.port}
}

// enclosingHosts yields the same without looking at ports, which are 0.
func enclosingHosts(p *pattern) iter.Seq[coverKey] {
	return func(yield func(coverKey) bool) {
		key := keyOf(p)
		key.port = 0
		if !yield(key) || p.host == hostAny {
			return
		}
		key.host = hostSub
		for i := 1; i < len(p.origin.host)-1; i++ {
			if p.origin.host[i] == '.' {
				key.name = p.origin.host[i+1:]
				if !yield(key) {
					return
				}
			}
		}
		key.host, key.name = hostAny, ""
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
