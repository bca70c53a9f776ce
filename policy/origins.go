package policy

// origins is a compiled list of origin patterns. Exact origins are found by one look-up of the whole value; wildcards by
// one look-up for each length that a pattern's host has and at which the host of the request has a dot. So neither the
// number of patterns nor that of the request's labels matters much.
type origins struct {
	any, null Rule // "*" and "null" where they are listed

	exact    map[string]Rule     // serialised origin
	anyPort  map[string][]scoped // host, for scheme://host:*
	sub      map[string][]scoped // host, for scheme://*.host
	subLens  lengths             // the lengths of sub's keys
	anyHosts []scoped            // scheme://*; at most a few schemes and ports
}

// scoped is what of a wildcard pattern is left once its host is found.
type scoped struct {
	scheme string
	port   int32 // 0: the default port only; anyPort: any
	rule   Rule
}

func (s scoped) covers(o *origin) bool {
	return s.scheme == o.scheme && (s.port == o.port || s.port == anyPort)
}

// add takes a pattern in. Where two patterns are the same, the first one is the rule.
func (s *origins) add(p *pattern, rule Rule) {
	switch {
	case p.kind == patternAny:
		if s.any == 0 {
			s.any = rule
		}
	case p.kind == patternNull:
		if s.null == 0 {
			s.null = rule
		}
	case p.isExact():
		if s.exact == nil {
			s.exact = make(map[string]Rule)
		}
		if _, ok := s.exact[p.origin.text]; !ok {
			s.exact[p.origin.text] = rule
		}
	case p.host == hostExact:
		s.anyPort = addScoped(s.anyPort, p, rule)
	case p.host == hostSub:
		s.sub = addScoped(s.sub, p, rule)
		s.subLens.add(len(p.origin.host))
	default:
		s.anyHosts = append(s.anyHosts, scoped{p.origin.scheme, p.origin.port, rule})
	}
}

func addScoped(m map[string][]scoped, p *pattern, rule Rule) map[string][]scoped {
	if m == nil {
		m = make(map[string][]scoped)
	}
	m[p.origin.host] = append(m[p.origin.host], scoped{p.origin.scheme, p.origin.port, rule})
	return m
}

// match returns the rule that covers a well-formed origin other than null, or 0. The most particular rule is named:
// the exact origin, the host on any port, the longest wildcard, any host, anybody.
func (s *origins) match(o *origin) Rule {
	if rule, ok := s.exact[o.text]; ok {
		return rule
	}
	if len(s.anyPort) > 0 {
		if rule := firstCovering(s.anyPort[o.host], o); rule != 0 {
			return rule
		}
	}
	if len(s.sub) > 0 {
		if rule := s.matchSub(o); rule != 0 {
			return rule
		}
	}
	if rule := firstCovering(s.anyHosts, o); rule != 0 {
		return rule
	}
	return s.any
}

// matchSub looks for the longest scheme://*.host that covers o. What stands in front of host must be one or more labels:
// it ends where the dot is, so that "*.example.com" covers neither example.com nor evilexample.com.
func (s *origins) matchSub(o *origin) Rule {
	for i := 1; i < len(o.host)-1; i++ {
		if o.host[i] != '.' || !s.subLens.has(len(o.host)-i-1) {
			continue
		}
		if rule := firstCovering(s.sub[o.host[i+1:]], o); rule != 0 {
			return rule
		}
	}
	return 0
}

func firstCovering(list []scoped, o *origin) Rule {
	for i := range list {
		if list[i].covers(o) {
			return list[i].rule
		}
	}
	return 0
}

// lengths is a set of lengths of hosts; no host in an origin is longer than maxOriginLen.
type lengths [(maxOriginLen + 63) / 64]uint64

func (l *lengths) add(n int)      { l[n/64] |= 1 << (n % 64) }
func (l *lengths) has(n int) bool { return l[n/64]&(1<<(n%64)) != 0 }
