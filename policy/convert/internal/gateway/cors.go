package gateway

// Tested by policy/convert/gateway_test.go and policy/convert/gateway_random_test.go.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Codes of warnings of the kinds gateway-api and envoy-gateway.
const (
	codeNoOrigin     = "origin-never-sent"     // an entry of allowOrigins that no browser's Origin matches
	codeNoName       = "name-invalid"          // an entry of allowMethods and the like that is no name
	codeExposeStar   = "expose-star-lost"      // exposeHeaders: "*" with credentials
	codeMaxAge       = "max-age-invalid"       // a maxAge that the system refuses
	codeFilterPlace  = "backend-filter-lost"   // a filter under backendRefs
	codeRedirect     = "redirect-without-cors" // a filter beside a redirect
	codeMatchLost    = "match-lost"            // a match by method, header or query
	codeRegexPath    = "path-invalid"          // a path that cannot be matched
	codeNotAttached  = "not-attached"          // a route that no listener takes
	codeEveryHost    = "every-host"            // a route without hostnames whose Gateway is in no FILE
	codeMesh         = "mesh-lost"             // a route of a Service
	codeHostname     = "hostname-invalid"      // a hostname that the schema refuses
	codeTarget       = "target-not-found"      // what a SecurityPolicy targets is in no FILE
	codeConflict     = "policy-conflict"       // two SecurityPolicies for one target
	codeCSRF         = "csrf-lost"             // the csrf field of a SecurityPolicy
	codeExtensionRef = "extension-not-found"   // an HTTPRouteFilter that is in no FILE
)

// A corsSettings is a CORS filter of Gateway API, or the cors field of a SecurityPolicy of Envoy Gateway.
type corsSettings struct {
	object                                   *kube.Object
	at                                       kube.Place
	field                                    string // where it stands in the object
	origins                                  []kube.Field[string]
	methods, requestHeaders, responseHeaders []kube.Field[string]
	credentials                              bool
	maxAge                                   string // as a policy file has it; empty: unset
	maxAgeFault                              func(warn corsWarn)
	origin                                   func(text string) gatewayOrigin
}

// A corsWarn warns of a field of a corsSettings.
type corsWarn func(at kube.Place, code, name, message string)

// proposal makes a policy of it.
func (c *corsSettings) proposal(b *build.Builder) *build.Proposal {
	p := &build.Proposal{Policy: &corsprocv1.Policy{AllowCredentials: c.credentials}, Name: strings.TrimPrefix(c.object.Name(), "/"), At: c.object.Position(c.at)}
	var warn corsWarn = func(f kube.Place, code, name, message string) {
		b.Warn(&p.Notes, c.object.Position(f), code, c.field+"."+name, message)
	}
	c.setOrigins(p.Policy, warn)
	methods, methodsFit := c.names(c.methods, "allowMethods", warn)
	headers, headersFit := c.names(c.requestHeaders, "allowHeaders", warn)
	if methodsFit && headersFit { // else browsers take the whole preflight answer for a failure (Fetch, CORS-preflight fetch, step 7)
		p.Policy.AllowMethods, p.Policy.AllowHeaders = methods, headers
		if slices.Contains(methods, "*") {
			p.Policy.AllowMethods = []string{"*"}
		}
		if slices.Contains(headers, "*") { // what is asked for is echoed, Authorization too
			p.Policy.AllowHeaders = []string{"*", "Authorization"}
		}
	}
	if exposed, fit := c.names(c.responseHeaders, "exposeHeaders", warn); fit {
		if slices.Contains(exposed, "*") {
			if c.credentials {
				exposed = slices.DeleteFunc(exposed, func(s string) bool { return s == "*" })
				warn(placeOfValue(c.responseHeaders, "*"), codeExposeStar, "exposeHeaders", `"*" is left out: with credentials browsers take it for a header that is called *; list the names that scripts read`)
			} else {
				exposed = []string{"*"}
			}
		}
		p.Policy.ExposeHeaders = exposed
	}
	if c.maxAgeFault != nil {
		c.maxAgeFault(warn)
	}
	if c.maxAge != "" {
		p.Policy.MaxAge = proto.String(c.maxAge)
	}
	return p
}

func (c *corsSettings) setOrigins(p *corsprocv1.Policy, warn corsWarn) {
	for _, f := range c.origins {
		o := c.origin(f.Value)
		switch {
		case o.pattern == "*":
			p.AllowOrigins = append(p.AllowOrigins, "*")
			build.TakeEverybody(p)
			return
		case o.pattern != "":
			p.AllowOrigins = append(p.AllowOrigins, o.pattern)
		case o.regex != "":
			p.AllowOriginRegexes = append(p.AllowOriginRegexes, o.regex)
		default:
			warn(f.Place, codeNoOrigin, "allowOrigins", fmt.Sprintf("%q is left out: %s", printable.Cut(f.Value), o.nothing))
		}
	}
}

// names returns what browsers read in a list that Envoy joins with commas. fit is false where one of them makes the whole
// list invalid.
func (c *corsSettings) names(list []kube.Field[string], name string, warn corsWarn) (names []string, fit bool) {
	fit = true
	for _, f := range list {
		for text := range strings.SplitSeq(f.Value, ",") {
			text = strings.Trim(text, " \t")
			switch {
			case text == "": // an empty element counts for nothing (RFC 9110, 5.6.1)
			case !fetch.IsToken(text):
				warn(f.Place, codeNoName, name, fmt.Sprintf("%q is no name, and browsers refuse a list with it as a whole: the list is left out; take it out there and import again", printable.Cut(text)))
				fit = false
			default:
				names = append(names, text)
			}
		}
	}
	return names, fit
}

func placeOfValue(list []kube.Field[string], value string) kube.Place {
	for _, f := range list {
		if f.Value == value {
			return f.Place
		}
	}
	return list[0].Place
}

// settings takes all fields but the max age.
func (f *corsFields[MaxAge]) settings(o *kube.Object, fieldName string, origin func(string) gatewayOrigin) *corsSettings {
	return &corsSettings{
		object: o, at: f.Place, field: fieldName,
		origins: f.AllowOrigins, methods: f.AllowMethods, requestHeaders: f.AllowHeaders, responseHeaders: f.ExposeHeaders,
		credentials: f.AllowCredentials.Value, origin: origin,
	}
}

// filterCORS takes a CORS filter.
func filterCORS(o *kube.Object, f *corsFilter, fieldName string, origin func(string) gatewayOrigin) *corsSettings {
	c := f.settings(o, fieldName, origin)
	c.maxAge = "5s"
	switch {
	case f.MaxAge.Value > 0:
		c.maxAge = build.Duration(f.MaxAge.Value)
	case f.MaxAge.Set():
		c.maxAgeFault = func(warn corsWarn) {
			warn(f.MaxAge.Place, codeMaxAge, "maxAge", fmt.Sprintf("%d is refused by Gateway API, where it is at least 1: its default of 5 seconds is taken", f.MaxAge.Value))
		}
	}
	return c
}

// durationForm is how Gateway API writes durations (GEP-2257).
var durationForm = regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)

// gatewayDuration reads a duration in whole seconds, as Envoy Gateway sends it.
func gatewayDuration(text string) (seconds int64, ok bool) {
	if !durationForm.MatchString(text) {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return int64(d / time.Second), err == nil
}
