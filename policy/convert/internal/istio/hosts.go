package istio

// Tested by policy/convert/istio_test.go and policy/convert/istio_envoy_test.go.

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/envoy"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
	"github.com/corsproc/corsproc/policy/printable"
)

// An istioHost is hosts at one gateway, or in the mesh, with their VirtualServices in their order.
type istioHost struct {
	gateway  string
	hosts    []string
	services []*virtualService
}

// maxHostRoutes bounds the routes of all hosts together: a VirtualService has all its routes at each of its hosts.
const maxHostRoutes = 2_000_000

// write tells the builder of all hosts. A host at several gateways is one place here: what all of them grant.
func (r *reader) write() error {
	groups := r.groups()
	count := 0
	for _, h := range groups {
		for _, v := range h.services {
			if count += len(v.routes) + 1; count > maxHostRoutes {
				return v.Fault(kube.Place{}, fmt.Sprintf("the routes of all hosts together are more than %d: import the files in parts", maxHostRoutes))
			}
		}
	}
	e := &envoy.Reader{B: r.b}
	var hosts []*build.Host
	for _, h := range groups {
		hosts = append(hosts, r.host(e, h))
	}
	r.b.Hosts = e.Join(hosts)
	return nil
}

// groups returns the hosts of every gateway, those together that have the same VirtualServices. Hosts at those gateways that
// have them by a wildcard only are among them: a policy file does not tell gateways apart, and would take what the host has
// elsewhere for them, too.
func (r *reader) groups() (groups []*istioHost) {
	type key struct{ gateway, host string }
	services := map[key][]*virtualService{}
	wildcards := map[string]hostIndex{}
	var order []key
	for _, v := range r.all {
		for _, g := range build.Once(v.gateways, false) {
			for _, name := range r.hostsAt(v, g) {
				k := key{g, name}
				if services[k] == nil {
					order = append(order, k)
				}
				services[k] = append(services[k], v)
				if strings.HasPrefix(name, "*") {
					if wildcards[g] == nil {
						wildcards[g] = hostIndex{}
					}
					wildcards[g][name] = true
				}
			}
		}
	}
	seen := map[string]bool{}
	gateways := slices.Sorted(maps.Keys(wildcards))
	if len(order)*len(gateways) > maxHostRoutes {
		gateways = nil // nobody has so many of both
	}
	for _, k := range slices.Clone(order) {
		if seen[k.host] {
			continue
		}
		seen[k.host] = true
		for _, g := range gateways {
			if here := (key{g, k.host}); services[here] == nil {
				if w := wildcards[g].around(k.host); w != "" {
					services[here] = services[key{g, w}]
					order = append(order, here)
				}
			}
		}
	}
	byServices := map[string]*istioHost{}
	for _, k := range order {
		var id strings.Builder
		fmt.Fprintf(&id, "%q", k.gateway)
		for _, v := range services[k] {
			fmt.Fprintf(&id, " %d", v.number)
		}
		h := byServices[id.String()]
		if h == nil {
			h = &istioHost{gateway: k.gateway, services: services[k]}
			byServices[id.String()] = h
			groups = append(groups, h)
		}
		h.hosts = append(h.hosts, k.host)
	}
	return groups
}

// hostsAt returns the hosts of a VirtualService for which a gateway listens, and all where no file has the gateway.
func (r *reader) hostsAt(v *virtualService, gateway string) (hosts []string) {
	own := hostIndex{}
	for _, f := range v.spec.Spec.Hosts {
		name := v.fullName(f.Value)
		hosts = append(hosts, name)
		own[name] = true
	}
	g := r.gateways[gateway]
	if g == nil {
		return hosts
	}
	key := listening{gateway, v.Namespace()}
	at, ok := r.heard[key]
	if !ok {
		at = g.listens(key)
		r.heard[key] = at
	}
	var both []string
	for _, h := range hosts {
		if at.index.covers(h) {
			both = append(both, h)
		}
	}
	if slices.ContainsFunc(hosts, func(h string) bool { return strings.HasPrefix(h, "*") }) { // else none is around another
		for _, name := range at.names {
			if !own[name] && own.around(name) != "" {
				both = append(both, name)
			}
		}
	}
	return build.Once(both, false)
}

// listening is a gateway, and the namespace on whose behalf it listens.
type listening struct{ gateway, namespace string }

// listened are the hosts for which it does, as an index and in their order.
type listened struct {
	index hostIndex
	names []string
}

// listens returns the hosts for which the gateway listens.
func (g *istioGateway) listens(on listening) listened {
	at := listened{index: hostIndex{}}
	for _, s := range g.Spec.Servers {
		for _, f := range s.Hosts {
			of, name, ok := strings.Cut(f.Value, "/")
			if !ok {
				name = f.Value
			} else if of != "*" && of != on.namespace && !(of == "." && strings.HasPrefix(on.gateway, on.namespace+"/")) {
				continue
			}
			name = strings.ToLower(name)
			if !at.index[name] {
				at.index[name] = true
				at.names = append(at.names, name)
			}
		}
	}
	return at
}

// fullName returns the name of a host: a name without dots is a service of the namespace (ResolveShortnameToFQDN).
func (v *virtualService) fullName(host string) string {
	host = strings.ToLower(host)
	if _, err := netip.ParseAddr(host); host == "*" || strings.Contains(host, ".") || err == nil {
		return host
	}
	return host + "." + v.Namespace() + ".svc.cluster.local"
}

func (r *reader) host(e *envoy.Reader, h *istioHost) *build.Host {
	v := h.services[0]
	out := &build.Host{Domains: h.hosts, Place: build.Place{At: v.Position(v.Meta.Name.Place)}}
	out.Name = r.envoyName(h)
	var lists [][]envoy.Route
	for _, v := range h.services {
		lists = append(lists, r.routesOf(v, h.gateway))
	}
	if len(h.services) > 1 {
		r.tightenUnordered(out, h.services, lists)
	}
	// What covers everything stands behind what does not, whichever VirtualService it is of (SortVHostRoutes).
	var routes, last []envoy.Route
	for _, list := range lists {
		for _, route := range list {
			if route.All() {
				last = append(last, route)
			} else {
				routes = append(routes, route)
			}
		}
	}
	out.Routes = e.PlacesOf(append(routes, last...))
	r.warnOfRedirect(out, h)
	return out
}

// envoyName returns what Envoy calls the virtual host, host:port, where that is sure: the gateway is in a file and listens at
// one port, and no other host is in the VirtualService, since Istio makes one virtual host of hosts with equal routes.
func (r *reader) envoyName(h *istioHost) string {
	g := r.gateways[h.gateway]
	if g == nil || len(h.hosts) > 1 || strings.Contains(h.hosts[0], "*") || len(h.services) > 1 || len(h.services[0].spec.Spec.Hosts) > 1 {
		return ""
	}
	port := int64(0)
	for _, s := range g.Spec.Servers {
		n := s.Port.Number.Value
		if n == 0 || port != 0 && port != n {
			return ""
		}
		port = n
	}
	if port == 0 {
		return ""
	}
	return h.hosts[0] + ":" + strconv.FormatInt(port, 10)
}

// warnOfRedirect warns of a gateway that redirects what comes over http: a policy does not look at the scheme.
func (r *reader) warnOfRedirect(out *build.Host, h *istioHost) {
	g := r.gateways[h.gateway]
	if g == nil || !out.Grants() {
		return
	}
	for _, s := range g.Spec.Servers {
		if s.TLS == nil || !s.TLS.Redirect.Value {
			continue
		}
		there := hostIndex{}
		for _, f := range s.Hosts {
			_, name, ok := strings.Cut(f.Value, "/")
			if !ok {
				name = f.Value
			}
			there[strings.ToLower(name)] = true
		}
		if slices.ContainsFunc(h.hosts, func(name string) bool { return there.covers(name) }) {
			r.b.Warn(&out.Notes, source.Position{File: g.file, Line: s.TLS.Redirect.Line, Column: s.TLS.Redirect.Column}, build.CodeTLS, "httpsRedirect",
				"requests over http are redirected there without CORS headers, and a policy file does not look at the scheme: here they are answered as those over https are")
			return
		}
	}
}

// routesOf returns the routes of a VirtualService at a gateway (BuildHTTPRoutesForVirtualService).
func (r *reader) routesOf(v *virtualService, gateway string) (routes []envoy.Route) {
	for i := range v.routes {
		h := &v.routes[i]
		p := build.Place{At: h.from.Position(h.At)}
		if h.Redirect == nil && h.Response == nil { // to those Envoy's filter adds nothing
			p = r.grant(h)
			p.Notes.Texts = slices.Clone(p.Notes.Texts)
			r.warnOfHeaders(&p.Notes, h)
		}
		if len(h.Match) == 0 {
			return append(routes, envoy.Route{Match: build.EveryPath, Place: p})
		}
		for j := range h.Match {
			m := &h.Match[j]
			if !r.holdsAt(v, m, gateway) {
				continue
			}
			route, ok := r.routeOf(m, p)
			if !ok {
				continue
			}
			routes = append(routes, route)
			if route.All() {
				return routes
			}
		}
	}
	return routes
}

// holdsAt reports whether a match can hold at a gateway.
func (r *reader) holdsAt(v *virtualService, m *istioMatch, gateway string) bool {
	if len(m.Gateways) > 0 && !slices.ContainsFunc(m.Gateways, func(g kube.Field[string]) bool { return v.gatewayName(g.Value) == gateway }) {
		return false
	}
	g := r.gateways[gateway]
	if g == nil || !m.Port.Set() {
		return true
	}
	for _, s := range g.Spec.Servers {
		if s.Port.Number.Value == m.Port.Value || s.Port.Number.Value == 0 {
			return true
		}
	}
	return false
}

// routeOf returns the route of a match (TranslateRouteMatch). ok: a browser can send a request to it.
func (r *reader) routeOf(m *istioMatch, p build.Place) (route envoy.Route, ok bool) {
	route = envoy.Route{Match: build.EveryPath, Place: p}
	ok = true
	if u := m.URI; u != nil {
		switch {
		case u.Exact.Set():
			route.Match, ok = envoy.PathMatch(u.Exact.Value, m.IgnoreCase.Value)
		case u.Prefix.Set():
			route.Match, ok = envoy.PrefixMatch(u.Prefix.Value, m.IgnoreCase.Value)
		case u.Regex.Set():
			if route.Match = envoy.RegexMatch(u.Regex.Value); !build.Loadable(route.Match) {
				route.Match, route.Unsaid = build.EveryPath, true
			}
		}
	}
	var partly []string
	for _, c := range []struct {
		there bool
		what  string
	}{
		{len(m.Headers) > 0, "headers"}, {len(m.WithoutHeaders) > 0, "withoutHeaders"}, {m.Method != nil, "method"}, {m.Authority != nil, "authority"}, {m.Scheme != nil, "scheme"},
		{len(m.QueryParams) > 0, "queryParams"}, {m.Port.Set(), "port"}, {len(m.SourceLabels) > 0, "sourceLabels"}, {m.SourceNamespace.Value != "", "sourceNamespace"},
	} {
		if c.there {
			partly = append(partly, c.what)
		}
	}
	route.Partly = strings.Join(partly, ", ")
	return route, ok
}

// maxUnordered bounds the work on routes of VirtualServices whose order the files do not say.
const maxUnordered = 1_000_000

// tightenUnordered sees to it that routes of two VirtualServices of one host grant no more than both where both could take a
// request and the files do not say which VirtualService is older.
func (r *reader) tightenUnordered(out *build.Host, services []*virtualService, lists [][]envoy.Route) {
	routes := 0
	for _, list := range lists {
		routes += len(list)
	}
	if routes*routes > maxUnordered {
		if slices.ContainsFunc(services, func(v *virtualService) bool { return v.Created.IsZero() }) {
			r.tightenAll(out, services, lists)
		}
		return
	}
	for i := range lists {
		for j := range i {
			if !services[i].Created.IsZero() && !services[j].Created.IsZero() {
				continue
			}
			differ := false
			for a := range lists[i] {
				for b := range lists[j] {
					p, q := &lists[i][a], &lists[j][b]
					if p.All() != q.All() || !p.Match.Meets(q.Match) {
						continue // what covers everything goes last, whoever has it
					}
					if !p.Place.Tighten(q.Place) {
						differ = true
						q.Place.Tighten(p.Place)
					}
				}
			}
			if differ {
				r.b.Warn(&out.Notes, out.At, build.CodeOrder, "hosts", fmt.Sprintf("VirtualServices %s and %s share this host, of routes that both have the older one's hold, and the files do not say which one is: here both have to grant it; import kubectl get -o yaml, which says it",
					printable.Cut(services[j].Name()), printable.Cut(services[i].Name())))
			}
		}
	}
}

// tightenAll makes all routes of a host grant what all of them grant: they are too many to be held against each other.
func (r *reader) tightenAll(out *build.Host, services []*virtualService, lists [][]envoy.Route) {
	var least *build.Place
	for _, list := range lists {
		for i := range list {
			if p := list[i].Place; least == nil {
				least = &p
			} else {
				least.Tighten(p)
			}
		}
	}
	for _, list := range lists {
		for i := range list {
			list[i].Place.Tighten(*least)
		}
	}
	r.b.Warn(&out.Notes, out.At, build.CodeOrder, "hosts", fmt.Sprintf("%d VirtualServices share this host, the files do not say which one is the oldest, and their routes are too many to be held against each other: here all of them have to grant it; import kubectl get -o yaml, which says it", len(services)))
}
