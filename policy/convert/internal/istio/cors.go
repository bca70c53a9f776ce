package istio

// Tested by policy/convert/istio_test.go and policy/convert/istio_envoy_test.go.

import (
	"slices"
	"strings"
	"time"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/envoy"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// grant returns what a route grants (TranslateCORSPolicy).
func (r *reader) grant(h *httpRoute) build.Place {
	v, c := h.from, h.CORS
	if c == nil {
		return build.Place{At: v.Position(h.At)}
	}
	if p, ok := r.places[c]; ok {
		return p
	}
	p := r.convert(v, h, c)
	r.places[c] = p
	return p
}

func (r *reader) convert(v *virtualService, h *httpRoute, c *corsPolicy) build.Place {
	q := &build.Proposal{Policy: &corsprocv1.Policy{AllowCredentials: c.AllowCredentials.Value}, Name: v.Name(), At: v.Position(c.At)}
	if h.Name.Value != "" && len(v.spec.Spec.HTTP) > 1 {
		q.Name += "/" + h.Name.Value
	}
	p := build.Place{At: v.Position(h.At)}
	if len(c.AllowOrigins)+len(c.AllowOrigin) == 0 {
		p.Notes.Add("corsPolicy without origins: nobody is allowed, and what the upstream answers stays")
		return p
	}
	r.origins(v, c, q)
	q.Policy.AllowMethods = r.list(v, q, "allowMethods", c.AllowMethods)
	if q.Policy.AllowHeaders = r.list(v, q, "allowHeaders", c.AllowHeaders); isOnly(q.Policy.AllowHeaders, "*") {
		q.Policy.AllowHeaders = append(q.Policy.AllowHeaders, "Authorization") // what is asked for is echoed, whatever it is
	}
	q.Policy.ExposeHeaders = r.list(v, q, "exposeHeaders", c.ExposeHeaders)
	if len(c.ExposeHeaders) > 0 {
		q.Policy.ExposeHeaders = build.ExposeWithCredentials(r.b, q, v.Position(c.ExposeHeaders[0].Place), "corsPolicy.exposeHeaders", q.Policy.ExposeHeaders)
	}
	if d, err := time.ParseDuration(c.MaxAge.Value); err == nil {
		q.Policy.MaxAge = proto.String(build.Duration(min(int64(d/time.Second), build.MaxPolicyAge)))
	}
	if c.Unmatched.Value == "FORWARD" {
		r.b.Warn(&q.Notes, v.Position(c.Unmatched.Place), build.CodeForward, "corsPolicy.unmatchedPreflights",
			"preflights of origins that are not allowed go to the upstream there, and are refused here: where the upstream is to answer, write passthrough")
	}
	p.Policies = []*build.Proposal{q}
	return p
}

func isOnly(list []string, s string) bool { return len(list) == 1 && list[0] == s }

// origins reads the origins. Envoy compares them with the text of Origin, so they are its matchers.
func (r *reader) origins(v *virtualService, c *corsPolicy, q *build.Proposal) {
	matchers := envoy.Converter{B: r.b, P: q}
	add := func(m *matcherv3.StringMatcher, at kube.Place) {
		origins, expression := matchers.Matcher(m, v.Position(at))
		q.Policy.AllowOrigins = append(q.Policy.AllowOrigins, origins...)
		if expression != "" {
			q.Policy.AllowOriginRegexes = append(q.Policy.AllowOriginRegexes, expression)
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
			add(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: s.Value}}, s.Place)
		}
	} else if len(c.AllowOrigin) > 0 {
		q.Notes.Add("allowOrigin counts for nothing beside allowOrigins")
	}
	build.TakeEverybody(q.Policy)
}

// list returns methods or names. A * alone is everything; beside others it is a name, as Envoy sends it.
func (r *reader) list(v *virtualService, q *build.Proposal, field string, from []kube.Field[string]) (list []string) {
	for _, f := range from {
		switch {
		case f.Value != "*" || len(from) == 1:
			list = append(list, f.Value)
		default:
			r.b.Warn(&q.Notes, v.Position(f.Place), build.CodeStarInList, "corsPolicy."+field,
				"the * beside other entries is left out: Envoy sends it as it stands, a name to browsers that send credentials, and here it would stand for everything; list what is meant")
		}
	}
	return list
}

// warnOfHeaders warns of a route that sets CORS headers by hand.
func (r *reader) warnOfHeaders(n *build.Notes, h *httpRoute) {
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
				r.b.Warn(n, h.from.Position(e.Place), build.CodeResponse, "headers.response",
					"the route sets CORS headers itself, which is not carried over: write what it grants as a policy, and take it out there")
				break
			}
		}
	}
}
