package policy

import "slices"

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
	GapPolicy                         // the place's list lacks a policy that allows it; Rule is the list, Policy "none" where that is all of it
)

// Gaps returns the fewest things that have to change in one policy of the request's place so that a browser's request is
// allowed; credentials says that it needs Access-Control-Allow-Credentials. A policy that knows the origin already is
// rather changed than one that does not: to let partners delete is less than to make them the shop. Where no policy of
// the list can be changed so, the gap is a policy that the list lacks.
//
// It returns none where nothing has to change, and where a change that loads cannot help: hands off, an ambiguous path,
// policies that Envoy names, a request that no browser sends, credentials for an origin that must not get them or together
// with a method or header that is itself called "*".
func (s *Set) Gaps(r *Request, credentials bool) []Gap {
	p, others := s.virtualHost(r).find(r)
	o, ok := parseOrigin(r.Origin.Value)
	if len(others) > 0 || !ok || r.Named.Lines > 0 || p.policies.passthrough {
		return nil
	}
	if credentials && (isDangerous(o.text) || asksForStar(r)) || kindOf(r) == Preflight && asksMalformed(r) {
		return nil
	}
	var best []Gap
	found, list := false, Gap{Kind: GapPolicy, Rule: p.listRule, Value: o.text}
	var denies []Gap // those of the policies before: they end the search, whatever a later one allows
	for _, g := range p.policies.grants {
		if g.builtin {
			list.Policy = g.name
			break
		}
		gaps, ok := g.gaps(r, &o, credentials)
		denial := g.denied(&o)
		if slices.ContainsFunc(denial, s.isAllowedElsewhere) {
			break
		}
		knows := len(denial) > 0 || g.allows(&o) != 0
		if gaps = appendGaps(slices.Clone(denies), gaps); ok && (!found || knows || len(gaps) < len(best)) {
			best, found = gaps, true
		}
		if g.allows(&o) != 0 {
			break // no later policy is asked, and none would be if this one did not deny the origin
		}
		denies = appendGaps(denies, denial)
	}
	if !found {
		return []Gap{list}
	}
	return best
}

// appendGaps appends gaps that are not there yet: two policies may deny by one origin set.
func appendGaps(list, more []Gap) []Gap {
	for _, g := range more {
		if !slices.ContainsFunc(list, func(have Gap) bool { return have.Rule == g.Rule && have.Value == g.Value }) {
			list = append(list, g)
		}
	}
	return list
}

// gaps returns what the policy lacks. It reports false where nothing that is added to it helps, or what would help is an
// error.
func (g *grant) gaps(r *Request, o *origin, credentials bool) (gaps []Gap, ok bool) {
	index := int(g.index)
	add := func(kind GapKind, rule Rule, value string) {
		gaps = append(gaps, Gap{Kind: kind, Policy: g.name, Rule: rule, Value: value})
	}
	gaps = g.denied(o)
	if g.allows(o) == 0 {
		if g.credentials && isDangerous(o.text) {
			return nil, false
		}
		add(GapOrigin, makeRule(ruleField, index, fieldOrigins), o.text)
	}
	if kindOf(r) == Preflight {
		switch g.checkMethod(r.RequestMethod) {
		case ReasonMethodNotAllowed:
			if g.credentials && r.RequestMethod.Value == "*" {
				return nil, false
			}
			add(GapMethod, makeRule(ruleField, index, fieldMethods), r.RequestMethod.Value)
		case ReasonMethodMalformed:
			return nil, false
		}
		for list := (elements{lines: r.RequestHeaders}); ; {
			name, more := list.next()
			if !more {
				break
			}
			if name == "" {
				continue
			}
			switch g.checkHeader(name) {
			case ReasonHeaderNotAllowed:
				if g.credentials && name == "*" {
					return nil, false
				}
				add(GapHeader, makeRule(ruleField, index, fieldHeaders), name)
			case ReasonHeaderMalformed:
				return nil, false
			}
		}
	}
	if credentials && !g.credentials {
		if g.isDangerous() {
			return nil, false
		}
		add(GapCredentials, makeRule(ruleField, index, fieldCredentials), "")
	}
	return gaps, true
}

// asksMalformed reports whether a preflight asks for what no policy can list.
func asksMalformed(r *Request) bool {
	if r.RequestMethod.Lines != 1 || !isToken(r.RequestMethod.Value) {
		return true
	}
	empty := 0
	for list := (elements{lines: r.RequestHeaders}); ; {
		switch name, more := list.next(); {
		case !more:
			return false
		case name == "":
			if empty++; empty > maxEmptyElements {
				return true
			}
		case !isToken(name):
			return true
		}
	}
}

// asksForStar reports whether a preflight asks for a method or a header that is itself called "*". No policy with
// credentials allows it.
func asksForStar(r *Request) bool {
	for list := (elements{lines: r.RequestHeaders}); ; {
		switch name, more := list.next(); {
		case !more:
			return r.RequestMethod.Value == "*"
		case name == "*":
			return true
		}
	}
}
