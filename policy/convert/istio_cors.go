package convert

// Tested by istio_test.go and istio_envoy_test.go.

import (
	"slices"
	"strings"
	"time"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// grant returns what a route grants (TranslateCORSPolicy).
func (r *istioReader) grant(h *istioHTTP) place {
	v, c := h.from, h.CORS
	if c == nil {
		return place{at: v.position(h.At)}
	}
	if p, ok := r.places[c]; ok {
		return p
	}
	p := r.convert(v, h, c)
	r.places[c] = p
	return p
}

func (r *istioReader) convert(v *istioVS, h *istioHTTP, c *istioCORS) place {
	q := &proposal{policy: &corsprocv1.Policy{AllowCredentials: c.AllowCredentials.Value}, name: v.name(), at: v.position(c.At)}
	if h.Name.Value != "" && len(v.spec.Spec.HTTP) > 1 {
		q.name += "/" + h.Name.Value
	}
	p := place{at: v.position(h.At)}
	if len(c.AllowOrigins)+len(c.AllowOrigin) == 0 {
		p.notes.add("corsPolicy without origins: nobody is allowed, and what the upstream answers stays")
		return p
	}
	r.origins(v, c, q)
	q.policy.AllowMethods = r.list(v, q, "allowMethods", c.AllowMethods)
	if q.policy.AllowHeaders = r.list(v, q, "allowHeaders", c.AllowHeaders); isOnly(q.policy.AllowHeaders, "*") {
		q.policy.AllowHeaders = append(q.policy.AllowHeaders, "Authorization") // what is asked for is echoed, whatever it is
	}
	q.policy.ExposeHeaders = r.list(v, q, "exposeHeaders", c.ExposeHeaders)
	if len(c.ExposeHeaders) > 0 {
		q.policy.ExposeHeaders = exposeWithCredentials(r.b, q, v.position(c.ExposeHeaders[0].fieldPlace), "corsPolicy.exposeHeaders", q.policy.ExposeHeaders)
	}
	if d, err := time.ParseDuration(c.MaxAge.Value); err == nil {
		q.policy.MaxAge = proto.String(duration(min(int64(d/time.Second), maxPolicyAge)))
	}
	if c.Unmatched.Value == "FORWARD" {
		r.b.warn(&q.notes, v.position(c.Unmatched.fieldPlace), codeForward, "corsPolicy.unmatchedPreflights",
			"preflights of origins that are not allowed go to the upstream there, and are refused here: where the upstream is to answer, write passthrough")
	}
	p.policies = []*proposal{q}
	return p
}

func isOnly(list []string, s string) bool { return len(list) == 1 && list[0] == s }

// origins reads the origins. Envoy compares them with the text of Origin, so they are its matchers.
func (r *istioReader) origins(v *istioVS, c *istioCORS, q *proposal) {
	matchers := envoyConverter{b: r.b, p: q}
	add := func(m *matcherv3.StringMatcher, at fieldPlace) {
		origins, expression := matchers.matcher(m, v.position(at))
		q.policy.AllowOrigins = append(q.policy.AllowOrigins, origins...)
		if expression != "" {
			q.policy.AllowOriginRegexes = append(q.policy.AllowOriginRegexes, expression)
		}
	}
	for i := range c.AllowOrigins {
		t := &c.AllowOrigins[i]
		m := &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: t.Exact.Value}}
		switch {
		case t.Prefix.Set():
			m.MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: t.Prefix.Value}
		case t.Regex.Set():
			m.MatchPattern = &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: t.Regex.Value}}
		}
		add(m, t.At)
	}
	if len(c.AllowOrigins) == 0 {
		for _, s := range c.AllowOrigin {
			add(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: s.Value}}, s.fieldPlace)
		}
	} else if len(c.AllowOrigin) > 0 {
		q.notes.add("allowOrigin counts for nothing beside allowOrigins")
	}
	takeEverybody(q.policy)
}

// list returns methods or names. A * alone is everything; beside others it is a name, as Envoy sends it.
func (r *istioReader) list(v *istioVS, q *proposal, field string, from []field[string]) (list []string) {
	for _, f := range from {
		switch {
		case f.Value != "*" || len(from) == 1:
			list = append(list, f.Value)
		default:
			r.b.warn(&q.notes, v.position(f.fieldPlace), codeStarInList, "corsPolicy."+field,
				"the * beside other entries is left out: Envoy sends it as it stands, a name to browsers that send credentials, and here it would stand for everything; list what is meant")
		}
	}
	return list
}

// warnOfHeaders warns of a route that sets CORS headers by hand.
func (r *istioReader) warnOfHeaders(n *notes, h *istioHTTP) {
	all := []*istioHeaders{h.Headers}
	for i := range h.Route {
		all = append(all, h.Route[i].Headers)
	}
	for _, headers := range all {
		if headers == nil || headers.Response == nil {
			continue
		}
		for _, e := range append(slices.Clone(headers.Response.Set), headers.Response.Add...) {
			if strings.HasPrefix(strings.ToLower(e.Key), "access-control-") {
				r.b.warn(n, h.from.position(e.fieldPlace), codeResponse, "headers.response",
					"the route sets CORS headers itself, which is not carried over: write what it grants as a policy, and take it out there")
				break
			}
		}
	}
}
