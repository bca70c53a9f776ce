package convert

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
			b.warn(&h.notes, s.aliasesOf.at(f.Line, f.Column), codeDomain, "server-alias",
				fmt.Sprintf("%s is an expression, and domains are none: write the names that are meant into domains", printable.Cut(strconv.Quote(alias))))
		}
	}
	if strings.HasPrefix(s.host, "*.") && (grants(&h.place) || slices.ContainsFunc(h.routes, func(r *route) bool { return grants(&r.place) })) {
		b.warn(&h.notes, s.at, codeOneLabel, "host",
			fmt.Sprintf("%s is one label there and any number of labels here, as it is in Envoy: if Envoy serves deeper names under it that have another owner, give them a virtual host of their own", printable.Cut(s.host)))
	}
}

// grants reports whether a place lets anybody in.
func grants(p *place) bool { return len(p.policies) > 0 }

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
			h.routes = append(h.routes, &route{match{matchPath, l.path}, l.place})
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
	around := func(l *nginxLocation, path string) *place {
		for _, o := range prefixes {
			if o != l && strings.HasPrefix(path, o.prefix()) {
				return &o.place
			}
		}
		return &h.place
	}
	for _, l := range prefixes {
		if l.untyped {
			if outer := around(l, l.path); s.neighbours(outer, h) && !alike(*outer, l.place) {
				b.warn(&l.place.notes, l.place.at, codeNoPathType, "pathType",
					fmt.Sprintf("without a pathType, %s is a plain prefix, which newer controllers take by segments: %sx has this place here, and another one there; write pathType", printable.Cut(l.path), printable.Cut(l.path)))
			}
			h.routes = append(h.routes, &route{match{matchPrefix, l.path}, l.place})
			continue
		}
		if bare, slash := strings.CutSuffix(l.path, "/"); !slash {
			h.routes = append(h.routes, &route{match{matchSegments, l.path}, l.place})
			continue
		} else if outer := around(l, bare); !exact[bare] && grants(outer) {
			// nginx redirects /a to the location /a/ before it looks at anything (ngx_http_core_find_config_phase).
			r := &route{match{matchPath, bare}, place{at: l.place.at, nobody: true}}
			r.notes.add("nginx redirects it to " + l.path + ", without CORS headers")
			h.routes = append(h.routes, r)
		}
		h.routes = append(h.routes, &route{match{matchPrefix, l.path}, l.place})
	}
}

// neighbours reports whether requests to a place around another one go anywhere.
func (s *nginxServer) neighbours(outer *place, h *host) bool {
	return outer != &h.place || s.locations[0].routed
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
	tighten := func(p place) place {
		if unknown == nil {
			return p
		}
		m, same := meet(p, unknown.place)
		if same {
			return p
		}
		m.at, m.notes = p.at, p.notes
		return m
	}
	for _, l := range locations {
		if l.path == "/" && !l.exact {
			continue // it matches everything, so it is what holds for the rest
		}
		m, ok := expression(l.path)
		if !ok {
			b.warn(&h.notes, l.place.at, codeExpression, "path", fmt.Sprintf("%s cannot be written in the expressions that policies have, or browsers' paths never look like it: the place is left out, and those behind it grant no more than it does; write a route for it",
				printable.Cut(l.path)))
			if unknown != nil {
				met, _ := meet(unknown.place, l.place)
				l.place.policies, l.place.nobody = met.policies, met.nobody
			}
			unknown = l
			continue
		}
		h.routes = append(h.routes, &route{m, tighten(l.place)})
	}
	h.place = tighten(s.rest())
}

// expression returns the route of a location ~* "^path", which is looked for anywhere in the path of a request, but for the
// anchor.
func expression(path string) (match, bool) {
	if regexp.QuoteMeta(path) == path && strings.ToLower(path) == strings.ToUpper(path) {
		return match{matchPrefix, path}, true
	}
	parsed, err := syntax.Parse("^"+path, syntax.Perl)
	if err != nil {
		return match{}, false
	}
	switch {
	case parsed.Op == syntax.OpAlternate: // only the first of /a|/b is anchored
		return match{matchRegex, "(?i).*(?:^" + path + ").*"}, true
	case strings.HasSuffix(path, ".*"), endsAtEnd(parsed):
		return match{matchRegex, "(?i)" + path}, true
	}
	return match{matchRegex, "(?i)" + path + ".*"}, true
}

// endsAtEnd reports whether an expression ends with $.
func endsAtEnd(r *syntax.Regexp) bool {
	switch r.Op {
	case syntax.OpEndText, syntax.OpEndLine:
		return true
	case syntax.OpConcat:
		return len(r.Sub) > 0 && endsAtEnd(r.Sub[len(r.Sub)-1])
	}
	return false
}
