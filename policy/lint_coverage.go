package policy

import (
	"iter"
	"strings"
)

// A coverage answers which pattern of a list covers another one: which one, that is, matches every origin that the other
// one matches. The time of an answer grows with the labels of a host, not with the list.
type coverage struct {
	first     map[coverKey]int // the index of the first pattern that matches exactly this
	any, null int              // of "*" and "null"; -1: there is none
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

func newCoverage(patterns []pattern) *coverage {
	c := &coverage{first: make(map[coverKey]int, len(patterns)), any: -1, null: -1}
	for i := range patterns {
		p := &patterns[i]
		switch p.kind {
		case patternAny:
			if c.any < 0 {
				c.any = p.index
			}
		case patternNull:
			if c.null < 0 {
				c.null = p.index
			}
		default:
			if _, ok := c.first[keyOf(p)]; !ok {
				c.first[keyOf(p)] = p.index
			}
		}
	}
	return c
}

// covering returns the index of a pattern that covers p. Of two that say the same the second is covered by the first;
// before is the index of p itself, or one beyond all where p stands in another list.
func (c *coverage) covering(p *pattern, before int) (index int, ok bool) {
	switch p.kind {
	case patternNull:
		return c.null, c.null >= 0 && c.null < before // whether "*" covers it depends on the policy
	case patternAny:
		return c.any, c.any >= 0 && c.any < before
	}
	self := keyOf(p)
	for key := range enclosing(p) {
		if i, found := c.first[key]; found && (key != self || i < before) {
			return i, true
		}
	}
	return c.any, c.any >= 0
}

// enclosing yields what patterns with a host can match that covers p, p itself first.
func enclosing(p *pattern) iter.Seq[coverKey] {
	return func(yield func(coverKey) bool) {
		for key := range enclosingHosts(p) {
			key.port = p.origin.port
			if !yield(key) {
				return
			}
			if key.port == anyPort {
				continue
			}
			key.port = anyPort
			if !yield(key) {
				return
			}
		}
	}
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
		const deepest = 8 // of deeper hosts the others count for nothing
		for range deepest {
			_, parent, ok := strings.Cut(host, ".")
			if !ok || !strings.Contains(parent, ".") || !yield(parent) {
				return
			}
			host = parent
		}
	}
}
