package convert

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

// An istioHost is a host at one gateway, or in the mesh, with its VirtualServices in their order.
type istioHost struct {
	gateway, host string
	services      []*istioVS
}

// write tells the builder of all hosts. A host at several gateways is one place here: what all of them grant.
func (r *istioReader) write() {
	var order []*istioHost
	byName := map[[2]string]*istioHost{}
	for _, v := range r.all {
		for _, g := range once(v.gateways, false) {
			for _, name := range r.hostsAt(v, g) {
				key := [2]string{g, name}
				h := byName[key]
				if h == nil {
					h = &istioHost{gateway: g, host: name}
					byName[key] = h
					order = append(order, h)
				}
				h.services = append(h.services, v)
			}
		}
	}
	e := &envoyReader{b: r.b}
	var hosts []*host
	for _, h := range append(order, elsewhere(order, byName)...) {
		hosts = append(hosts, r.host(e, h))
	}
	r.b.hosts = e.join(hosts)
}

// elsewhere returns what holds for hosts at those gateways that have them by a wildcard only: a policy file does not tell
// gateways apart, and would take the host's own for them, too.
func elsewhere(hosts []*istioHost, byName map[[2]string]*istioHost) (more []*istioHost) {
	wildcards := map[string][]*istioHost{}
	for _, h := range hosts {
		if strings.HasPrefix(h.host, "*") {
			wildcards[h.gateway] = append(wildcards[h.gateway], h)
		}
	}
	seen := map[[2]string]bool{}
	for _, gateway := range slices.Sorted(maps.Keys(wildcards)) {
		for _, h := range hosts {
			key := [2]string{gateway, h.host}
			if byName[key] != nil || seen[key] {
				continue
			}
			seen[key] = true
			var best *istioHost
			for _, w := range wildcards[gateway] {
				if hostCovers(w.host, h.host) && (best == nil || len(w.host) > len(best.host)) {
					best = w
				}
			}
			if best != nil {
				more = append(more, &istioHost{gateway, h.host, best.services})
			}
		}
	}
	return more
}

// hostsAt returns the hosts of a VirtualService for which a gateway listens, and all where no file has the gateway.
func (r *istioReader) hostsAt(v *istioVS, gateway string) (hosts []string) {
	for _, f := range v.spec.Spec.Hosts {
		hosts = append(hosts, v.fullName(f.Value))
	}
	g := r.gateways[gateway]
	if g == nil {
		return hosts
	}
	var both []string
	for _, s := range g.Spec.Servers {
		for _, f := range s.Hosts {
			namespace, name, ok := strings.Cut(f.Value, "/")
			if !ok {
				name = f.Value
			} else if namespace != "*" && namespace != v.namespace() && !(namespace == "." && strings.HasPrefix(gateway, v.namespace()+"/")) {
				continue
			}
			name = strings.ToLower(name)
			for _, h := range hosts {
				if hostCovers(name, h) {
					both = append(both, h)
				} else if hostCovers(h, name) {
					both = append(both, name)
				}
			}
		}
	}
	return once(both, false)
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
	out := &host{domains: []string{h.host}, place: place{at: v.position(fieldPlace{v.meta.Name.Line, v.meta.Name.Column})}}
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
			if route.match == everyPath && !route.partial() {
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
	if g == nil || strings.Contains(h.host, "*") || len(h.services) > 1 || len(h.services[0].spec.Spec.Hosts) > 1 {
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
	return h.host + ":" + strconv.FormatInt(port, 10)
}

// warnOfRedirect warns of a gateway that redirects what comes over http: a policy does not look at the scheme.
func (r *istioReader) warnOfRedirect(out *host, h *istioHost) {
	g := r.gateways[h.gateway]
	if g == nil || !out.grants() {
		return
	}
	for _, s := range g.Spec.Servers {
		if s.TLS != nil && s.TLS.Redirect.Value && slices.ContainsFunc(s.Hosts, func(f field[string]) bool {
			_, name, ok := strings.Cut(f.Value, "/")
			if !ok {
				name = f.Value
			}
			return hostsMeet(name, h.host)
		}) {
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
			if route.match == everyPath && !route.partial() {
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
	work := 0
	for i := range lists {
		for j := range i {
			if !services[i].created.IsZero() && !services[j].created.IsZero() {
				continue
			}
			differ := false
			for a := range lists[i] {
				for b := range lists[j] {
					p, q := &lists[i][a], &lists[j][b]
					if work++; work <= maxUnordered {
						all := func(r *envoyRoute) bool { return r.match == everyPath && !r.partial() }
						if all(p) != all(q) || !p.match.meets(q.match) {
							continue // what covers everything goes last, whoever has it
						}
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
