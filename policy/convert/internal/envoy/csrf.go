package envoy

// Tested by policy/convert/golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// csrf takes a csrf filter over where it says what the policy says: pages that are not allowed may not change anything.
func (r *Reader) csrf(p *build.Place, o *override) {
	percent := o.csrf.GetFilterEnabled()
	c := Converter{B: r.B, P: &build.Proposal{}}
	on, partly := c.percent(o, "", percent, true)
	p.Notes = build.Notes{Texts: slices.Clone(p.Notes.Texts)}
	p.Notes.Add(c.P.Notes.Texts...)
	lost := func(why string) {
		r.B.Warn(&p.Notes, o.position(), codeCsrf, "csrf", "the csrf filter is not carried over: "+why+"; keep the filter")
	}
	switch {
	case partly:
		lost("it is on for some requests only")
	case !on:
	case len(p.Policies) != 1:
		lost("there is no CORS policy beside it, whose origins would be the allowed ones")
	case !sameOrigins(p.Policies[0].Policy, o):
		lost("the origins that it lets in (additional_origins) are not those of the CORS policy")
	default:
		p.Reject = corsprocv1.Reject_REJECT_UNSAFE_METHODS
		p.Notes.Add("reject: as the csrf filter there; it stops WebSockets of other pages, too")
	}
}

// sameOrigins reports whether the additional origins of a csrf policy, which are host[:port], are those of a CORS policy.
func sameOrigins(policy *corsprocv1.Policy, o *override) bool {
	if len(policy.GetAllowOriginRegexes()) > 0 {
		return false
	}
	var own, more []string
	for _, s := range policy.GetAllowOrigins() {
		scheme, host, ok := strings.Cut(s, "://")
		if !ok || scheme != "https" && scheme != "http" || strings.Contains(host, "*") {
			return false
		}
		own = append(own, host)
	}
	for _, m := range o.csrf.GetAdditionalOrigins() {
		if m.GetExact() == "" {
			return false
		}
		host := m.GetExact()
		if m.GetIgnoreCase() {
			host = strings.ToLower(host)
		}
		more = append(more, host)
	}
	slices.Sort(own)
	slices.Sort(more)
	return len(own) > 0 && slices.Equal(slices.Compact(own), slices.Compact(more))
}
