package convert

// Tested by gateway_test.go and golden_test.go.

import (
	"slices"
	"strings"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A securityCSRF is the csrf field of a SecurityPolicy: requests that may change something are stopped, unless their page
// has the host of the request, or one of a list.
type securityCSRF struct {
	Place             fieldPlace
	AdditionalOrigins []field[string] `kube:"additionalOrigins"`
	ShadowFraction    *struct {
		Numerator   field[int64] `kube:"numerator"`
		Denominator field[int64] `kube:"denominator"`
	} `kube:"shadowFraction"`
}

// reject takes the csrf of a policy over into what is granted, where its origins are those that are let in.
func (p *securityPolicy) reject(b *builder, terms *place) {
	if p == nil || p.spec.CSRF == nil {
		return
	}
	c := p.spec.CSRF
	var beside *notes // the head of the file, where there is nothing that would be written
	if len(terms.policies) == 1 {
		beside = &terms.policies[0].notes
	}
	lost := func(why string) {
		b.warn(beside, p.object.position(c.Place.Line, c.Place.Column), codeCSRF, "spec.csrf", "csrf is not carried over: "+why+"; keep it")
	}
	switch enforced, partly := c.enforced(); {
	case partly:
		lost("it is enforced for some requests only")
	case !enforced || slices.ContainsFunc(c.AdditionalOrigins, func(f field[string]) bool { return hostAndPort(f.Value) == "*" }): // it stops nobody
	case len(terms.policies) != 1:
		lost("there is no cors beside it, whose origins would be the allowed ones")
	case !c.lets(terms.policies[0].policy):
		lost("the origins that it lets in (additionalOrigins) are not those of cors")
	default:
		terms.reject = corsprocv1.Reject_REJECT_UNSAFE_METHODS
		terms.notes.add("reject: as csrf there; it stops WebSockets of other pages, too")
	}
}

// enforced reports whether csrf stops requests: all that it finds (enforced), some of them (partly), or none.
func (c *securityCSRF) enforced() (enforced, partly bool) {
	if c.ShadowFraction == nil || c.ShadowFraction.Numerator.Value <= 0 {
		return true, false
	}
	of := int64(100)
	if d := c.ShadowFraction.Denominator; d.Set() {
		of = d.Value
	}
	return false, c.ShadowFraction.Numerator.Value < of
}

// lets reports whether csrf lets through whom a policy lets in. It looks at host and port alone.
func (c *securityCSRF) lets(policy *corsprocv1.Policy) bool {
	if len(policy.GetAllowOriginRegexes()) > 0 {
		return false
	}
	own, more := map[string]bool{}, map[string]bool{}
	for _, s := range policy.GetAllowOrigins() {
		if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
			return false
		}
		own[hostAndPort(s)] = true
	}
	for _, f := range c.AdditionalOrigins {
		host := hostAndPort(f.Value)
		if !own[host] {
			return false
		}
		more[host] = true
	}
	return len(own) == len(more)
}

// hostAndPort returns what stands behind the scheme of an origin.
func hostAndPort(origin string) string {
	if _, rest, ok := strings.Cut(origin, "://"); ok {
		return rest
	}
	return origin
}
