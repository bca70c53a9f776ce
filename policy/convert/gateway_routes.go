package convert

// Tested by gateway_test.go, gateway_random_test.go and golden_test.go.

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

// A gatewayReading reads routes for one of the two kinds.
type gatewayReading struct {
	b         *builder
	origin    func(string) gatewayOrigin
	listeners *gatewayListeners
	hosts     *gatewayHosts
	policies  *securityPolicies              // of Envoy Gateway; nil: none
	filters   map[gatewayID]*routeFilterSpec // HTTPRouteFilters of Envoy Gateway
	made      int
}

// A gatewayRoute is an HTTPRoute or a GRPCRoute.
type gatewayRoute struct {
	parented
	rules []*gatewayRule
}

// A gatewayRule is a rule of a route. What its matches grant can depend on the listener.
type gatewayRule struct {
	name    string
	filter  *proposal // of a CORS filter
	answers bool
	byHand  *valueMatch // a CORS header that a filter sets; nil: none does
	at      Position
	matches []*gatewayMatch
}

func (g *gatewayReading) routes(objects []*kubernetesObject) error {
	var routes []*gatewayRoute
	for _, kind := range []kubernetesKind{kindHTTPRoute, kindGRPCRoute} { // Envoy Gateway has them in this order
		for _, o := range objects {
			if o.kubernetesKind != kind {
				continue
			}
			read := g.httpRoute
			if kind == kindGRPCRoute {
				read = g.grpcRoute
			}
			r, err := read(o)
			if err != nil {
				return err
			}
			routes = append(routes, r)
		}
	}
	for _, r := range routes {
		g.listeners.prepare(r.parented)
	}
	if g.policies != nil {
		if err := g.policies.resolve(g.b, g.listeners, routes); err != nil {
			return err
		}
	}
	for _, r := range routes {
		attached, err := g.listeners.attach(r.parented)
		if err != nil {
			return err
		}
		for _, a := range attached {
			if err := g.place(r, a); err != nil {
				return err
			}
		}
	}
	if g.policies != nil {
		g.policies.tellUnused(g.b, g.listeners)
	}
	return nil
}

// place adds the matches of a route to the hosts of a listener.
func (g *gatewayReading) place(r *gatewayRoute, a attachment) error {
	for _, rule := range r.rules {
		var terms place
		switch {
		case rule.answers:
		case g.policies != nil:
			terms = g.policies.of(g.b, r, rule, a.listener)
		case rule.filter != nil:
			terms.policies = []*proposal{rule.filter}
		}
		if h := rule.byHand; h != nil && len(terms.policies) > 0 {
			g.b.warn(&terms.policies[0].notes, r.object.position(h.Place.Line, h.Place.Column), codeResponse, "responseHeaderModifier",
				"the rule sets CORS headers itself, which is not carried over: write what it grants as a policy, and take it out there")
		}
		for _, m := range rule.matches {
			here := *m
			here.terms, here.filter, here.answers = terms, rule.filter != nil, rule.answers
			for _, host := range a.hosts {
				if err := g.hosts.add(a.listener, host, &here, r.object.position(0, 0)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (g *gatewayReading) httpRoute(o *kubernetesObject) (*gatewayRoute, error) {
	var object struct {
		Spec httpRouteSpec `kube:"spec"`
	}
	if err := o.decode(&object); err != nil {
		return nil, err
	}
	r := &gatewayRoute{parented: parented{o, object.Spec.ParentRefs, object.Spec.Hostnames}}
	for i, spec := range object.Spec.Rules {
		field := fmt.Sprintf("spec.rules[%d]", i)
		rule := &gatewayRule{name: spec.Name.Value, at: o.position(spec.Place.Line, spec.Place.Column)}
		cookie := g.readFilters(o, rule, field, spec)
		if len(spec.Matches) == 0 {
			m := g.newMatch(rule.at, field, gatewayPath{kind: matchSegments})
			m.cookie = cookie
			rule.matches = append(rule.matches, m)
		}
		for j, spec := range spec.Matches {
			if m := g.match(o, fmt.Sprintf("%s.matches[%d]", field, j), spec); m != nil {
				m.cookie = cookie
				rule.matches = append(rule.matches, m)
			}
		}
		r.rules = append(r.rules, rule)
	}
	return r, nil
}

// readFilters takes from the filters of a rule what counts here, and reports whether one of them matches by cookies.
func (g *gatewayReading) readFilters(o *kubernetesObject, rule *gatewayRule, path string, spec httpRouteRule) (cookie bool) {
	var cors *httpRouteFilter
	corsPath := ""
	for i := range spec.Filters {
		f := &spec.Filters[i]
		rule.sets(f)
		switch f.Type.Value {
		case "CORS":
			if cors == nil && f.CORS != nil {
				cors, corsPath = f, fmt.Sprintf("%s.filters[%d].cors", path, i)
			}
		case "RequestRedirect":
			rule.answers = true
		case "ExtensionRef":
			if g.filters == nil || f.ExtensionRef.Kind.Value != kindHTTPRouteFilter.kind {
				continue
			}
			known := g.filters[gatewayID{kindHTTPRouteFilter.kind, o.namespace(), f.ExtensionRef.Name.Value}]
			if known == nil {
				g.b.warn(nil, o.position(f.Place.Line, f.Place.Column), codeExtensionRef, path, fmt.Sprintf("no FILE holds the HTTPRouteFilter %s: if it matches by cookies or answers requests itself, that is not carried over; give import the file that has it", printable.Cut(f.ExtensionRef.Name.Value)))
				continue
			}
			rule.answers = rule.answers || known.DirectResponse != nil
			cookie = cookie || len(known.Matches) > 0
		}
	}
	if cors != nil {
		at := o.position(cors.Place.Line, cors.Place.Column)
		if rule.answers {
			g.b.warn(nil, at, codeRedirect, corsPath, "the rule answers requests itself, with a redirect or a response of its own, which gets no CORS from the filter: it is left out")
		} else {
			rule.filter = filterCORS(o, cors.CORS, corsPath, g.origin).proposal(g.b)
		}
	}
	for i, backend := range spec.BackendRefs {
		for j := range backend.Filters {
			f := &backend.Filters[j]
			rule.sets(f)
			if f.Type.Value == "CORS" || f.CORS != nil {
				g.b.warn(nil, o.position(f.Place.Line, f.Place.Column), codeFilterPlace, fmt.Sprintf("%s.backendRefs[%d].filters[%d]", path, i, j),
					"the filter holds for one backend, which is chosen after corsproc is asked: it is left out; write it for the rule")
			}
		}
	}
	return cookie
}

// sets notes a CORS header that a filter sets on answers.
func (r *gatewayRule) sets(f *httpRouteFilter) {
	for _, h := range slices.Concat(f.Response.Set, f.Response.Add) {
		if strings.HasPrefix(strings.ToLower(h.Name.Value), "access-control-") {
			r.byHand = &h
		}
	}
}

// match takes a match of an HTTPRoute.
func (g *gatewayReading) match(o *kubernetesObject, path string, spec httpRouteMatch) *gatewayMatch {
	m := g.newMatch(o.position(spec.Place.Line, spec.Place.Column), path, gatewayPath{kind: matchSegments})
	m.method, m.query = spec.Method.Value, len(spec.QueryParams) > 0
	for _, h := range spec.Headers {
		m.headers = append(m.headers, h.Name.Value)
	}
	if spec.Path.Value.Set() && !g.setPath(m, path+".path", o, spec.Path.Value, cmp.Or(spec.Path.Type.Value, "PathPrefix")) {
		return nil
	}
	return m
}

func (g *gatewayReading) newMatch(at Position, field string, path gatewayPath) *gatewayMatch {
	g.made++
	return &gatewayMatch{path: path, at: at, field: field, made: g.made}
}

// maxGatewayPath is the most that the schema takes.
const maxGatewayPath = 1024

// setPath sets the path of a match, and reports whether it can match anything.
func (g *gatewayReading) setPath(m *gatewayMatch, name string, o *kubernetesObject, value field[string], kind string) bool {
	warn := func(why string) bool {
		g.b.warn(nil, o.position(value.Line, value.Column), codeRegexPath, name, fmt.Sprintf("%q is left out: %s", printable.Cut(value.Value), why))
		return false
	}
	text := value.Value
	if len(text) > maxGatewayPath {
		return warn(fmt.Sprintf("a path has at most %d characters; Gateway API refuses it", maxGatewayPath))
	}
	switch kind {
	case "Exact", "PathPrefix":
		if !strings.HasPrefix(text, "/") || strings.ContainsAny(text, "?#") {
			return warn("a path begins with / and has no query; Gateway API refuses it")
		}
		m.path = gatewayPath{matchPath, text}
		if kind == "PathPrefix" { // by segments: a slash at the end says nothing
			m.path = gatewayPath{matchSegments, strings.TrimSuffix(text, "/")}
		}
	case "RegularExpression":
		if _, err := regexp.Compile(text); err != nil {
			return warn("it is no expression of RE2: " + err.Error())
		}
		m.path = gatewayPath{matchRegex, text}
	default:
		return warn(fmt.Sprintf("its type %q is none of Exact, PathPrefix and RegularExpression", printable.Cut(kind)))
	}
	return true
}

// grpcRoute takes a GRPCRoute. It has no CORS filter, but its rules take requests, and policies hold for them.
func (g *gatewayReading) grpcRoute(o *kubernetesObject) (*gatewayRoute, error) {
	var object struct {
		Spec grpcRouteSpec `kube:"spec"`
	}
	if err := o.decode(&object); err != nil {
		return nil, err
	}
	r := &gatewayRoute{parented: parented{o, object.Spec.ParentRefs, object.Spec.Hostnames}}
	for i, spec := range object.Spec.Rules {
		rule := &gatewayRule{name: spec.Name.Value, at: o.position(spec.Place.Line, spec.Place.Column)}
		if len(spec.Matches) == 0 {
			rule.matches = append(rule.matches, g.newMatch(rule.at, fmt.Sprintf("spec.rules[%d]", i), gatewayPath{kind: matchSegments}))
		}
		for j, spec := range spec.Matches {
			m := g.newMatch(o.position(spec.Place.Line, spec.Place.Column), fmt.Sprintf("spec.rules[%d].matches[%d]", i, j), gatewayPath{kind: matchSegments})
			for _, h := range spec.Headers {
				m.headers = append(m.headers, h.Name.Value)
			}
			service, method := spec.Method.Service, spec.Method.Method
			path, kind := service, cmp.Or(spec.Method.Type.Value, "Exact")
			if !path.Set() {
				path = method
			}
			// As Envoy Gateway does it (processGRPCRouteMethodExact and its neighbour).
			switch exact := kind == "Exact"; {
			case service.Value != "" && method.Value != "":
				path.Value = "/" + service.Value + "/" + method.Value
			case service.Value != "" && exact:
				path.Value, kind = "/"+service.Value, "PathPrefix"
			case service.Value != "":
				path.Value = "/" + service.Value + "/" + grpcMethodForm
			case method.Value != "" && exact:
				m.headers = append(m.headers, ":path")
				path.Value, kind = "/", "PathPrefix"
			case method.Value != "":
				path.Value = "/" + grpcServiceForm + "/" + method.Value
			default:
				path.Value, kind = "/", "PathPrefix"
			}
			if g.setPath(m, fmt.Sprintf("spec.rules[%d].matches[%d].method", i, j), o, path, kind) {
				rule.matches = append(rule.matches, m)
			}
		}
		r.rules = append(r.rules, rule)
	}
	return r, nil
}

// What Envoy Gateway puts for the service or the method that an expression does not name.
const (
	grpcServiceForm = `(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*`
	grpcMethodForm  = `[A-Za-z_][A-Za-z_0-9]*`
)

// sorted returns the objects of a kind, the oldest first.
func sorted(objects []*kubernetesObject) []*kubernetesObject {
	objects = slices.Clone(objects)
	slices.SortStableFunc(objects, byAge)
	return objects
}
