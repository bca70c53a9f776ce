package policy

import (
	"iter"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// coveringElement returns the rule of a list that covers an element of it: matches, that is, every origin that the
// element matches. Of two that say the same the second is covered by the first. Its time grows with the labels of a host,
// not with the list.
func coveringElement(s *match.Origins, p *entry) (by Rule) {
	switch {
	case p.same != 0:
		return p.same
	case p.Kind != origin.PatternOrigin:
		return 0 // whether "*" covers null depends on the policy
	}
	return Rule(s.CoveringWider(&p.Pattern, nil))
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
