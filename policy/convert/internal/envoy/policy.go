package envoy

// Tested by policy/convert/golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"fmt"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// The codes of what is lost of a policy of Envoy's.
const (
	codeFraction     = "fraction"             // a filter that is on for some requests only
	codeRuntimeKey   = "runtime-key"          // a filter that the runtime switches
	codeMatcher      = "matcher-lost"         // a matcher of an extension
	codeExpression   = "expression-lost"      // an expression of RE2 that Go does not have
	codeSeveralCors  = "several-cors-filters" // two cors filters in one chain
	codeFilterPartly = "conditional-filter"   // a matcher says which requests a filter sees
)

// corsPlace returns what policies of Envoy's, the most specific first, grant together.
func (r *Reader) corsPlace(policies []*override) build.Place {
	if len(policies) == 0 {
		return build.Place{}
	}
	key := policiesKey(policies)
	if p, ok := r.grants[key]; ok {
		return p
	}
	p := r.convertCors(policies)
	r.grants[key] = p
	return p
}

func (r *Reader) convertCors(policies []*override) build.Place {
	c := Converter{B: r.B, policies: policies}
	c.P = &build.Proposal{Policy: &corsprocv1.Policy{}, Name: policies[0].name, At: policies[0].position()}
	pl := build.Place{At: c.P.At}
	on, shadow := c.enabled()
	if !on && !shadow {
		pl.Notes = c.P.Notes
		return pl
	}
	if origins := first(policies, func(p *corsv3.CorsPolicy) bool { return len(p.GetAllowOriginStringMatch()) > 0 }); origins == nil {
		pl.Notes = c.P.Notes
		return pl // nobody is allowed, and the upstream's own headers stay
	}
	c.credentials()
	c.origins()
	methods, headers := c.methods(), c.headers()
	if !methods || !headers { // no preflight succeeds then (Fetch, "CORS-preflight fetch", step 7)
		c.P.Policy.AllowMethods, c.P.Policy.AllowHeaders = nil, nil
	}
	c.expose()
	c.rest()
	if on {
		pl.Policies = []*build.Proposal{c.P}
	} else {
		pl.Candidates = []*build.Proposal{c.P}
	}
	return pl
}

// An Converter makes a policy of those that hold at a place.
type Converter struct {
	B        *build.Builder
	policies []*override // the most specific first
	P        *build.Proposal
}

// warn says that a field of a policy is lost.
func (c *Converter) warn(o *override, field, code, message string) {
	c.B.Warn(&c.P.Notes, o.positionOf(field), code, field, message)
}

// enabled reports whether the filter acts, or only counts what it would do. The most specific policy alone says so.
func (c *Converter) enabled() (on, shadow bool) {
	o := c.policies[0]
	on, partly := c.percent(o, "filter_enabled", o.cors.GetFilterEnabled(), true)
	if partly {
		return false, true
	}
	if on {
		return true, false
	}
	shadow, partly = c.percent(o, "shadow_enabled", o.cors.GetShadowEnabled(), false)
	return false, shadow || partly
}

// percent reports whether a fraction is all or nothing (on), or something in between (partly).
func (c *Converter) percent(o *override, field string, p *corev3.RuntimeFractionalPercent, unset bool) (on, partly bool) {
	if p == nil {
		return unset, false
	}
	if key := p.GetRuntimeKey(); key != "" {
		c.warn(o, field, codeRuntimeKey, fmt.Sprintf("the runtime key %s can change this while Envoy runs, and nothing can change a policy file so: "+
			"the default value is taken; look at /runtime of Envoy's admin address for the value in force", printable.Cut(strconv.Quote(key))))
	}
	of := map[typev3.FractionalPercent_DenominatorType]uint32{
		typev3.FractionalPercent_HUNDRED: 100, typev3.FractionalPercent_TEN_THOUSAND: 10_000, typev3.FractionalPercent_MILLION: 1_000_000,
	}[p.GetDefaultValue().GetDenominator()]
	n := p.GetDefaultValue().GetNumerator()
	if n == 0 || n >= of {
		return n > 0, false
	}
	if field == "filter_enabled" {
		c.warn(o, field, codeFraction, fmt.Sprintf("the filter answers %d of %d requests there, and a policy file knows all or none: it is a candidate here, "+
			"which is counted and not applied; move it to policies when it is to hold", n, of))
	}
	return false, true
}

func (c *Converter) credentials() {
	o := first(c.policies, func(p *corsv3.CorsPolicy) bool { return p.GetAllowCredentials() != nil })
	c.P.Policy.AllowCredentials = o != nil && o.cors.GetAllowCredentials().GetValue()
}

// methods takes the methods over. It reports whether browsers read them.
func (c *Converter) methods() (ok bool) {
	o := first(c.policies, func(p *corsv3.CorsPolicy) bool { return p.GetAllowMethods() != "" })
	if o == nil {
		return true
	}
	if o.cors.GetAllowMethods() == "*" {
		c.P.Policy.AllowMethods = []string{"*"}
		return true
	}
	c.P.Policy.AllowMethods, ok = c.tokens(o, "allow_methods", o.cors.GetAllowMethods())
	return ok
}

// headers takes the names of request headers over. It reports whether browsers read them.
func (c *Converter) headers() (ok bool) {
	o := first(c.policies, func(p *corsv3.CorsPolicy) bool { return p.GetAllowHeaders() != "" })
	if o == nil {
		return true
	}
	if o.cors.GetAllowHeaders() == "*" { // what is asked for is echoed, whatever it is
		c.P.Policy.AllowHeaders = []string{"*", "Authorization"}
		return true
	}
	c.P.Policy.AllowHeaders, ok = c.tokens(o, "allow_headers", o.cors.GetAllowHeaders())
	return ok
}

func (c *Converter) expose() {
	o := first(c.policies, func(p *corsv3.CorsPolicy) bool { return p.GetExposeHeaders() != "" })
	switch {
	case o == nil:
	case strings.Trim(o.cors.GetExposeHeaders(), " \t") != "*":
		c.P.Policy.ExposeHeaders, _ = c.tokens(o, "expose_headers", o.cors.GetExposeHeaders())
	case c.P.Policy.AllowCredentials:
		c.warn(o, "expose_headers", build.CodeExposeAny, `"*" is left out: with credentials browsers read it as the name of a header; list the headers that scripts read`)
	default:
		c.P.Policy.ExposeHeaders = []string{"*"}
	}
}

// tokens returns the elements of a list that Envoy sends as it is written, as browsers read it: with one element that is
// no token they take nothing of the list (Fetch, "extract header list values"). A * is left out.
func (c *Converter) tokens(o *override, field, text string) (list []string, ok bool) {
	star := false
	for s := range strings.SplitSeq(text, ",") {
		switch s = strings.Trim(s, " \t"); {
		case s == "":
		case s == "*":
			star = true
		case !fetch.IsToken(s):
			what := ""
			if field != "expose_headers" {
				what = ", so that every preflight fails there"
			}
			c.P.Notes.Add(fmt.Sprintf("%s: left out, as browsers do not read it%s: %s is no list of names", field, what, printable.Cut(strconv.Quote(text))))
			return nil, false
		default:
			list = append(list, s)
		}
	}
	if star {
		c.warn(o, field, build.CodeStarInList, "the * beside other entries is left out: Envoy sends it as it stands, a name to browsers that send credentials, and here it would stand for everything; list what is meant")
	}
	return list, true
}

// rest is what has one value.
func (c *Converter) rest() {
	if o := first(c.policies, func(p *corsv3.CorsPolicy) bool { return p.GetMaxAge() != "" }); o != nil {
		if seconds, ok := deltaSeconds(o.cors.GetMaxAge()); ok {
			c.P.Policy.MaxAge = proto.String(build.Duration(seconds))
		} else {
			c.P.Notes.Add(fmt.Sprintf("max_age: left out, as browsers do not read it: %s is no number of seconds", printable.Cut(strconv.Quote(o.cors.GetMaxAge()))))
		}
	}
	if o := first(c.policies, func(p *corsv3.CorsPolicy) bool { return p.GetAllowPrivateNetworkAccess() != nil }); o != nil {
		c.P.Policy.AllowPrivateNetwork = o.cors.GetAllowPrivateNetworkAccess().GetValue()
	}
	o := first(c.policies, func(p *corsv3.CorsPolicy) bool { return p.GetForwardNotMatchingPreflights() != nil })
	if o != nil && o.cors.GetForwardNotMatchingPreflights().GetValue() {
		c.warn(o, "forward_not_matching_preflights", build.CodeForward, "preflights of origins that are not allowed go to the upstream there, and are refused here: where the upstream is to answer, write passthrough")
	}
}

// deltaSeconds reads a number of seconds as browsers do: decimal digits (RFC 9111, 1.2.2).
func deltaSeconds(s string) (seconds int64, ok bool) {
	s = strings.Trim(s, " \t")
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		seconds = min(seconds*10+int64(s[i]-'0'), build.MaxPolicyAge)
	}
	return seconds, s != ""
}
