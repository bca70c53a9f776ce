package policy

import (
	"slices"
	"strings"
)

// denied returns a gap for each entry of deny_origins that covers an origin: it is denied until all of them are gone.
func (g *grant) denied(o *origin) (gaps []Gap) {
	for _, set := range g.deny {
		for _, rule := range set.covering(o) {
			gaps = append(gaps, Gap{Kind: GapDenied, Policy: g.name, Rule: rule, Value: o.text})
		}
	}
	return gaps
}

// covering returns every rule that covers an origin, in the order of the list; of entries that are the same, the first.
// [origins.match] finds the most particular one.
func (s *origins) covering(o *origin) (rules []Rule) {
	add := func(rule Rule) {
		if rule != 0 {
			rules = append(rules, rule)
		}
	}
	all := func(list []scoped) {
		for _, entry := range list {
			if entry.covers(o) {
				add(entry.rule)
			}
		}
	}
	add(s.any)
	if o.null {
		add(s.null)
	} else {
		add(s.exact[o.text])
		all(s.anyPort[o.host])
		all(s.anyHosts)
		for i := 1; i < len(o.host); i++ {
			if o.host[i] == '.' {
				all(s.sub[o.host[i+1:]])
			}
		}
	}
	slices.Sort(rules)
	return rules
}

// isDangerous reports whether an origin must not get credentials.
func isDangerous(text string) bool {
	p, why := parsePattern(text)
	return why == "" && len(patternDangers(&p)) > 0
}

// isDangerous reports whether a policy without credentials cannot have them: somebody that it allows must not get them,
// or its "*" would become the name of a header.
func (g *grant) isDangerous() bool {
	if strings.HasPrefix(g.exposeHeaders, "*") {
		return true
	}
	for _, re := range g.regexes {
		if acceptsAll(re, probeOrigins("https")) || acceptsAll(re, probeOrigins("http")) {
			return true
		}
	}
	for _, set := range g.allow {
		if set.any != 0 || set.null != 0 {
			return true
		}
		for text := range set.exact {
			if isDangerous(text) {
				return true
			}
		}
		dangerous := func(list []scoped, kind hostKind, host string) bool {
			return slices.ContainsFunc(list, func(s scoped) bool {
				p := pattern{kind: patternOrigin, host: kind, origin: origin{scheme: s.scheme, host: host}}
				return len(patternDangers(&p)) > 0
			})
		}
		for host, list := range set.anyPort {
			if dangerous(list, hostExact, host) {
				return true
			}
		}
		for host, list := range set.sub {
			if dangerous(list, hostSub, host) {
				return true
			}
		}
		if dangerous(set.anyHosts, hostAny, "") {
			return true
		}
	}
	return false
}
