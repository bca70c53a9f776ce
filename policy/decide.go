package policy

// Tested by cases_test.go and policy/casetable/testdata/, naive_test.go and cost_test.go.

import (
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// Decide decides about one request. It allocates nothing for requests whose authority is lower-case and whose path can
// be read in one way only.
//
// The first reason that applies is the decision's: passthrough, not_cors, path_ambiguous, policy_unknown,
// origin_malformed, preflight_unanswered, same_origin, origin_denied or origin_not_allowed, then the preflight's method
// and headers.
func (s *Set) Decide(r *Request) (d Decision) {
	h := &s.set.Hosts[s.set.HostIndex(r.VirtualHost, r.Authority)]
	d.VirtualHost = h.Label
	p, others := h.Find(r.Route, r.Path)
	e := evaluation{set: &s.set, request: r, place: p, list: p.Active, known: true}
	e.kind = kindOf(r)
	if r.Origin.Lines == 1 {
		e.wellFormed = e.origin.Parse(r.Origin.Value)
	}
	if r.Named.Lines > 0 {
		e.list, e.named, e.known = namedBy(&s.set, r.Named)
	}
	if len(others) > 0 {
		e.join(others)
	}

	e.decide(&d)
	if candidates := e.place.Candidates; candidates != nil {
		e.list, e.named, e.known = candidates, "", true
		var candidate Decision
		e.decide(&candidate)
		d.HasCandidate, d.Candidate = true, candidate.Outcome
	}
	return d
}

// namedBy returns the list that Envoy names for a request (compiled.Set.Named). Two lines of the attribute name none.
func namedBy(set *compiled.Set, f Field) (l *compiled.List, names string, ok bool) {
	if f.Lines != 1 {
		return &compiled.NamedList, "", false
	}
	return set.Named(f.Value)
}

// kindOf returns the kind of a request (Fetch, section 3.3.1, "CORS request" and "CORS-preflight request").
func kindOf(r *Request) Kind {
	switch {
	case r.Origin.Lines == 0:
		return NotCORS
	case r.Method == "OPTIONS" && r.RequestMethod.Lines > 0:
		return Preflight
	}
	return Actual
}

// join takes in the places to which the path may lead as well. Nothing is granted where they do not all decide alike, and
// the strictest of them stops requests. What they do not agree on beside that is not used: no Timing-Allow-Origin is set,
// no candidates are tried. Policies that Envoy names are those of every place.
func (e *evaluation) join(others []*compiled.Place) {
	all := *e.place
	all.Active = e.list
	trial := true // they have the same candidates
	for _, other := range others {
		o := *other
		if e.request.Named.Lines > 0 {
			o.Active = e.list
		}
		e.ambiguous = e.ambiguous || !o.DecidesAs(&all)
		if o.Timing != all.Timing || o.Active.Passthrough != e.list.Passthrough {
			all.Timing = "" // a passthrough place sets none
		}
		trial = trial && o.Candidates == all.Candidates
	}
	for _, other := range others {
		all.Reject = max(all.Reject, other.Reject)
		all.Refuse = all.Refuse || other.Refuse
	}
	if !trial && !e.ambiguous {
		all.Candidates = nil
	}
	e.place = &all
}

// evaluation is one list's look at one request.
type evaluation struct {
	set        *compiled.Set
	request    *Request
	kind       Kind
	origin     origin.Origin
	wellFormed bool // origin is one
	ambiguous  bool // the path leads to places that do not all decide alike

	place *compiled.Place // where the policies hold
	list  *compiled.List  // the one of its lists that is looked at, or what Envoy names instead
	named string          // instead of its policies: names that exist, separated by commas, as Envoy sent them
	known bool            // the list exists
}

// static reports whether the place answers every request alike, or every one that is no preflight and this is none.
func (e *evaluation) static() bool {
	return e.list.Fixed && e.place.Reject == compiled.RejectNever && e.known && !e.ambiguous &&
		!(e.list.ButPreflights && e.kind == Preflight && !e.request.Answered)
}

// decide fills in a zero decision.
func (e *evaluation) decide(d *Decision) {
	d.Kind = e.kind
	if e.list.Passthrough && !e.ambiguous {
		d.Reason, d.Policy, d.Rule = ReasonPassthrough, compiled.NamePassthrough, e.place.ListRule
		return
	}
	d.answer.action, d.answer.static, d.answer.timing = Adjust, e.static(), e.place.Timing
	if d.answer.static && !e.list.Policies[0].Builtin {
		d.answer.policy, d.answer.origin = e.list.Policies[0], "*"
		if e.list.ButPreflights {
			d.answer.origin = d.answer.policy.FixedOrigin
		}
	}
	d.answer.privateOffered = e.kind == Preflight && e.offersPrivate()
	switch {
	case e.kind == NotCORS:
		d.Reason = ReasonNotCORS
	case e.ambiguous:
		e.refuse(d, ReasonPathAmbiguous)
	case !e.known:
		e.refuse(d, ReasonPolicyUnknown)
	case e.kind == Preflight && !e.request.Answered:
		e.preflight(d)
	default:
		e.actual(d)
	}
}

// actual decides about a request that is no preflight, or that was answered before anybody could ask us.
func (e *evaluation) actual(d *Decision) {
	if !e.wellFormed {
		e.refuse(d, ReasonOriginMalformed)
		return
	}
	if e.kind == Preflight {
		e.refuse(d, ReasonPreflightUnanswered)
		d.Rule = 0 // whoever answered it, no rule of a policy file did
		return
	}
	policy, rule, denied := e.match()
	switch {
	case policy != nil && !denied:
		d.Outcome = Outcome{Allowed, ReasonAllowed}
		d.Policy, d.Rule = policy.Name, rule
		d.answer.policy, d.answer.origin = policy, e.allowOrigin(policy)
	case isSameOrigin(e.request, &e.origin):
		d.Reason = ReasonSameOrigin
	default:
		e.refuseOrigin(d, policy, rule)
	}
}

// preflight decides about a preflight: its origin, then its method, then its headers (Fetch, section 4.8). A static
// place answers a malformed origin as it answers every other.
func (e *evaluation) preflight(d *Decision) {
	d.answer.action = Respond
	var policy *compiled.Policy
	if e.wellFormed {
		var rule Rule
		var denied bool
		policy, rule, denied = e.match()
		if policy == nil || denied {
			e.refuseOrigin(d, policy, rule)
			return
		}
		d.Policy, d.Rule = policy.Name, rule
		d.answer.origin = e.allowOrigin(policy)
	} else if policy = d.answer.policy; policy == nil {
		e.refuse(d, ReasonOriginMalformed)
		return
	}

	method := checkMethod(policy, e.request.RequestMethod)
	headers := checkHeaders(policy, e.request.RequestHeaders)
	switch {
	case method != ReasonAllowed:
		d.Outcome = Outcome{Refused, method}
		d.Rule = compiled.MakeRule(compiled.RuleMethods, int(policy.Index), 0)
	case headers.reason != ReasonAllowed:
		d.Outcome = Outcome{Refused, headers.reason}
		d.Rule = compiled.MakeRule(compiled.RuleHeaders, int(policy.Index), 0)
	default:
		d.Outcome = Outcome{Allowed, ReasonAllowed}
	}
	d.answer.policy = policy
	if d.Verdict == Refused && e.place.Refuse {
		d.answer.policy = nil
	}
	if method == ReasonAllowed {
		d.answer.method = e.request.RequestMethod.Value
	}
	d.answer.names = headers.names
	d.answer.bareAuthorization = headers.bareAuthorization
	d.answer.privateNetwork = e.request.RequestPrivateNetwork == "true"
	if !e.wellFormed {
		d.Outcome = Outcome{Refused, ReasonOriginMalformed}
		d.Policy, d.Rule = "", e.place.ListRule
	}
}

// offersPrivate reports whether a policy of the place grants a private network to who asks for it.
func (e *evaluation) offersPrivate() bool {
	if !e.known || e.list.Private {
		return e.known
	}
	for rest := e.named; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ",")
		if e.set.ByName[fetch.TrimBlanks(name)].PrivateNetwork {
			return true
		}
	}
	return false
}

// refuseOrigin refuses because no policy allows the origin, or because g denies it by rule.
func (e *evaluation) refuseOrigin(d *Decision, policy *compiled.Policy, rule Rule) {
	if policy != nil {
		e.refuse(d, ReasonOriginDenied)
		d.Policy, d.Rule = policy.Name, rule
		return
	}
	e.refuse(d, ReasonOriginNotAllowed)
	if len(e.list.Policies) == 1 && e.list.Policies[0].Builtin {
		d.Policy = compiled.NameNone
	}
}

// refuse refuses a request, and stops it where the place says so. A static place gives the same headers all the same,
// except to preflights, which are refused outright.
func (e *evaluation) refuse(d *Decision, reason Reason) {
	d.Outcome = Outcome{Refused, reason}
	d.Rule = e.place.ListRule
	switch {
	case e.request.Answered:
	case e.kind == Preflight:
		d.answer.action, d.answer.policy = Respond, nil
	case stops(e.place.Reject, e.request) && !(e.wellFormed && isSameOrigin(e.request, &e.origin)):
		d.Verdict = Rejected
		d.answer.action, d.answer.reject, d.answer.policy = Respond, true, nil
	}
}

// match returns the policy that answers the origin, and the rule by which it allows or denies it. Without one, no policy
// of the list knows the origin.
func (e *evaluation) match() (policy *compiled.Policy, rule Rule, denied bool) {
	for _, policy := range e.list.Policies {
		if rule, denied := policy.Match(&e.origin); rule != 0 {
			return policy, rule, denied
		}
	}
	for rest := e.named; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ",")
		policy := e.set.ByName[fetch.TrimBlanks(name)]
		if rule, denied := policy.Match(&e.origin); rule != 0 {
			return policy, rule, denied
		}
	}
	return nil, 0, false
}

// allowOrigin returns the value of Access-Control-Allow-Origin for an origin that g allows.
func (e *evaluation) allowOrigin(policy *compiled.Policy) string {
	if policy.Star {
		return "*"
	}
	return e.origin.Text
}

// isSameOrigin reports whether a request with a well-formed Origin comes from a page of its own origin: because the
// browser says so in a header that scripts cannot set (Fetch Metadata, Sec-Fetch-Site), or, from clients that do not
// send it, because Origin names the authority.
func isSameOrigin(r *Request, o *origin.Origin) bool {
	if r.FetchSite.Lines > 0 {
		return r.FetchSite.Lines == 1 && r.FetchSite.Value == "same-origin"
	}
	if o.Scheme != "http" && o.Scheme != "https" {
		return false
	}
	// A TLS-terminating hop in front of Envoy makes http of https, never the reverse.
	if o.Scheme == "http" && r.Scheme == "https" {
		return false
	}
	// What stands behind the host must be its port (Envoy's match.CutPort, of an authority whose host is known).
	if len(r.Authority) < len(o.Host) || !fetch.EqualFoldASCII(r.Authority[:len(o.Host)], o.Host) {
		return false
	}
	port := origin.DefaultPort(o.Scheme)
	if rest := r.Authority[len(o.Host):]; rest != "" {
		var ok bool
		if port, ok = origin.ParsePort(rest[1:]); !ok || rest[0] != ':' {
			return false
		}
	}
	own := o.Port
	if own == 0 {
		own = origin.DefaultPort(o.Scheme)
	}
	return port == own
}
