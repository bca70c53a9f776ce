package policy

// A Gap is one thing that stands between a request and a policy that would allow it.
type Gap struct {
	Kind   GapKind
	Policy string
	Rule   Rule   // where it stands, or is missing
	Value  string // the origin, method or header; empty for credentials
}

// GapKind is what a gap is about.
type GapKind uint8

const (
	GapDenied      GapKind = iota + 1 // deny_origins covers the origin; Rule is the entry
	GapOrigin                         // allow_origins lacks it
	GapMethod                         // allow_methods lacks it
	GapHeader                         // allow_headers lacks it
	GapCredentials                    // allow_credentials is not on
)

// Gaps returns the fewest things that have to change in one policy of the request's place so that a browser's request is
// allowed; credentials says that it needs Access-Control-Allow-Credentials. A policy that knows the origin already is
// rather changed than one that does not: to let partners delete is less than to make them the shop. It returns none where nothing has to, and
// where no change of a listed policy helps: the place lists none or passthrough, its path is ambiguous, Envoy names the
// policies, or the request is one that no browser sends.
func (s *Set) Gaps(r *Request, credentials bool) []Gap {
	p, others := s.virtualHost(r).find(r)
	o, ok := parseOrigin(r.Origin.Value)
	if others != ([2]*place{}) || !ok || r.Named.Lines > 0 {
		return nil
	}
	var best []Gap
	found := false
	var denies []Gap // those of the policies before: they end the search, whatever a later one allows
	for _, g := range p.policies.grants {
		if g.builtin {
			return nil
		}
		gaps, ok := g.gaps(r, &o, credentials)
		gaps = append(denies[:len(denies):len(denies)], gaps...)
		rule, denied := g.match(&o)
		knows := rule != 0
		if ok && (!found || knows || len(gaps) < len(best)) {
			best, found = gaps, true
		}
		if denied {
			denies = append(denies, Gap{Kind: GapDenied, Policy: g.name, Rule: rule, Value: o.text})
		} else if knows {
			break // no later policy is asked
		}
	}
	return best
}

// gaps returns what the policy lacks. It reports false where nothing that is added to it helps.
func (g *grant) gaps(r *Request, o *origin, credentials bool) (gaps []Gap, ok bool) {
	index := int(g.index)
	add := func(kind GapKind, rule Rule, value string) {
		gaps = append(gaps, Gap{Kind: kind, Policy: g.name, Rule: rule, Value: value})
	}
	if rule := g.denies(o); rule != 0 {
		add(GapDenied, rule, o.text)
	}
	if g.allows(o) == 0 {
		add(GapOrigin, makeRule(ruleField, index, fieldOrigins), o.text)
	}
	if kindOf(r) == Preflight {
		switch g.checkMethod(r.RequestMethod) {
		case ReasonMethodNotAllowed:
			add(GapMethod, makeRule(ruleField, index, fieldMethods), r.RequestMethod.Value)
		case ReasonMethodMalformed:
			return nil, false
		}
		for list := (elements{lines: r.RequestHeaders}); ; {
			name, more := list.next()
			if !more {
				break
			}
			switch g.checkHeader(name) {
			case ReasonHeaderNotAllowed:
				add(GapHeader, makeRule(ruleField, index, fieldHeaders), name)
			case ReasonHeaderMalformed:
				return nil, false
			}
		}
	}
	if credentials && !g.credentials {
		if g.star {
			return nil, false // "*" and credentials do not go together
		}
		add(GapCredentials, makeRule(ruleField, index, fieldCredentials), "")
	}
	return gaps, true
}
