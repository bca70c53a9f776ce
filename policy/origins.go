package policy

import (
	"iter"
	"math/bits"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// origins is a compiled list of origin patterns. Exact origins are found by one look-up of the whole value; wildcards by
// one look-up for each length that a pattern's host has and at which the host of the request has a dot. So neither the
// number of patterns nor that of the request's labels matters much.
type origins struct {
	any, null Rule // "*" and "null" where they are listed

	index       *originIndex
	list        uint32  // its number in the index
	kinds       uint8   // which of the spaces have something of the list, a bit for each
	lens        lengths // the lengths of the hosts in spaceSub
	anyPortLens lengths // and in spaceSubAnyPort
	from, to    int     // the records of the list and, between them, of schemes
}

// originIndex holds the patterns of all lists of a set.
type originIndex struct {
	index
	lists   uint32
	schemes []string // by their number, from otherScheme on
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
)

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

// newOrigins begins a list. Its patterns must be added before those of another one.
func (x *originIndex) newOrigins() origins {
	x.lists++
	return origins{index: x, list: x.lists, from: len(x.records), to: len(x.records)}
}

// scheme returns the number of a scheme.
func (x *originIndex) scheme(s string) uint32 {
	switch s {
	case "https":
		return schemeHTTPS
	case "http":
		return schemeHTTP
	}
	return uint32(x.find(originSpace(spaceScheme, 0, 0), s))
}

func (x *originIndex) addScheme(s string) uint32 {
	n := x.scheme(s)
	if n == noScheme {
		n = uint32(otherScheme + len(x.schemes))
		x.schemes = append(x.schemes, s)
		x.add(originSpace(spaceScheme, 0, 0), s, uint64(n))
	}
	return n
}

// add takes a pattern in. Where two patterns are the same, the first one is the rule, and had is it.
func (s *origins) add(p *origin.Pattern, rule Rule) (had Rule) {
	switch p.Kind {
	case origin.PatternAny:
		if s.any != 0 {
			return s.any
		}
		s.any = rule
		return 0
	case origin.PatternNull:
		if s.null != 0 {
			return s.null
		}
		s.null = rule
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
	had = Rule(s.index.add(originSpace(kind, s.list, scheme), text, uint64(rule)))
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
	case !anyPort:
		return spaceAny, hostPort(p)
	}
	return spaceAnyAnyPort, ""
}

// hostPort returns host and port of a pattern with a host, as written and without wildcards.
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

func (s *origins) empty() bool { return s.any == 0 && s.null == 0 && s.kinds == 0 }

func (s *origins) has(kind int) bool { return s.kinds&(1<<kind) != 0 }

// find returns the rule that is entered under a key; 0: there is none.
func (s *origins) find(kind int, scheme uint32, text string) Rule {
	if !s.has(kind) {
		return 0
	}
	return Rule(s.index.find(originSpace(kind, s.list, scheme), text))
}

// match returns the rule that covers a well-formed origin other than null, or 0. The most particular rule is named:
// the exact origin, the host on any port, the longest wildcard, any host, anybody.
func (s *origins) match(o *origin.Origin) Rule {
	if rule := s.find(spaceExact, noScheme, o.Text); rule != 0 {
		return rule
	}
	if s.kinds&^(1<<spaceExact) != 0 {
		if rule := s.matchWild(o); rule != 0 {
			return rule
		}
	}
	return s.any
}

func (s *origins) matchWild(o *origin.Origin) Rule {
	scheme := s.index.scheme(o.Scheme)
	if scheme == noScheme {
		return 0
	}
	if rule := s.find(spaceHost, scheme, o.Host); rule != 0 {
		return rule
	}
	hostPort := o.Text[len(o.Scheme)+len("://"):]
	if rule := s.matchSub(scheme, o.Host, hostPort); rule != 0 {
		return rule
	}
	return earlier(s.find(spaceAny, scheme, hostPort[len(o.Host):]), s.find(spaceAnyAnyPort, scheme, ""))
}

// matchSub looks for the longest scheme://*.host that covers an origin. What stands in front of host must be one or more
// labels: it ends where the dot is, so that "*.example.com" covers neither example.com nor evilexample.com.
func (s *origins) matchSub(scheme uint32, host, hostPort string) Rule {
	all := s.lens | s.anyPortLens
	for n := all.below(len(host) - 1); n > 0; n = all.below(n) {
		start := len(host) - n
		if host[start-1] != '.' {
			continue
		}
		var rule, anyPort Rule
		if s.lens.has(n) {
			rule = s.find(spaceSub, scheme, hostPort[start:])
		}
		if s.anyPortLens.has(n) {
			anyPort = s.find(spaceSubAnyPort, scheme, host[start:])
		}
		if rule = earlier(rule, anyPort); rule != 0 {
			return rule
		}
	}
	return 0
}

// earlier returns that of two rules of one list which stands before the other.
func earlier(a, b Rule) Rule {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// all yields the patterns of the list with the first rule of each, without "*" and "null".
func (s *origins) all() iter.Seq2[origin.Pattern, Rule] {
	return func(yield func(origin.Pattern, Rule) bool) {
		for at := s.from; at < s.to; {
			r := s.index.record(at)
			at += r.size()
			if kind := int(r.space >> 60); kind != spaceScheme {
				text := s.index.written(kind, uint32(r.space&(1<<30-1)), string(r.text))
				if p, why := origin.ParsePattern(text); why == "" && !yield(p, Rule(r.value)) {
					return
				}
			}
		}
	}
}

// written returns a pattern as it was written.
func (x *originIndex) written(kind int, scheme uint32, text string) string {
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
