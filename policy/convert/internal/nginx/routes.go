package nginx

// Tested by policy/convert/ingressnginx_test.go and policy/convert/ingressnginx_nginx_test.go.

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/printable"
)

// writeServers tells the builder of servers and their locations.
func writeServers(b *build.Builder, servers []*nginxServer) {
	byHost := map[string]*nginxServer{}
	for _, s := range servers {
		byHost[s.host] = s
	}
	for _, s := range servers {
		if s.host == defaultServer && len(s.locations) == 1 && s.locations[0].idle {
			continue // the controller's own, which answers 404
		}
		h := &build.Host{Place: build.Place{At: s.at}, Domains: s.domains(byHost)}
		if s.usesRegex() {
			s.writeExpressions(b, h)
		} else {
			s.writePrefixes(b, h)
		}
		h.At = s.at
		s.warnOfDomains(b, h)
		b.AddHost(h)
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
func (s *nginxServer) warnOfDomains(b *build.Builder, h *build.Host) {
	for _, alias := range s.aliases {
		if strings.HasPrefix(alias, "~") {
			f := s.aliasesOf.Meta.Annotations.Get(nginxPrefix + "server-alias")
			b.Warn(&h.Notes, s.aliasesOf.Position(f.Place), build.CodeDomain, "server-alias",
				fmt.Sprintf("%s is an expression, and domains are none: write the names that are meant into domains", printable.Cut(strconv.Quote(alias))))
		}
	}
	if strings.HasPrefix(s.host, "*.") && (letsIn(&h.Place) || slices.ContainsFunc(h.Routes, func(r *build.Route) bool { return letsIn(&r.Place) })) {
		b.Warn(&h.Notes, s.at, codeOneLabel, "host",
			fmt.Sprintf("%s is one label there and any number of labels here, as it is in Envoy: if Envoy serves deeper names under it that have another owner, give them a virtual host of their own", printable.Cut(s.host)))
	}
}

// letsIn reports whether a place lets anybody in.
func letsIn(p *build.Place) bool { return len(p.Policies) > 0 }

// writeRedirect writes the host of which from-to-www-redirect sends everybody to this one, without CORS headers. It needs to
// be written only where a wildcard would cover it.
func (s *nginxServer) writeRedirect(b *build.Builder, servers map[string]*nginxServer) {
	if !s.redirect || s.host == defaultServer || strings.HasPrefix(s.host, "*") {
		return
	}
	from, isWWW := strings.CutPrefix(s.host, "www.")
	if !isWWW {
		from = "www." + s.host
	}
	_, parent, _ := strings.Cut(from, ".")
	if servers[from] == nil && (servers["*."+parent] != nil || !servers[defaultServer].locations[0].idle) {
		h := &build.Host{Domains: []string{from}, Place: build.Place{At: s.at, Nobody: true}}
		h.Notes.Add("from-to-www-redirect: it redirects, without CORS")
		b.AddHost(h)
	}
}

// rest returns what holds where no path does. What the controller answers with its own 404 is no place of anybody.
func (s *nginxServer) rest() build.Place {
	if root := s.locations[0]; root.routed && root.path == "/" && !root.exact {
		return root.place
	}
	return build.Place{At: s.at}
}

// writePrefixes writes the routes of a server without expressions: an exact path goes first, then the longest prefix. A
// prefix of pathType Prefix ends at a segment; updateServerLocations makes /a/ and an exact /a of it.
func (s *nginxServer) writePrefixes(b *build.Builder, h *build.Host) {
	h.Place = s.rest()
	exact := map[string]bool{}
	var prefixes []*location
	for _, l := range s.locations {
		switch {
		case l.exact:
			exact[l.path] = true
			s.route(b, h, l, build.MatchPath, l.path)
		case l.path == "/":
		default:
			exact[l.path] = exact[l.path] || !l.untyped
			prefixes = append(prefixes, l)
		}
	}
	slices.SortFunc(h.Routes, func(a, b *build.Route) int { return strings.Compare(a.Match.Text, b.Match.Text) })
	slices.SortStableFunc(prefixes, func(a, b *location) int {
		return cmp.Or(cmp.Compare(len(b.prefix()), len(a.prefix())), strings.Compare(a.path, b.path))
	})
	parents := parentsOf(prefixes)
	around := func(l *location) *build.Place {
		if o := parents[l]; o != nil {
			return &o.place
		}
		return &h.Place
	}
	for _, l := range prefixes {
		if bare, slash := strings.CutSuffix(l.path, "/"); l.untyped {
			if outer := around(l); (outer != &h.Place || s.locations[0].routed) && !build.Alike(*outer, l.place) {
				b.Warn(&l.place.Notes, l.place.At, codeNoPathType, "pathType",
					fmt.Sprintf("without a pathType, %s is a plain prefix, which newer controllers take by segments: %sx has this place here, and another one there; write pathType", printable.Cut(l.path), printable.Cut(l.path)))
			}
			s.route(b, h, l, build.MatchPrefix, l.path)
		} else if !slash {
			s.route(b, h, l, build.MatchSegments, l.path)
		} else {
			if outer := around(l); !exact[bare] && letsIn(outer) {
				// nginx redirects /a to the location /a/ before it looks at anything (ngx_http_core_find_config_phase).
				r := &build.Route{Place: build.Place{At: l.place.At, Nobody: true}}
				r.Match, _ = literal(build.MatchPath, bare)
				r.Notes.Add("nginx redirects it to " + l.path + ", without CORS headers")
				h.Routes = append(h.Routes, r)
			}
			s.route(b, h, l, build.MatchPrefix, l.path)
		}
	}
	if s.unsaid != nil {
		for _, r := range h.Routes {
			r.Place.Tighten(*s.unsaid)
		}
		h.Place.Tighten(*s.unsaid)
	}
}

// parentsOf returns for each location the longest other one whose prefix begins its own.
func parentsOf(locations []*location) map[*location]*location {
	sorted := slices.Clone(locations)
	slices.SortFunc(sorted, func(a, b *location) int { return strings.Compare(a.prefix(), b.prefix()) })
	parents := map[*location]*location{}
	var open []*location // those that begin the one before
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
func (s *nginxServer) route(b *build.Builder, h *build.Host, l *location, kind build.MatchKind, path string) {
	m, ok := literal(kind, path)
	if ok {
		h.Routes = append(h.Routes, &build.Route{Match: m, Place: l.place})
		return
	}
	b.Warn(&h.Notes, l.place.At, codePathExpression, "path", fmt.Sprintf("%s cannot be written as a path: the place is left out, and other places of the host grant no more than it does", printable.Cut(l.path)))
	if s.unsaid == nil {
		s.unsaid = &build.Place{Policies: l.place.Policies, Nobody: l.place.Nobody}
	} else {
		s.unsaid.Tighten(l.place)
	}
}

// prefix returns the prefix that nginx is given of a location.
func (l *location) prefix() string {
	if l.untyped || strings.HasSuffix(l.path, "/") {
		return l.path
	}
	return l.path + "/"
}

// writeExpressions writes the routes of a server whose paths are all expressions, anchored at their begin, in any case: the
// first that matches takes a request, and the longest stand first.
func (s *nginxServer) writeExpressions(b *build.Builder, h *build.Host) {
	locations := slices.Clone(s.locations)
	slices.SortStableFunc(locations, func(a, b *location) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), strings.Compare(b.path, a.path))
	})
	var unknown *location // one that may take what those behind it seem to
	tightened := func(p build.Place) build.Place {
		if unknown != nil {
			p.Tighten(unknown.place)
		}
		return p
	}
	for _, l := range locations {
		if l.path == "/" {
			continue // the first of them matches everything, so it is what holds for the rest
		}
		m, ok := expression(l.path)
		if !ok {
			b.Warn(&h.Notes, l.place.At, codePathExpression, "path", fmt.Sprintf("%s cannot be written in the expressions that policies have, or browsers' paths never look like it: the place is left out, and those behind it grant no more than it does; write a route for it",
				printable.Cut(l.path)))
			l.place = tightened(l.place)
			unknown = l
			continue
		}
		h.Routes = append(h.Routes, &build.Route{Match: m, Place: tightened(l.place)})
	}
	said := h.Notes.Texts
	h.Place = tightened(s.rest())
	h.Notes.Texts = append(h.Notes.Texts, said...)
}

// expression returns the route of a location ~* "^path", which is looked for anywhere in the path of a request, but for the
// anchor. nginx looks at decoded paths, so of an expression with what has to be encoded nothing can be told.
func expression(path string) (build.Match, bool) {
	if regexp.QuoteMeta(path) == path && strings.ToLower(path) == strings.ToUpper(path) {
		return literal(build.MatchPrefix, path)
	}
	parsed, err := syntax.Parse("^"+path, syntax.Perl)
	if err != nil || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || r == '%' || r == '#' }) {
		return build.Match{}, false
	}
	text := "(?i)" + path
	switch last := lastOf(parsed); {
	case parsed.Op == syntax.OpAlternate: // only the first of /a|/b is anchored
		text = "(?i).*(?:^" + path + ").*"
	case last.Op == syntax.OpEndText, last.Op == syntax.OpStar && last.Sub[0].Op == syntax.OpAnyCharNotNL:
	default:
		text += ".*"
	}
	m := build.Match{Kind: build.MatchRegex, Text: text}
	return m, build.Loadable(m)
}

// lastOf returns the last part of an expression.
func lastOf(r *syntax.Regexp) *syntax.Regexp {
	if (r.Op == syntax.OpConcat || r.Op == syntax.OpCapture) && len(r.Sub) > 0 {
		return lastOf(r.Sub[len(r.Sub)-1])
	}
	return r
}

// literal returns the route of a path that nginx compares with the decoded path of a request, as browsers write it.
func literal(kind build.MatchKind, path string) (build.Match, bool) {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c > '~' || strings.IndexByte("\"#%<>?\\^`{}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	m := build.Match{Kind: kind, Text: b.String()}
	return m, build.Loadable(m)
}
