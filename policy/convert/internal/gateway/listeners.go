package gateway

// Tested by policy/convert/gateway_test.go and policy/convert/gateway_random_test.go.

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/printable"
)

// A gatewayID is a Gateway or a ListenerSet, whether a FILE holds it or not.
type objectID struct{ kind, namespace, name string }

// A listener is one of a Gateway, or of a ListenerSet, which adds its own to a Gateway. Of a Gateway that no FILE holds
// each sectionName that routes say is one, whose hostname is not known.
type listener struct {
	owner    objectID // whose it is: what parentRefs and policies name
	gateway  objectID // the Gateway
	name     string
	port     int64
	hostname string
	known    bool
	section  string // of one that is not known: sectionName and port of the parentRefs
	spec     gatewayListener
	attached bool // some route is
}

// A listenerPort is what shares virtual hosts: all listeners of a port of a Gateway.
type listenerPort struct {
	gateway objectID
	port    int64
	section string
}

func (l *listener) shares() listenerPort { return listenerPort{l.gateway, l.port, l.section} }

// gatewayListeners are all listeners of all FILEs.
type gatewayListeners struct {
	b          *build.Builder
	of         map[objectID][]*listener         // by owner
	hostnames  map[listenerPort]map[string]bool // of listeners that share virtual hosts
	work       int                              // how many listeners were looked at for routes
	namespaces map[string]*kube.Object
}

func readListeners(b *build.Builder, objects []*kube.Object) (*gatewayListeners, error) {
	g := &gatewayListeners{b: b, of: map[objectID][]*listener{}, hostnames: map[listenerPort]map[string]bool{}, namespaces: map[string]*kube.Object{}}
	for _, o := range objects {
		owner := objectID{o.Kind, o.Namespace(), o.Meta.Name.Value}
		gateway := owner
		switch o.GroupKind {
		case kindNamespace:
			g.namespaces[o.Meta.Name.Value] = o
			continue
		case kindGateway, kindListenerSet, kindXListenerSet:
		default:
			continue
		}
		spec, err := kube.SpecOf[gatewaySpec](o)
		if err != nil {
			return nil, err
		}
		if o.GroupKind != kindGateway {
			owner.kind = kindListenerSet.Kind // of either group
			parent := spec.ParentRef
			gateway = objectID{kindGateway.Kind, cmp.Or(parent.Namespace.Value, o.Namespace()), parent.Name.Value}
		}
		g.of[owner] = slices.Grow(g.of[owner], 1)
		for _, spec := range spec.Listeners {
			if !slices.Contains([]string{"", "HTTP", "HTTPS"}, spec.Protocol.Value) {
				continue
			}
			if !hostnameForm.MatchString(spec.Hostname.Value) && spec.Hostname.Value != "" {
				b.Warn(nil, o.Position(spec.Hostname.Place), codeHostname, "spec.listeners", invalidHostname(spec.Hostname.Value)+"; its listener is left out")
				continue
			}
			l := &listener{owner: owner, gateway: gateway, name: spec.Name.Value, port: spec.Port.Value, hostname: spec.Hostname.Value, known: true, spec: spec}
			g.of[owner] = append(g.of[owner], l)
			if g.hostnames[l.shares()] == nil {
				g.hostnames[l.shares()] = map[string]bool{}
			}
			g.hostnames[l.shares()][l.hostname] = true
		}
	}
	return g, nil
}

// hostnameForm is what the schema of Gateway API takes: a domain, or "*." and one.
var hostnameForm = regexp.MustCompile(`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

func invalidHostname(s string) string {
	return fmt.Sprintf("the hostname %q is refused by Gateway API: it is a domain in lower case, or *. and one", printable.Cut(s))
}

// takes reports whether a listener lets routes of a kind and a namespace attach. What a selector says of a namespace that
// no FILE holds is taken for yes: somebody wrote the route for it.
func (g *gatewayListeners) takes(l *listener, o *kube.Object) bool {
	if kinds := l.spec.AllowedRoutes.Kinds; len(kinds) > 0 {
		some := false
		for _, k := range kinds {
			some = some || k.Kind.Value == o.Kind
		}
		if !some {
			return false
		}
	}
	from := l.spec.AllowedRoutes.Namespaces
	switch from.From.Value {
	case "All":
		return true
	case "Selector":
		namespace := g.namespaces[o.Namespace()]
		return namespace == nil || from.Selector.matches(namespace.Meta.Labels)
	case "None":
		return false
	}
	return !l.known || o.Namespace() == l.owner.namespace
}

// An attachment is a listener that takes a route, with the hosts for which it does.
type attachment struct {
	*listener
	hosts []string
}

// A parented is a route that wants to be attached.
type parented struct {
	object     *kube.Object
	parentRefs []gatewayRef
	hostnames  []kube.Field[string]
}

// maxAttachments bounds the pairs of routes and listeners, which few bytes can make very many.
const maxAttachments = 10_000_000

// prepare notes the listeners of Gateways that no FILE holds, for which routes name one.
func (g *gatewayListeners) prepare(r parented) {
	for _, ref := range r.parentRefs {
		id, ok := r.parent(ref)
		if !ok || len(g.of[id]) > 0 && g.of[id][0].known {
			continue
		}
		if _, there := g.of[id]; there && len(g.of[id]) == 0 {
			continue // it is there, and has no listener for HTTP
		}
		section := ref.SectionName.Value
		if ref.Port.Set() {
			section += fmt.Sprintf(":%d", ref.Port.Value)
		}
		if !slices.ContainsFunc(g.of[id], func(l *listener) bool { return l.section == section }) {
			g.of[id] = append(g.of[id], &listener{owner: id, gateway: id, name: ref.SectionName.Value, port: ref.Port.Value, section: section})
		}
	}
}

// parent returns which Gateway or ListenerSet a parentRef names; a Service, of a mesh, is none.
func (r parented) parent(ref gatewayRef) (objectID, bool) {
	id := objectID{cmp.Or(ref.Kind.Value, kindGateway.Kind), cmp.Or(ref.Namespace.Value, r.object.Namespace()), ref.Name.Value}
	if id.kind == kindXListenerSet.Kind {
		id.kind = kindListenerSet.Kind
	}
	return id, id.kind == kindGateway.Kind || id.kind == kindListenerSet.Kind
}

// attach returns which listeners take a route, for which hosts.
func (g *gatewayListeners) attach(r parented) (all []attachment, err error) {
	hostnames := r.validHostnames(g.b)
	if len(hostnames) == 0 && len(r.hostnames) > 0 {
		return nil, nil
	}
	mesh := false
	seen := map[*listener]bool{}
	for _, ref := range r.parentRefs {
		id, ok := r.parent(ref)
		if !ok {
			mesh = true
			g.b.Warn(nil, r.object.Position(ref.Place), codeMesh, "spec.parentRefs",
				fmt.Sprintf("what %s %s answers inside a mesh is not carried over: write a virtual host with the domains by which the service is called", printable.Cut(id.kind), printable.Cut(id.name)))
			continue
		}
		for _, l := range g.of[id] {
			if g.work++; g.work > maxAttachments {
				return nil, r.object.Position(ref.Place).Fault(fmt.Sprintf("the routes of these files have more than %d listeners to look at: convert them in parts", maxAttachments))
			}
			named := (!ref.SectionName.Set() || ref.SectionName.Value == l.name) && (!ref.Port.Set() || ref.Port.Value == l.port)
			if !named || seen[l] || !g.takes(l, r.object) {
				continue
			}
			seen[l] = true
			g.work += len(hostnames)
			if hosts := g.hosts(hostnames, l); len(hosts) > 0 {
				all = append(all, attachment{l, hosts})
				l.attached = true
			}
			if !l.known && len(hostnames) == 0 {
				g.b.Warn(nil, r.object.Position(ref.Place), codeEveryHost, "spec.parentRefs",
					fmt.Sprintf("%s has no hostnames, and no FILE holds %s %s/%s: it is taken for every host; give import the Gateway, too, or write its domains",
						printable.Cut(r.object.Name()), id.kind, printable.Cut(id.namespace), printable.Cut(id.name)))
			}
		}
	}
	if len(all) == 0 && !mesh {
		g.b.Warn(nil, r.object.Position(kube.Place{}), codeNotAttached, "",
			fmt.Sprintf("%s %s is left out: no listener of the Gateways in these FILEs takes it (parentRefs, hostnames, allowedRoutes)", r.object.Kind, printable.Cut(r.object.Name())))
	}
	return all, nil
}

func (r parented) validHostnames(b *build.Builder) (names []string) {
	for _, f := range r.hostnames {
		if !hostnameForm.MatchString(f.Value) {
			b.Warn(nil, r.object.Position(f.Place), codeHostname, "spec.hostnames", invalidHostname(f.Value)+"; it is left out")
			continue
		}
		names = append(names, f.Value)
	}
	return names
}

// hosts returns the hosts for which a listener takes a route: those of both. What another listener of the port has for its
// own hostname is that one's.
func (g *gatewayListeners) hosts(hostnames []string, l *listener) (hosts []string) {
	switch {
	case len(hostnames) > 0:
		seen := map[string]bool{}
		for _, name := range hostnames {
			if host := commonHost(name, l.hostname); host != "" && !seen[host] {
				seen[host] = true
				hosts = append(hosts, host)
			}
		}
	case l.hostname != "":
		hosts = []string{l.hostname}
	default:
		hosts = []string{"*"}
	}
	others := g.hostnames[l.shares()]
	return slices.DeleteFunc(hosts, func(h string) bool { return h != l.hostname && others[h] })
}

// commonHost returns the narrower of two hostnames, of which one covers the other; empty: neither does. An empty listener
// is one for every host.
func commonHost(route, listener string) string {
	switch {
	case listener == "" || route == listener || coversHost(listener, route):
		return route
	case coversHost(route, listener):
		return listener
	}
	return ""
}

// coversHost reports whether all hosts of the second name are ones of the first, and the first has more: *.a.com covers
// x.a.com, x.y.a.com and *.y.a.com, but not a.com.
func coversHost(wide, narrow string) bool {
	suffix, ok := strings.CutPrefix(wide, "*")
	if !ok || wide == narrow {
		return false
	}
	rest, ok := strings.CutSuffix(narrow, suffix)
	return ok && rest != "" && rest != "*"
}
