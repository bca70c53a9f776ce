package convert

// Tested by istio_test.go and istio_envoy_test.go.

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

// An istioHost is hosts at one gateway, or in the mesh, with their VirtualServices in their order.
type istioHost struct {
	gateway  string
	hosts    []string
	services []*istioVS
}

// maxHostRoutes bounds the routes of all hosts together: a VirtualService has all its routes at each of its hosts.
const maxHostRoutes = 2_000_000

// write tells the builder of all hosts. A host at several gateways is one place here: what all of them grant.
func (r *istioReader) write() error {
	groups := r.groups()
	count := 0
	for _, h := range groups {
		for _, v := range h.services {
			if count += len(v.routes) + 1; count > maxHostRoutes {
				return v.fault(fieldPlace{}, fmt.Sprintf("the routes of all hosts together are more than %d: import the files in parts", maxHostRoutes))
			}
		}
	}
	e := &envoyReader{b: r.b}
	var hosts []*host
	for _, h := range groups {
		hosts = append(hosts, r.host(e, h))
	}
	r.b.hosts = e.join(hosts)
	return nil
}

// groups returns the hosts of every gateway, those together that have the same VirtualServices. Hosts at those gateways that
// have them by a wildcard only are among them: a policy file does not tell gateways apart, and would take what the host has
// elsewhere for them, too.
func (r *istioReader) groups() (groups []*istioHost) {
	type key struct{ gateway, host string }
	services := map[key][]*istioVS{}
	wildcards := map[string]hostIndex{}
	var order []key
	for _, v := range r.all {
		for _, g := range once(v.gateways, false) {
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
func (r *istioReader) hostsAt(v *istioVS, gateway string) (hosts []string) {
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
	key := listening{gateway, v.namespace()}
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
	return once(both, false)
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
func (v *istioVS) fullName(host string) string {
	host = strings.ToLower(host)
	if _, err := netip.ParseAddr(host); host == "*" || strings.Contains(host, ".") || err == nil {
		return host
	}
	return host + "." + v.namespace() + ".svc.cluster.local"
}

func (r *istioReader) host(e *envoyReader, h *istioHost) *host {
	v := h.services[0]
	out := &host{domains: h.hosts, place: place{at: v.position(v.meta.Name.fieldPlace)}}
	out.name = r.envoyName(h)
	var lists [][]envoyRoute
	for _, v := range h.services {
		lists = append(lists, r.routesOf(v, h.gateway))
	}
	if len(h.services) > 1 {
		r.tightenUnordered(out, h.services, lists)
	}
	// What covers everything stands behind what does not, whichever VirtualService it is of (SortVHostRoutes).
	var routes, last []envoyRoute
	for _, list := range lists {
		for _, route := range list {
			if route.all() {
				last = append(last, route)
			} else {
				routes = append(routes, route)
			}
		}
	}
	out.routes = e.placesOf(append(routes, last...))
	r.warnOfRedirect(out, h)
	return out
}

// envoyName returns what Envoy calls the virtual host, host:port, where that is sure: the gateway is in a file and listens at
// one port, and no other host is in the VirtualService, since Istio makes one virtual host of hosts with equal routes.
func (r *istioReader) envoyName(h *istioHost) string {
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
func (r *istioReader) warnOfRedirect(out *host, h *istioHost) {
	g := r.gateways[h.gateway]
	if g == nil || !out.grants() {
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
			r.b.warn(&out.notes, Position{g.file, s.TLS.Redirect.Line, s.TLS.Redirect.Column}, codeTLS, "httpsRedirect",
				"requests over http are redirected there without CORS headers, and a policy file does not look at the scheme: here they are answered as those over https are")
			return
		}
	}
}

// routesOf returns the routes of a VirtualService at a gateway (BuildHTTPRoutesForVirtualService).
func (r *istioReader) routesOf(v *istioVS, gateway string) (routes []envoyRoute) {
	for i := range v.routes {
		h := &v.routes[i]
		p := place{at: h.from.position(h.At)}
		if h.Redirect == nil && h.Response == nil { // to those Envoy's filter adds nothing
			p = r.grant(h)
			p.notes.texts = slices.Clone(p.notes.texts)
			r.warnOfHeaders(&p.notes, h)
		}
		if len(h.Match) == 0 {
			return append(routes, envoyRoute{match: everyPath, place: p})
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
			if route.all() {
				return routes
			}
		}
	}
	return routes
}

// holdsAt reports whether a match can hold at a gateway.
func (r *istioReader) holdsAt(v *istioVS, m *istioMatch, gateway string) bool {
	if len(m.Gateways) > 0 && !slices.ContainsFunc(m.Gateways, func(g field[string]) bool { return v.gatewayName(g.Value) == gateway }) {
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
func (r *istioReader) routeOf(m *istioMatch, p place) (route envoyRoute, ok bool) {
	route = envoyRoute{match: everyPath, place: p}
	ok = true
	if u := m.URI; u != nil {
		switch {
		case u.Exact.Set():
			route.match, ok = pathMatch(u.Exact.Value, m.IgnoreCase.Value)
		case u.Prefix.Set():
			route.match, ok = prefixMatch(u.Prefix.Value, m.IgnoreCase.Value)
		case u.Regex.Set():
			if route.match = regexMatch(u.Regex.Value); !loadable(route.match) {
				route.match, route.unsaid = everyPath, true
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
	route.partly = strings.Join(partly, ", ")
	return route, ok
}

// maxUnordered bounds the work on routes of VirtualServices whose order the files do not say.
const maxUnordered = 1_000_000

// tightenUnordered sees to it that routes of two VirtualServices of one host grant no more than both where both could take a
// request and the files do not say which VirtualService is older.
func (r *istioReader) tightenUnordered(out *host, services []*istioVS, lists [][]envoyRoute) {
	routes := 0
	for _, list := range lists {
		routes += len(list)
	}
	if routes*routes > maxUnordered {
		if slices.ContainsFunc(services, func(v *istioVS) bool { return v.created.IsZero() }) {
			r.tightenAll(out, services, lists)
		}
		return
	}
	for i := range lists {
		for j := range i {
			if !services[i].created.IsZero() && !services[j].created.IsZero() {
				continue
			}
			differ := false
			for a := range lists[i] {
				for b := range lists[j] {
					p, q := &lists[i][a], &lists[j][b]
					if p.all() != q.all() || !p.match.meets(q.match) {
						continue // what covers everything goes last, whoever has it
					}
					if !p.place.tighten(q.place) {
						differ = true
						q.place.tighten(p.place)
					}
				}
			}
			if differ {
				r.b.warn(&out.notes, out.at, codeOrder, "hosts", fmt.Sprintf("VirtualServices %s and %s share this host, of routes that both have the older one's hold, and the files do not say which one is: here both have to grant it; import kubectl get -o yaml, which says it",
					printable.Cut(services[j].name()), printable.Cut(services[i].name())))
			}
		}
	}
}
