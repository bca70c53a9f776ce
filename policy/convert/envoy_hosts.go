package convert

// Tested by golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/printable"
)

// The codes of what is lost of virtual hosts.
const (
	codeRDS        = "routes-missing" // a route configuration that no file has
	codeVHDS       = "hosts-missing"  // virtual hosts that Envoy asks for one by one
	codeScoped     = "scoped-routes"
	codeCsrf       = "csrf-lost"
	codeListeners  = "listener-apart" // a virtual host of another listener that has no CORS
	codeHostHeader = "host-header"    // virtual hosts that another header than Host picks
)

// hosts makes the virtual hosts of all chains.
func (r *envoyReader) hosts() error {
	used := map[*envoyRoutes]bool{}
	byName := map[string][]*envoyRoutes{}
	for _, t := range r.tables {
		byName[t.name] = append(byName[t.name], t)
	}
	var all []*host
	take := func(c *envoyChain, t *envoyRoutes) error {
		hosts, err := r.hostsOf(c, t)
		all = append(all, hosts...)
		return err
	}
	for _, c := range r.chains {
		for _, t := range c.inline {
			if err := take(c, t); err != nil {
				return err
			}
		}
		for _, name := range c.rds {
			if len(byName[name]) == 0 {
				r.b.warn(nil, c.rdsAt, codeRDS, "rds", fmt.Sprintf("the route configuration %s is in none of the files, so its virtual hosts are missing: add it, or import a config_dump",
					printable.Cut(strconv.Quote(name))))
			}
			for _, t := range byName[name] {
				used[t] = true
				if err := take(c, t); err != nil {
					return err
				}
			}
		}
	}
	for _, t := range r.tables {
		if !used[t] { // no chain is known: it is taken to have the filter
			if err := take(&envoyChain{anyName: true}, t); err != nil {
				return err
			}
		}
	}
	r.b.hosts = r.join(all)
	return nil
}

func (r *envoyReader) hostsOf(c *envoyChain, t *envoyRoutes) (hosts []*host, err error) {
	level, err := r.level(t.envoyMap, cmp.Or(t.name, "routes"))
	if err != nil {
		return nil, err
	}
	if t.has("vhds") {
		r.b.warn(nil, t.positionOf("vhds"), codeVHDS, "vhds", "Envoy asks for virtual hosts as requests come, and those are not in the file: import a config_dump")
	}
	if t.has("vhost_header") {
		r.b.warn(nil, t.positionOf("vhost_header"), codeHostHeader, "vhost_header", "another header than Host picks the virtual host, and a policy file compares domains with Host: let corsproc be sent xds.virtual_host_name, by which names are found, and look at the domains")
	}
	if t.scoped {
		r.b.warn(nil, t.position(), codeScoped, "scoped_routes", "a header of the request picks this route configuration, and a policy file does not look at it: where domains stand in several, they grant what all of them do")
	}
	domains := map[string]bool{}
	err = t.children("virtual_hosts", func(m envoyMap) error {
		h, err := r.host(c, m, level)
		if err != nil {
			return err
		}
		for _, d := range h.domains {
			if domains[d] {
				return m.file.fault(m.at, "Envoy refuses this: the domain %s stands in two virtual hosts of a route configuration", printable.Cut(strconv.Quote(d)))
			}
			domains[d] = true
		}
		hosts = append(hosts, h)
		return nil
	})
	if err == nil && slices.ContainsFunc(hosts, (*host).touches) {
		err = r.warnOfHeaders(nil, t.envoyMap)
	}
	return hosts, err
}

// warnOfHeaders warns of CORS headers that a route configuration, a virtual host, a route or a cluster adds to answers by
// hand. Where corsproc leaves a place alone, they stay.
func (r *envoyReader) warnOfHeaders(n *notes, m envoyMap) error {
	return m.children("response_headers_to_add", func(option envoyMap) error {
		return option.within("header", func(header envoyMap) error {
			key, err := header.text("key")
			if err == nil && strings.HasPrefix(strings.ToLower(key), "access-control-") {
				r.b.warn(n, header.position(), codeResponse, "response_headers_to_add", "CORS headers that Envoy is told to add are not carried over, and are removed here: write what they grant as a policy, and take them out there")
			}
			return err
		})
	})
}

// host reads a virtual host.
func (r *envoyReader) host(c *envoyChain, m envoyMap, above *envoyLevel) (*host, error) {
	name, err := m.text("name")
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, m.file.fault(m.at, "Envoy refuses this: a virtual host has no name")
	}
	domains, err := m.list("domains")
	if err != nil {
		return nil, err
	}
	if len(domains) == 0 {
		return nil, m.file.fault(m.at, "Envoy refuses this: the virtual host %s has no domains", printable.Cut(strconv.Quote(name)))
	}
	h := &host{name: name, place: place{at: m.position()}}
	if strings.Contains(name, "*") {
		h.name = ""
	}
	for _, n := range domains {
		if n, err = m.file.look(n); err != nil {
			return nil, err
		}
		if n.Kind != yaml.ScalarNode || n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool" || n.Tag == "!!null" {
			return nil, m.file.fault(n, "a domain is text, not %s", nodeWord(n))
		}
		if n.Value == "" {
			return nil, m.file.fault(n, "a domain is not empty")
		}
		if err := m.file.filledIn(n); err != nil {
			return nil, err
		}
		h.domains = append(h.domains, strings.ToLower(n.Value))
	}
	level, err := r.level(m, name)
	if err != nil {
		return nil, err
	}
	if level.legacy, err = r.readLegacy(m, name); err != nil {
		return nil, err
	}
	levels := []*envoyLevel{level, above}
	var routes []envoyRoute
	err = m.children("routes", func(rm envoyMap) error {
		route, ok, err := r.route(c, rm, name, levels)
		if ok {
			routes = append(routes, route)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.has("matcher") {
		if routes, err = r.matcherRoutes(c, m, name, levels); err != nil {
			return nil, err
		}
	}
	h.routes = r.placesOf(routes)
	if h.touches() {
		if err := r.warnOfHeaders(&h.notes, m); err != nil {
			return nil, err
		}
	}
	if tls, err := m.text("require_tls"); err != nil {
		return nil, err
	} else if tls != "" && tls != "NONE" && h.grants() {
		r.b.warn(&h.notes, m.positionOf("require_tls"), codeTLS, "require_tls", "requests over http are redirected there without CORS headers, and a policy file does not look at the scheme: here they are answered as those over https are")
	}
	return h, nil
}

// grants reports whether any place of a virtual host lets anybody in.
func (h *host) grants() bool {
	return len(h.policies) > 0 || slices.ContainsFunc(h.routes, func(r *route) bool { return len(r.policies) > 0 })
}

// touches reports whether any place of a virtual host is other than passthrough.
func (h *host) touches() bool {
	return h.place.touched() || slices.ContainsFunc(h.routes, func(r *route) bool { return r.place.touched() })
}

// touched reports whether a place is other than passthrough.
func (p *place) touched() bool {
	return len(p.policies)+len(p.candidates) > 0 || p.nobody || p.reject != 0
}

// route reads a route. ok: requests of browsers can come there.
func (r *envoyReader) route(c *envoyChain, m envoyMap, host string, levels []*envoyLevel) (route envoyRoute, ok bool, err error) {
	route, ok, err = r.readMatch(m)
	if !ok || err != nil {
		return route, false, err
	}
	name, err := m.text("name")
	if err != nil {
		return route, false, err
	}
	if name == "" {
		name = strings.Trim(route.match.text, "/")
		if route.match.kind == matchRegex || name == "" {
			name = "route"
		}
	}
	name = host + "-" + name
	if m.has("redirect", "direct_response") {
		route.answers = true // and without CORS
		return route, true, nil
	}
	level, err := r.level(m, name)
	if err != nil {
		return route, false, err
	}
	at := route.at
	action, ok, err := m.child("route")
	if err != nil {
		return route, false, err
	}
	levels = append([]*envoyLevel{level}, levels...)
	if !ok {
		route.place, err = r.placeOf(c, levels, at)
	} else {
		if level.legacy, err = r.readLegacy(action, name); err != nil {
			return route, false, err
		}
		route.place, err = r.clusters(c, action, name, levels, at)
	}
	if err == nil && m.has("response_headers_to_add") && route.place.touched() {
		route.notes = notes{texts: slices.Clone(route.notes.texts)}
		err = r.warnOfHeaders(&route.notes, m)
	}
	return route, true, err
}

// clusters returns what is granted where one of several clusters gets a request by chance.
func (r *envoyReader) clusters(c *envoyChain, action envoyMap, name string, levels []*envoyLevel, at Position) (place, error) {
	var p place
	some, same := false, true
	weighted, ok, err := action.child("weighted_clusters")
	if err != nil {
		return p, err
	}
	if ok {
		err = weighted.children("clusters", func(m envoyMap) error {
			level, err := r.level(m, name)
			if err != nil {
				return err
			}
			q, err := r.placeOf(c, append([]*envoyLevel{level}, levels...), at)
			if err != nil {
				return err
			}
			if !some {
				p, some = q, true
				return nil
			}
			m2, alike := meet(p, q)
			p, same = m2, same && alike
			return nil
		})
		if err != nil {
			return p, err
		}
	}
	if !some {
		return r.placeOf(c, levels, at)
	}
	if !same {
		p.notes = notes{}
		r.b.warn(&p.notes, weighted.position(), codeClusters, "weighted_clusters", "the clusters of this route differ in CORS, and chance picks one: here everybody gets what all of them grant; give them one policy, at the route")
	}
	return p, nil
}

// placeOf returns what the filters of a chain grant where these levels hold.
func (r *envoyReader) placeOf(c *envoyChain, levels []*envoyLevel, at Position) (place, error) {
	cors, csrf := c.filtersOf(levels)
	var p place
	some := 0
	for i := range cors {
		policies := cors[i].corsOf(levels)
		if len(policies) == 0 {
			continue
		}
		q := r.corsPlace(policies)
		if cors[i].partly {
			q, _ = meet(q, place{at: at})
			r.b.warn(&q.notes, cors[i].at, codeFilterPartly, "xds_matcher", "a matcher says which requests the filter sees, and a policy file does not look at that: nobody is allowed here; attach the policy to routes")
		}
		if some++; some == 1 {
			p = q
			continue
		}
		p, _ = meet(p, q)
		r.b.warn(&p.notes, cors[i].at, codeSeveralCors, "http_filters", "two cors filters of the chain have a policy here: what both of them grant is granted; keep one")
	}
	if p.at == (Position{}) {
		p.at = at
	}
	for i := range csrf {
		o, err := csrf[i].csrfOf(levels)
		if err != nil {
			return p, err
		}
		if o != nil {
			r.csrf(&p, o)
		}
	}
	return p, nil
}

// join sees to it that no domain and no name stands twice: two listeners may have virtual hosts of one name, and of one
// domain.
func (r *envoyReader) join(all []*host) (hosts []*host) {
	byDomain, byName := map[string][]*host{}, map[string][]*host{}
	var domains []string
	for _, h := range all {
		for _, d := range h.domains {
			if byDomain[d] == nil {
				domains = append(domains, d)
			}
			byDomain[d] = append(byDomain[d], h)
		}
		byName[h.name] = append(byName[h.name], h)
	}
	var merged []*host
	owner := map[string]*host{}
	winner := map[*host]*host{} // of what lost a domain
	for _, d := range domains {
		claims := byDomain[d]
		owner[d] = claims[0]
		if len(claims) > 1 {
			if owner[d] = r.claim(d, claims); !slices.Contains(claims, owner[d]) {
				merged = append(merged, owner[d])
			}
		}
		for _, h := range claims {
			if h != owner[d] {
				winner[h] = owner[d]
			}
		}
	}
	for _, h := range all {
		h.domains = slices.DeleteFunc(h.domains, func(d string) bool { return owner[d] != h })
	}
	named := map[*host]string{}
	for name, holders := range byName {
		if name != "" {
			if h := holderOf(holders, winner); h != nil {
				named[h] = name
			}
		}
	}
	for _, h := range append(all, merged...) {
		h.name = named[h]
		if len(h.domains) > 0 || h.name != "" {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// holderOf returns which of several virtual hosts that have a name in Envoy has it in the policy file: the only one, or the
// one to which all others lost their domains. nil: none, since they differ.
func holderOf(holders []*host, winner map[*host]*host) *host {
	var h *host
	if len(holders) == 1 {
		return holders[0]
	}
	for _, o := range holders {
		if len(o.domains) == 0 {
			o = winner[o]
		}
		if h != nil && o != h {
			return nil
		}
		h = o
	}
	return h
}

// claim returns which of several virtual hosts has a domain: the first, where all are the same, and where all of them but
// one touch nothing, that one. Otherwise it is a new one, which grants what all of them do.
func (r *envoyReader) claim(domain string, claims []*host) *host {
	same := true
	touching := -1
	several := false
	for i, h := range claims {
		same = same && r.sameHost(claims[0], h)
		if h.touches() {
			several = several || touching >= 0 && !r.sameHost(claims[touching], h)
			touching = i
		}
	}
	if same {
		return claims[0]
	}
	quoted := printable.Cut(strconv.Quote(domain))
	if !several {
		h, other := claims[touching], claims[0]
		if other == h {
			other = claims[1]
		}
		r.b.warn(&h.notes, other.at, codeListeners, "domains", fmt.Sprintf("%s is a domain of two virtual hosts, of which one has no CORS, and a policy file does not tell listeners apart: "+
			"what the other one says (%s) holds for both; give them domains of their own", quoted, h.at))
		return h
	}
	m := &host{domains: []string{domain}, place: place{at: claims[0].at}}
	p := claims[0].place
	first := true
	for _, h := range claims {
		for _, route := range h.routes {
			if first {
				p, first = route.place, false
				continue
			}
			p, _ = meet(p, route.place)
		}
		if !slices.ContainsFunc(h.routes, func(r *route) bool { return r.match == everyPath }) {
			if first {
				p, first = h.place, false
				continue
			}
			p, _ = meet(p, h.place)
		}
	}
	p.at, p.notes = claims[0].at, notes{}
	m.place = p
	var places []string
	for _, h := range claims {
		places = append(places, h.at.String())
	}
	places = once(places, false)
	r.b.warn(&m.notes, claims[1].at, codeTwice, "domains", fmt.Sprintf("%s is a domain of virtual hosts that differ (%s), and a policy file does not tell listeners apart: here it grants what all their routes do; give them domains of their own",
		quoted, strings.Join(places[:min(len(places), maxFrom)], ", ")))
	return m
}

// sameHost reports whether two virtual hosts decide alike. It is asked again for each domain that they share.
func (r *envoyReader) sameHost(a, b *host) bool {
	pair := [2]*host{a, b}
	same, asked := r.alike[pair]
	if !asked {
		same = a == b || alike(a.place, b.place) && slices.EqualFunc(a.routes, b.routes, func(r, s *route) bool { return r.match == s.match && alike(r.place, s.place) })
		if r.alike == nil {
			r.alike = map[[2]*host]bool{}
		}
		r.alike[pair] = same
	}
	return same
}
