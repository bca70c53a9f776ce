package nginx

// Tested by policy/convert/ingressnginx_test.go and policy/convert/ingressnginx_nginx_test.go.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
	"github.com/corsproc/corsproc/policy/printable"
)

// defaultServer is the controller's name for the server that takes every host that no other has.
const defaultServer = "_"

// A nginxServer is what the controller makes of all rules of a host.
type nginxServer struct {
	host      string
	at        source.Position
	locations []*location
	byPath    map[string][]*location
	aliases   []string
	aliasesOf *ingress
	redirect  bool         // from-to-www-redirect
	unsaid    *build.Place // what those locations grant that a policy file cannot hold; nil: there are none
}

// A location is a path of a server.
type location struct {
	path    string
	exact   bool
	untyped bool // no pathType
	ingress *ingress
	place   build.Place
	idle    bool // the location that every server has at /, and no rule speaks of
	routed  bool // requests there go somewhere else than to the controller's 404
	regex   bool // use-regex, or a rewrite-target other than the path
}

// takes gives a location to an Ingress.
func (l *location) takes(i *ingress) {
	l.ingress, l.place, l.regex = i, i.place(), i.useRegex || i.target != "" && i.target != l.path
}

// place returns what the Ingress's places grant, for a place of its own.
func (i *ingress) place() build.Place {
	p := i.cors
	p.Notes.Texts = slices.Clone(p.Notes.Texts)
	return p
}

func (s *nginxServer) add(l *location) {
	s.locations = append(s.locations, l)
	s.byPath[l.path] = append(s.byPath[l.path], l)
}

// makeServers does what createServers and getBackendServers do: it gives every path of every host to one Ingress. The
// Ingresses are in the controller's order.
func makeServers(b *build.Builder, all []*ingress) []*nginxServer {
	servers := map[string]*nginxServer{}
	create := func(host string, at source.Position) *nginxServer {
		s := &nginxServer{host: host, at: at, byPath: map[string][]*location{}}
		s.add(&location{path: "/", idle: true})
		servers[host] = s
		return s
	}
	catchAll := create(defaultServer, source.Position{})
	for _, i := range all {
		backend := i.spec.Spec.DefaultBackend
		if backend == nil {
			backend = i.spec.Spec.Backend
		}
		routed := backend != nil && backend.isService()
		if root := catchAll.locations[0]; routed && len(i.spec.Spec.Rules) == 0 {
			if root.idle {
				catchAll.at = i.Position(kube.Place{})
				root.takes(i)
				root.idle, root.routed, root.regex = false, true, false
			} else {
				root.contend(b, i)
			}
		}
		for _, rule := range i.spec.Spec.Rules {
			host := serverOf(rule.Host.Value)
			s := servers[host]
			if s == nil {
				s = create(host, i.Position(rule.At))
				s.locations[0].takes(i)
				s.locations[0].routed = routed
			} else if root := s.locations[0]; host != defaultServer && root.ingress != i && (routed || root.routed) && !root.ingress.before(i) {
				root.contend(b, i)
				root.routed = true
			}
			if s.at.File == "" {
				s.at = i.Position(rule.At)
			}
			s.takeAliases(b, i)
		}
	}
	for _, i := range all {
		for _, rule := range i.spec.Spec.Rules {
			s := servers[serverOf(rule.Host.Value)]
			s.redirect = s.redirect || i.redirect
			if rule.HTTP == nil {
				continue
			}
			for _, p := range rule.HTTP.Paths {
				if p.Backend.isService() {
					s.takePath(b, i, p)
				}
			}
		}
	}
	list := make([]*nginxServer, 0, len(servers))
	for _, s := range servers {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *nginxServer) int {
		if last := a.host == defaultServer; last != (b.host == defaultServer) {
			if last {
				return 1
			}
			return -1
		}
		return strings.Compare(a.host, b.host)
	})
	return list
}

func serverOf(host string) string {
	if host == "" {
		return defaultServer
	}
	return strings.ToLower(host)
}

// takeAliases gives a server the aliases of the first Ingress that has any.
func (s *nginxServer) takeAliases(b *build.Builder, i *ingress) {
	switch {
	case len(i.aliases) == 0 || s.aliasesOf == i:
	case s.aliasesOf == nil:
		s.aliases, s.aliasesOf = i.aliases, i
	case !s.aliasesOf.before(i) && !slices.Equal(s.aliases, i.aliases):
		f := i.Meta.Annotations.Get(nginxPrefix + "server-alias")
		b.Warn(nil, i.Position(f.Place), build.CodeOrder, "server-alias", fmt.Sprintf("only the older Ingress of %s has a say in its aliases, and the files do not say which one is: those of %s are taken; import kubectl get -o yaml, which says it",
			printable.Cut(s.host), printable.Cut(s.aliasesOf.Name())))
	}
}

// takePath gives a path to an Ingress, unless another one has it. The first with the path decides which type is the same.
func (s *nginxServer) takePath(b *build.Builder, i *ingress, p ingressPath) {
	path := p.Path.Value
	if path == "" {
		path = "/"
	}
	exact := p.Type.Value == "Exact"
	had := s.byPath[path]
	for _, l := range had {
		if l.exact != exact {
			continue
		}
		if l.idle {
			l.takes(i)
			l.idle, l.routed, l.untyped = false, true, !p.Type.Set()
			return
		}
		l.contend(b, i)
		return
	}
	l := &location{path: path, exact: exact, untyped: !p.Type.Set(), routed: true}
	l.takes(i)
	l.place.At = i.Position(p.At)
	s.add(l)
}

// contend is what becomes of a location that a second Ingress claims, too: the older one has it. Where the files do not say
// which one is older, nobody is granted more than by either.
func (l *location) contend(b *build.Builder, i *ingress) {
	if l.ingress == nil || l.ingress.before(i) {
		return
	}
	regex := l.regex || i.useRegex || i.target != "" && i.target != l.path
	same := l.place.Tighten(i.place())
	if l.regex = regex; same {
		return
	}
	b.Warn(&l.place.Notes, i.Position(kube.Place{}), build.CodeOrder, "", fmt.Sprintf("Ingress %s claims %s too, which only the older of the two has, and the files do not say which one is: here both have to grant it; import kubectl get -o yaml, which says it",
		printable.Cut(i.Name()), printable.Cut(l.path)))
}

// usesRegex does what enforceRegexModifier does: one location that is an expression makes all of the server's expressions.
func (s *nginxServer) usesRegex() bool {
	return slices.ContainsFunc(s.locations, func(l *location) bool { return l.regex })
}
