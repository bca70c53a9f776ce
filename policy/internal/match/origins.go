package match

// Tested by policy/internal/lint/lint_test.go and policy/naive_test.go.

import (
	"iter"
	"math/bits"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// Origins is a compiled list of origin patterns. Exact origins are found by one look-up of the whole value; wildcards by
// one look-up for each length that a pattern's host has and at which the host of the request has a dot; what has a star in a
// label by a few in trees of what is written of that label (labels.go). So neither the number of patterns nor that of the
// request's labels matters much.
type Origins struct {
	Any, Null uint64 // "*" and "null" where they are listed

	index       *OriginIndex
	list        uint32  // its number in the index
	kinds       uint16  // which of the spaces have something of the list, a bit for each
	complete    bool    // the trees of labels are made
	lens        lengths // the lengths of the hosts in spaceSub
	anyPortLens lengths // and in spaceSubAnyPort
	from, to    int     // the records of the list and, between them, of schemes
}

// OriginIndex holds the patterns of all lists of a set.
type OriginIndex struct {
	Index
	lists   uint32
	schemes []string    // by their number, from otherScheme on
	groups  []uint32    // of patterns with a star in a label: the roots of their trees
	nodes   []labelNode // the first is none
}

// What patterns are entered as. Those with a wildcard are split at the "://": a space is of one list and one scheme, and
// the text is what follows. With a port of its own that stands behind the host, as in the origins that the pattern
// matches.
const (
	spaceExact      = iota // https://a.example:8443
	spaceHost              // a.example, for https://a.example:*
	spaceSub               // a.example:8443, for https://*.a.example:8443
	spaceSubAnyPort        // a.example, for https://*.a.example:*
	spaceAny               // :8443, for https://*:8443
	spaceAnyAnyPort        // nothing, for https://*:*
	spaceScheme            // the scheme's number

	spaceLabel              // app-*.a.example:8443, for https://app-*.a.example:8443
	spaceLabelAnyPort       // app-*.a.example, for https://app-*.a.example:*
	spaceLabelDomain        // a.example:8443, the number of the group of all those
	spaceLabelAnyPortDomain // a.example, likewise
	spaceLabelText          // a text in a tree: its node
)

// labelDomain leads from the space of patterns with a star in a label to that of the domains above.
const labelDomain = spaceLabelDomain - spaceLabel

// isPattern reports whether the records of a space are patterns.
func isPattern(kind int) bool {
	return kind < spaceScheme || kind == spaceLabel || kind == spaceLabelAnyPort
}

// Numbers of schemes. There is none for what no pattern with a wildcard has.
const (
	noScheme = iota
	schemeHTTP
	schemeHTTPS
	otherScheme
)

// originSpace packs what a space is of. Both numbers have 30 bits: more lists or schemes than that do not fit into the
// memory of a machine.
func originSpace(kind int, list, scheme uint32) uint64 {
	return uint64(kind)<<60 | uint64(list)<<30 | uint64(scheme)
}

// List begins a list. Its patterns must be added before those of another one.
func (x *OriginIndex) List() Origins {
	x.lists++
	return Origins{index: x, list: x.lists, from: len(x.records), to: len(x.records)}
}

// scheme returns the number of a scheme.
func (x *OriginIndex) scheme(s string) uint32 {
	switch s {
	case "https":
		return schemeHTTPS
	case "http":
		return schemeHTTP
	}
	return uint32(x.Find(originSpace(spaceScheme, 0, 0), s))
}

func (x *OriginIndex) addScheme(s string) uint32 {
	n := x.scheme(s)
	if n == noScheme {
		n = uint32(otherScheme + len(x.schemes))
		x.schemes = append(x.schemes, s)
		x.Add(originSpace(spaceScheme, 0, 0), s, uint64(n))
	}
	return n
}

// Add takes a pattern in, with the number that it is found as. Of two patterns that are the same the first one counts, and
// had is its number. Of the numbers of a list the lower ones stand for what stands earlier.
func (s *Origins) Add(p *origin.Pattern, number uint64) (had uint64) {
	switch p.Kind {
	case origin.PatternAny:
		if s.Any != 0 {
			return s.Any
		}
		s.Any = number
		return 0
	case origin.PatternNull:
		if s.Null != 0 {
			return s.Null
		}
		s.Null = number
		return 0
	}
	kind, text := indexKey(p)
	scheme := uint32(noScheme)
	switch kind {
	case spaceExact:
	case spaceSub:
		s.lens.add(len(p.Origin.Host))
		scheme = s.index.addScheme(p.Origin.Scheme)
	case spaceSubAnyPort:
		s.anyPortLens.add(len(p.Origin.Host))
		scheme = s.index.addScheme(p.Origin.Scheme)
	default:
		scheme = s.index.addScheme(p.Origin.Scheme)
	}
	s.kinds |= 1 << kind
	if kind == spaceLabel || kind == spaceLabelAnyPort {
		s.complete = false
	}
	had = uint64(s.index.Add(originSpace(kind, s.list, scheme), text, number))
	s.to = len(s.index.records)
	return had
}

// indexKey returns as what a pattern with a host is entered.
func indexKey(p *origin.Pattern) (kind int, text string) {
	anyPort := p.Origin.Port == origin.AnyPort
	switch {
	case p.Hosts == origin.HostExact && !anyPort:
		return spaceExact, p.Origin.Text
	case p.Hosts == origin.HostExact:
		return spaceHost, p.Origin.Host
	case p.Hosts == origin.HostSub && !anyPort:
		return spaceSub, hostPort(p)
	case p.Hosts == origin.HostSub:
		return spaceSubAnyPort, p.Origin.Host
	case p.Hosts == origin.HostLabel && !anyPort:
		return spaceLabel, hostPort(p)
	case p.Hosts == origin.HostLabel:
		return spaceLabelAnyPort, hostPort(p)
	case !anyPort:
		return spaceAny, hostPort(p)
	}
	return spaceAnyAnyPort, ""
}

// hostPort returns host and port of a pattern with a host, as written and without wildcards but for a star in a label.
func hostPort(p *origin.Pattern) string {
	text := p.Origin.Text[len(p.Origin.Scheme)+len("://"):]
	switch p.Hosts {
	case origin.HostSub:
		text = text[len("*."):]
	case origin.HostAny:
		text = text[len("*"):]
	}
	if p.Origin.Port == origin.AnyPort {
		text = text[:len(text)-len(":*")]
	}
	return text
}

// hostOf returns the host of a pattern as hostPort begins with it.
func hostOf(p *origin.Pattern) string {
	if p.Hosts != origin.HostLabel {
		return p.Origin.Host
	}
	return hostPort(p)[:len(p.Prefix)+len("*")+len(p.Suffix)+len(".")+len(p.Origin.Host)]
}

// HasWildcards reports whether the list has patterns of several origins, "*" aside.
func (s *Origins) HasWildcards() bool { return s.kinds&^(1<<spaceExact) != 0 }

// Empty reports whether the list has no pattern at all.
func (s *Origins) Empty() bool { return s.Any == 0 && s.Null == 0 && s.kinds == 0 }

func (s *Origins) has(kind int) bool { return s.kinds&(1<<kind) != 0 }

// find returns the number that is entered under a key; 0: there is none.
func (s *Origins) find(kind int, scheme uint32, text string) uint64 {
	if !s.has(kind) {
		return 0
	}
	return uint64(s.index.Find(originSpace(kind, s.list, scheme), text))
}

// Match returns the number of the pattern that covers a well-formed origin other than null, or 0. The most particular
// one counts: the exact origin, the host on any port, the longest beginning of a label, the longest wildcard, any host, anybody.
func (s *Origins) Match(o *origin.Origin) uint64 {
	if number := s.find(spaceExact, noScheme, o.Text); number != 0 {
		return number
	}
	if s.HasWildcards() {
		if number := s.matchWild(o); number != 0 {
			return number
		}
	}
	return s.Any
}

func (s *Origins) matchWild(o *origin.Origin) uint64 {
	scheme := s.index.scheme(o.Scheme)
	if scheme == noScheme {
		return 0
	}
	if number := s.find(spaceHost, scheme, o.Host); number != 0 {
		return number
	}
	hostPort := o.Text[len(o.Scheme)+len("://"):]
	if s.HasLabels() {
		if number := s.matchLabel(scheme, o.Host, hostPort); number != 0 {
			return number
		}
	}
	if number := s.matchSub(scheme, o.Host, hostPort); number != 0 {
		return number
	}
	return earlier(s.find(spaceAny, scheme, hostPort[len(o.Host):]), s.find(spaceAnyAnyPort, scheme, ""))
}

// matchSub looks for the longest scheme://*.host that covers an origin. What stands in front of host must be one or more
// labels: it ends where the dot is, so that "*.example.com" covers neither example.com nor evilexample.com.
func (s *Origins) matchSub(scheme uint32, host, hostPort string) uint64 {
	all := s.lens | s.anyPortLens
	for n := all.below(len(host) - 1); n > 0; n = all.below(n) {
		start := len(host) - n
		if host[start-1] != '.' {
			continue
		}
		var number, anyPort uint64
		if s.lens.has(n) {
			number = s.find(spaceSub, scheme, hostPort[start:])
		}
		if s.anyPortLens.has(n) {
			anyPort = s.find(spaceSubAnyPort, scheme, host[start:])
		}
		if number = earlier(number, anyPort); number != 0 {
			return number
		}
	}
	return 0
}

// earlier returns that of two numbers of one list which stands before the other.
func earlier(a, b uint64) uint64 {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// Written returns the first patterns of the list as they were written, at most n, and how many there are; without "*" and
// "null".
func (s *Origins) Written(n int) (first []string, total int) {
	for at := s.from; at < s.to; {
		r := s.index.record(at)
		at += r.size()
		kind := int(r.Space >> 60)
		if !isPattern(kind) {
			continue
		}
		if total++; total <= n {
			first = append(first, s.index.written(kind, uint32(r.Space&(1<<30-1)), string(r.Text)))
		}
	}
	return first, total
}

// All yields the patterns of the list with the number of each, without "*" and "null".
func (s *Origins) All() iter.Seq2[origin.Pattern, uint64] {
	return func(yield func(origin.Pattern, uint64) bool) {
		for text, value := range s.Texts() {
			if p, why := origin.ParsePattern(text); why == "" && !yield(p, value) {
				return
			}
		}
	}
}

// Texts yields the patterns of the list as they were written with the number of each, without "*" and "null".
func (s *Origins) Texts() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for at := s.from; at < s.to; {
			r := s.index.record(at)
			at += r.size()
			kind := int(r.Space >> 60)
			if isPattern(kind) && !yield(s.index.written(kind, uint32(r.Space&(1<<30-1)), string(r.Text)), r.Value) {
				return
			}
		}
	}
}

// written returns a pattern as it was written.
func (x *OriginIndex) written(kind int, scheme uint32, text string) string {
	name := ""
	switch scheme {
	case noScheme:
	case schemeHTTP:
		name = "http"
	case schemeHTTPS:
		name = "https"
	default:
		name = x.schemes[scheme-otherScheme]
	}
	switch kind {
	case spaceHost:
		return name + "://" + text + ":*"
	case spaceLabel:
		return name + "://" + text
	case spaceLabelAnyPort:
		return name + "://" + text + ":*"
	case spaceSub:
		return name + "://*." + text
	case spaceSubAnyPort:
		return name + "://*." + text + ":*"
	case spaceAny:
		return name + "://*" + text
	case spaceAnyAnyPort:
		return name + "://*:*"
	}
	return text
}

// lengths is a set of lengths of hosts, which are not told apart where they differ by a multiple of 64. That costs a
// look-up in vain now and then, and saves much in sets with many short lists.
type lengths uint64

func (l *lengths) add(n int)     { *l |= 1 << (n % 64) }
func (l lengths) has(n int) bool { return l&(1<<(n%64)) != 0 }

// below returns the greatest length under n that may be in the set; none if it is not above 0.
func (l lengths) below(n int) int {
	if l == 0 || n <= 0 {
		return 0
	}
	n--
	return n - bits.LeadingZeros64(bits.RotateLeft64(uint64(l), 63-n%64))
}
