package policy

import (
	"slices"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// A Gap is one thing that stands between a request and a policy that would allow it.
type Gap struct {
	Kind   GapKind
	Policy string
	Rule   Rule   // where it stands, or is missing
	Value  string // the origin, method or header; empty for credentials
	// Static is, of a GapPolicy in the list of a place that gives every answer the same headers, the policy that it has them
	// of: with a second one they depend on who asks. It is empty where no place of the list does.
	Static string
	Fixed  bool // these are those of fixed_origin
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

// Gaps returns what has to change so that a browser's request is allowed; credentials says that it needs
// Access-Control-Allow-Credentials. Of the changes of one policy of the request's place that suffice it is the one that
// grants least (gaps_least.go). Where no policy of the list can be changed so, the gap is a policy that the list lacks.
// Whatever is returned has been tried: with it, the request is allowed.
//
// It returns none where nothing has to change, and where a change that loads cannot help: hands off, an ambiguous path,
// policies that Envoy names, a request that no browser sends, credentials for an origin that must not get them or together
// with a method or header that is itself called "*".
func (s *Set) Gaps(r *Request, credentials bool) []Gap {
	o, ok := origin.Parse(r.Origin.Value)
	if !ok || r.Named.Lines > 0 {
		return nil
	}
	if credentials && (isDangerous(o.Text) || asksForStar(r)) || kindOf(r) == Preflight && asksMalformed(r) {
		return nil
	}
	t := trial{set: &s.set, request: r, origin: &o, credentials: credentials}
	t.place, t.others = s.set.Hosts[s.set.HostIndex(r.VirtualHost, r.Authority)].Find(r.Route, r.Path)
	if d := t.decide(nil); d.Reason == ReasonPathAmbiguous || d.Reason == ReasonPassthrough {
		return nil
	}
	changes := t.changes()
	slices.SortStableFunc(changes, t.compare)
	for i := range changes {
		if t.suffices(changes[i].gaps) {
			return changes[i].gaps
		}
	}
	if lists := t.lists(); t.suffices(lists) {
		return lists
	}
	return nil
}

// changes returns what can be changed in each policy of the list that may come to answer the request.
func (t *trial) changes() (changes []change) {
	var denies []Gap // those of the policies before: they end the search, whatever a later one allows
	for _, policy := range t.place.Active.Policies {
		if policy.Builtin {
			break
		}
		denial := denied(policy, t.origin)
		if slices.ContainsFunc(denial, t.isAllowedElsewhere) {
			break
		}
		if gaps, ok := gapsOf(policy, t.request, t.origin, t.credentials); ok {
			changes = append(changes, t.change(policy, appendGaps(slices.Clone(denies), gaps)))
		}
		if policy.Allows(t.origin) != 0 {
			break // no later policy is asked, and none would be if this one did not deny the origin
		}
		denies = appendGaps(denies, denial)
	}
	return changes
}

// lists returns the lists that lack a policy: that of the place, and those of what the path may be read as.
func (t *trial) lists() (gaps []Gap) {
	list := Gap{Kind: GapPolicy, Value: t.origin.Text}
	if policies := t.place.Active.Policies; len(policies) == 1 && policies[0].Builtin {
		list.Policy = policies[0].Name
	}
	for _, p := range append([]*compiled.Place{t.place}, t.others...) {
		list.Rule, list.Static, list.Fixed = p.ListRule, "", false
		if p.Active.Fixed && !p.Active.Policies[0].Builtin && t.isStaticSomewhere(p.ListRule) {
			list.Static, list.Fixed = p.Active.Policies[0].Name, p.Active.ButPreflights
		}
		gaps = appendGaps(gaps, []Gap{list})
	}
	return gaps
}

// isStaticSomewhere reports whether of the places that have a list of one policy, their own or taken over, one rejects nothing.
func (t *trial) isStaticSomewhere(list Rule) bool {
	for p := range t.places() {
		if p.ListRule == list && p.Reject == compiled.RejectNever {
			return true
		}
	}
	return false
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

// gapsOf returns what a policy lacks. It reports false where nothing that is added to it helps, or what would help is an
// error.
func gapsOf(policy *compiled.Policy, r *Request, o *origin.Origin, credentials bool) (gaps []Gap, ok bool) {
	index := int(policy.Index)
	add := func(kind GapKind, rule Rule, value string) {
		gaps = append(gaps, Gap{Kind: kind, Policy: policy.Name, Rule: rule, Value: value})
	}
	gaps = denied(policy, o)
	if policy.Allows(o) == 0 {
		if policy.Credentials && isDangerous(o.Text) || policy.FixedOrigin != "" {
			return nil, false // with fixed_origin a second origin is an error
		}
		add(GapOrigin, compiled.MakeRule(compiled.RuleField, index, compiled.FieldOrigins), o.Text)
	}
	if kindOf(r) == Preflight {
		switch checkMethod(policy, r.RequestMethod) {
		case ReasonMethodNotAllowed:
			if policy.Credentials && r.RequestMethod.Value == "*" {
				return nil, false
			}
			add(GapMethod, compiled.MakeRule(compiled.RuleField, index, compiled.FieldMethods), r.RequestMethod.Value)
		case ReasonMethodMalformed:
			return nil, false
		}
		for list := (fetch.Elements{Lines: r.RequestHeaders}); ; {
			name, more := list.Next()
			if !more {
				break
			}
			if name == "" {
				continue
			}
			switch checkHeader(policy, name) {
			case ReasonHeaderNotAllowed:
				if policy.Credentials && name == "*" {
					return nil, false
				}
				add(GapHeader, compiled.MakeRule(compiled.RuleField, index, compiled.FieldHeaders), name)
			case ReasonHeaderMalformed:
				return nil, false
			}
		}
	}
	if credentials && !policy.Credentials {
		if isPolicyDangerous(policy) {
			return nil, false
		}
		add(GapCredentials, compiled.MakeRule(compiled.RuleField, index, compiled.FieldCredentials), "")
	}
	return gaps, true
}

// asksMalformed reports whether a preflight asks for what no policy can list.
func asksMalformed(r *Request) bool {
	if r.RequestMethod.Lines != 1 || !fetch.IsToken(r.RequestMethod.Value) {
		return true
	}
	empty := 0
	for list := (fetch.Elements{Lines: r.RequestHeaders}); ; {
		switch name, more := list.Next(); {
		case !more:
			return false
		case name == "":
			if empty++; empty > maxEmptyElements {
				return true
			}
		case !fetch.IsToken(name):
			return true
		}
	}
}

// asksForStar reports whether a preflight asks for a method or a header that is itself called "*". No policy with
// credentials allows it.
func asksForStar(r *Request) bool {
	for list := (fetch.Elements{Lines: r.RequestHeaders}); ; {
		switch name, more := list.Next(); {
		case !more:
			return r.RequestMethod.Value == "*"
		case name == "*":
			return true
		}
	}
}
