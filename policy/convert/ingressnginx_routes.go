package convert

// Tested by ingressnginx_test.go and ingressnginx_nginx_test.go.

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

// writeServers tells the builder of servers and their locations.
func writeServers(b *builder, servers []*nginxServer) {
	byHost := map[string]*nginxServer{}
	for _, s := range servers {
		byHost[s.host] = s
	}
	for _, s := range servers {
		if s.host == defaultServer && len(s.locations) == 1 && s.locations[0].idle {
			continue // the controller's own, which answers 404
		}
		h := &host{place: place{at: s.at}, domains: s.domains(byHost)}
		if s.usesRegex() {
			s.writeExpressions(b, h)
		} else {
			s.writePrefixes(b, h)
		}
		h.at = s.at
		s.warnOfDomains(b, h)
		b.addHost(h)
		s.writeRedirect(b, byHost)
	}
}

// domains returns the names of a server as Envoy writes them. Names that nginx takes for expressions are left out.
func (s *nginxServer) domains(servers map[string]*nginxServer) []string {
	domains := []string{s.host}
	if s.host == defaultServer {
		domains = []string{"*"}
	}
	for _, alias := range s.aliases {
		alias = strings.ToLower(alias)
		switch rest, dot := strings.CutPrefix(alias, "."); {
		case servers[alias] != nil || strings.HasPrefix(alias, "~"):
		case dot: // the name itself, and all below it
			domains = append(domains, rest, "*."+rest)
		default:
			domains = append(domains, alias)
		}
	}
	return domains
}

// warnOfDomains warns of names that are not the same names here.
func (s *nginxServer) warnOfDomains(b *builder, h *host) {
	for _, alias := range s.aliases {
		if strings.HasPrefix(alias, "~") {
			f := s.aliasesOf.meta.Annotations.get(nginxPrefix + "server-alias")
			b.warn(&h.notes, s.aliasesOf.position(f.fieldPlace), codeDomain, "server-alias",
				fmt.Sprintf("%s is an expression, and domains are none: write the names that are meant into domains", printable.Cut(strconv.Quote(alias))))
		}
	}
	if strings.HasPrefix(s.host, "*.") && (letsIn(&h.place) || slices.ContainsFunc(h.routes, func(r *route) bool { return letsIn(&r.place) })) {
		b.warn(&h.notes, s.at, codeOneLabel, "host",
			fmt.Sprintf("%s is one label there and any number of labels here, as it is in Envoy: if Envoy serves deeper names under it that have another owner, give them a virtual host of their own", printable.Cut(s.host)))
	}
}

// letsIn reports whether a place lets anybody in.
func letsIn(p *place) bool { return len(p.policies) > 0 }

// writeRedirect writes the host of which from-to-www-redirect sends everybody to this one, without CORS headers. It needs to
// be written only where a wildcard would cover it.
func (s *nginxServer) writeRedirect(b *builder, servers map[string]*nginxServer) {
	if !s.redirect || s.host == defaultServer || strings.HasPrefix(s.host, "*") {
		return
	}
	from, isWWW := strings.CutPrefix(s.host, "www.")
	if !isWWW {
		from = "www." + s.host
	}
	_, parent, _ := strings.Cut(from, ".")
	if servers[from] == nil && (servers["*."+parent] != nil || !servers[defaultServer].locations[0].idle) {
		h := &host{domains: []string{from}, place: place{at: s.at, nobody: true}}
		h.notes.add("from-to-www-redirect: it redirects, without CORS")
		b.addHost(h)
	}
}

// rest returns what holds where no path does. What the controller answers with its own 404 is no place of anybody.
func (s *nginxServer) rest() place {
	if root := s.locations[0]; root.routed && root.path == "/" && !root.exact {
		return root.place
	}
	return place{at: s.at}
}

// writePrefixes writes the routes of a server without expressions: an exact path goes first, then the longest prefix. A
// prefix of pathType Prefix ends at a segment; updateServerLocations makes /a/ and an exact /a of it.
func (s *nginxServer) writePrefixes(b *builder, h *host) {
	h.place = s.rest()
	exact := map[string]bool{}
	var prefixes []*nginxLocation
	for _, l := range s.locations {
		switch {
		case l.exact:
			exact[l.path] = true
			s.route(b, h, l, matchPath, l.path)
		case l.path == "/":
		default:
			exact[l.path] = exact[l.path] || !l.untyped
			prefixes = append(prefixes, l)
		}
	}
	slices.SortFunc(h.routes, func(a, b *route) int { return strings.Compare(a.match.text, b.match.text) })
	slices.SortStableFunc(prefixes, func(a, b *nginxLocation) int {
		return cmp.Or(cmp.Compare(len(b.prefix()), len(a.prefix())), strings.Compare(a.path, b.path))
	})
	parents := parentsOf(prefixes)
	around := func(l *nginxLocation) *place {
		if o := parents[l]; o != nil {
			return &o.place
		}
		return &h.place
	}
	for _, l := range prefixes {
		if bare, slash := strings.CutSuffix(l.path, "/"); l.untyped {
			if outer := around(l); (outer != &h.place || s.locations[0].routed) && !alike(*outer, l.place) {
				b.warn(&l.place.notes, l.place.at, codeNoPathType, "pathType",
					fmt.Sprintf("without a pathType, %s is a plain prefix, which newer controllers take by segments: %sx has this place here, and another one there; write pathType", printable.Cut(l.path), printable.Cut(l.path)))
			}
			s.route(b, h, l, matchPrefix, l.path)
		} else if !slash {
			s.route(b, h, l, matchSegments, l.path)
		} else {
			if outer := around(l); !exact[bare] && letsIn(outer) {
				// nginx redirects /a to the location /a/ before it looks at anything (ngx_http_core_find_config_phase).
				r := &route{place: place{at: l.place.at, nobody: true}}
				r.match, _ = literal(matchPath, bare)
				r.notes.add("nginx redirects it to " + l.path + ", without CORS headers")
				h.routes = append(h.routes, r)
			}
			s.route(b, h, l, matchPrefix, l.path)
		}
	}
	if s.unsaid != nil {
		for _, r := range h.routes {
			r.place.tighten(*s.unsaid)
		}
		h.place.tighten(*s.unsaid)
	}
}

// parentsOf returns for each location the longest other one whose prefix begins its own.
func parentsOf(locations []*nginxLocation) map[*nginxLocation]*nginxLocation {
	sorted := slices.Clone(locations)
	slices.SortFunc(sorted, func(a, b *nginxLocation) int { return strings.Compare(a.prefix(), b.prefix()) })
	parents := map[*nginxLocation]*nginxLocation{}
	var open []*nginxLocation // those that begin the one before
	for _, l := range sorted {
		for len(open) > 0 && !strings.HasPrefix(l.prefix(), open[len(open)-1].prefix()) {
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			parents[l] = open[len(open)-1]
		}
		open = append(open, l)
	}
	return parents
}

// route adds the route of a location. One that a policy file cannot hold is left out, and noted: no place of the host grants
// more than it does then.
func (s *nginxServer) route(b *builder, h *host, l *nginxLocation, kind matchKind, path string) {
	m, ok := literal(kind, path)
	if ok {
		h.routes = append(h.routes, &route{m, l.place})
		return
	}
	b.warn(&h.notes, l.place.at, codePathExpression, "path", fmt.Sprintf("%s cannot be written as a path: the place is left out, and other places of the host grant no more than it does", printable.Cut(l.path)))
	if s.unsaid == nil {
		s.unsaid = &place{policies: l.place.policies, nobody: l.place.nobody}
	} else {
		s.unsaid.tighten(l.place)
	}
}

// prefix returns the prefix that nginx is given of a location.
func (l *nginxLocation) prefix() string {
	if l.untyped || strings.HasSuffix(l.path, "/") {
		return l.path
	}
	return l.path + "/"
}

// writeExpressions writes the routes of a server whose paths are all expressions, anchored at their begin, in any case: the
// first that matches takes a request, and the longest stand first.
func (s *nginxServer) writeExpressions(b *builder, h *host) {
	locations := slices.Clone(s.locations)
	slices.SortStableFunc(locations, func(a, b *nginxLocation) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), strings.Compare(b.path, a.path))
	})
	var unknown *nginxLocation // one that may take what those behind it seem to
	tightened := func(p place) place {
		if unknown != nil {
			p.tighten(unknown.place)
		}
		return p
	}
	for _, l := range locations {
		if l.path == "/" {
			continue // the first of them matches everything, so it is what holds for the rest
		}
		m, ok := expression(l.path)
		if !ok {
			b.warn(&h.notes, l.place.at, codePathExpression, "path", fmt.Sprintf("%s cannot be written in the expressions that policies have, or browsers' paths never look like it: the place is left out, and those behind it grant no more than it does; write a route for it",
				printable.Cut(l.path)))
			l.place = tightened(l.place)
			unknown = l
			continue
		}
		h.routes = append(h.routes, &route{m, tightened(l.place)})
	}
	said := h.notes.texts
	h.place = tightened(s.rest())
	h.notes.texts = append(h.notes.texts, said...)
}

// expression returns the route of a location ~* "^path", which is looked for anywhere in the path of a request, but for the
// anchor. nginx looks at decoded paths, so of an expression with what has to be encoded nothing can be told.
func expression(path string) (match, bool) {
	if regexp.QuoteMeta(path) == path && strings.ToLower(path) == strings.ToUpper(path) {
		return literal(matchPrefix, path)
	}
	parsed, err := syntax.Parse("^"+path, syntax.Perl)
	if err != nil || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || r == '%' || r == '#' }) {
		return match{}, false
	}
	text := "(?i)" + path
	switch last := lastOf(parsed); {
	case parsed.Op == syntax.OpAlternate: // only the first of /a|/b is anchored
		text = "(?i).*(?:^" + path + ").*"
	case last.Op == syntax.OpEndText, last.Op == syntax.OpStar && last.Sub[0].Op == syntax.OpAnyCharNotNL:
	default:
		text += ".*"
	}
	m := match{matchRegex, text}
	return m, loadable(m)
}

// lastOf returns the last part of an expression.
func lastOf(r *syntax.Regexp) *syntax.Regexp {
	if (r.Op == syntax.OpConcat || r.Op == syntax.OpCapture) && len(r.Sub) > 0 {
		return lastOf(r.Sub[len(r.Sub)-1])
	}
	return r
}

// literal returns the route of a path that nginx compares with the decoded path of a request, as browsers write it.
func literal(kind matchKind, path string) (match, bool) {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c > '~' || strings.IndexByte("\"#%<>?\\^`{}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	m := match{kind, b.String()}
	return m, loadable(m)
}
