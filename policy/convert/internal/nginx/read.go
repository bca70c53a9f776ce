// Package nginx reads Ingresses for ingress-nginx. Start reading at Read.
package nginx

// Tested by policy/convert/ingressnginx_test.go and policy/convert/ingressnginx_nginx_test.go.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
	"github.com/corsproc/corsproc/policy/printable"
)

// What ingress-nginx does is read from its last release, controller 1.15.1: which annotations count, in annotations/cors
// and annotations/parser; which Ingress owns a path, in controller.go (createServers, getBackendServers) and location.go;
// what nginx is told, in nginx.tmpl and template.go. The names of functions here say which part of it they are.

const (
	nginxPrefix = "nginx.ingress.kubernetes.io/"
	// legacyPrefix is what controllers before 0.9 read, and those that were started with it as --annotations-prefix.
	legacyPrefix = "ingress.kubernetes.io/"
	classKey     = "kubernetes.io/ingress.class"
)

var (
	ingressKinds  = []kube.GroupKind{{Group: "networking.k8s.io", Kind: "Ingress"}, {Group: "extensions", Kind: "Ingress"}}
	besideIngress = []kube.GroupKind{{Group: "networking.k8s.io", Kind: "IngressClass"}, {Group: "", Kind: "ConfigMap"}}
)

// An ingressSpec is what is read of an Ingress, of every version of its API.
type ingressSpec struct {
	Spec struct {
		Class          kube.Field[string] `kube:"ingressClassName"`
		DefaultBackend *ingressBackend    `kube:"defaultBackend"`
		Backend        *ingressBackend    `kube:"backend"` // v1beta1
		Rules          []struct {
			At   kube.Place
			Host kube.Field[string] `kube:"host"`
			HTTP *struct {
				Paths []ingressPath `kube:"paths"`
			} `kube:"http"`
		} `kube:"rules"`
	} `kube:"spec"`
}

type ingressPath struct {
	At      kube.Place
	Path    kube.Field[string] `kube:"path"`
	Type    kube.Field[string] `kube:"pathType"`
	Backend ingressBackend     `kube:"backend"`
}

type ingressBackend struct {
	Service     kube.Field[kube.Anything] `kube:"service"`
	ServiceName kube.Field[string]        `kube:"serviceName"` // v1beta1
}

// isService reports whether requests go anywhere: the controller passes over paths with a backend of another kind.
func (b *ingressBackend) isService() bool { return b.Service.Set() || b.ServiceName.Set() }

// An ingress is an Ingress with what its annotations mean.
type ingress struct {
	*kube.Object
	spec     ingressSpec
	class    string
	cors     build.Place // what its places grant
	useRegex bool
	target   string // rewrite-target
	aliases  []string
	redirect bool // from-to-www-redirect
}

// Read reads Ingresses for ingress-nginx.
func Read(b *build.Builder, sources []source.Source) error {
	objects, err := kube.ReadBeside(sources, besideIngress, ingressKinds...)
	if err != nil {
		return err
	}
	var all []*ingress
	classes, known := map[string]string{}, configMaps{}
	for _, o := range objects {
		switch o.Kind {
		case "IngressClass":
			var c struct {
				Spec struct {
					Controller kube.Field[string] `kube:"controller"`
				} `kube:"spec"`
			}
			if o.Decode(&c) == nil {
				classes[o.Meta.Name.Value] = c.Spec.Controller.Value
			}
		case "ConfigMap":
			known.add(o)
		default:
			i := &ingress{Object: o}
			if err := o.Decode(&i.spec); err != nil {
				return err
			}
			if err := i.checkPaths(); err != nil {
				return err
			}
			i.class = i.spec.Spec.Class.Value
			if i.class == "" {
				i.class = o.Meta.Annotations.Get(classKey).Value
			}
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return kube.Missing(sources, "Ingress")
	}
	own := ownIngresses(b, all, classes)
	if len(own) == 0 {
		return &source.InputError{File: all[0].File, Line: all[0].Line, Column: all[0].Column,
			Message: "every Ingress here is of the class of another controller: import ingress-nginx reads those of class nginx, of none, and those with annotations of nginx"}
	}
	sortIngresses(own)
	counted := own[:0:0]
	for _, i := range own {
		ok, err := i.readAnnotations(b, known)
		if err != nil {
			return err
		}
		if ok {
			counted = append(counted, i)
		}
	}
	known.warn(b)
	for _, ofOne := range byController(counted) {
		writeServers(b, makeServers(b, ofOne))
	}
	return nil
}

// byController parts Ingresses by class: each class has a controller of its own. Those of no class are those of class nginx,
// or of the first one.
func byController(all []*ingress) (parts [][]*ingress) {
	byClass := map[string][]*ingress{}
	for _, i := range all {
		byClass[i.class] = append(byClass[i.class], i)
	}
	classes := slices.Sorted(maps.Keys(byClass))
	if len(classes) > 1 && classes[0] == "" {
		own := classes[1]
		if byClass["nginx"] != nil {
			own = "nginx"
		}
		byClass[own] = append(byClass[own], byClass[""]...)
		sortIngresses(byClass[own])
		classes = classes[1:]
	}
	for _, class := range classes {
		parts = append(parts, byClass[class])
	}
	return parts
}

// checkPaths refuses paths that the API server refuses: the routes of other paths would be made of them.
func (i *ingress) checkPaths() error {
	for _, rule := range i.spec.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, p := range rule.HTTP.Paths {
			switch {
			case p.Path.Value != "" && p.Path.Value[0] != '/':
				return i.Fault(p.Path.Place, "a path begins with a slash")
			case p.Type.Set() && p.Type.Value != "Exact" && p.Type.Value != "Prefix" && p.Type.Value != "ImplementationSpecific":
				return i.Fault(p.Type.Place, "pathType is Exact, Prefix or ImplementationSpecific")
			}
		}
	}
	return nil
}

// otherControllers are classes that belong to other controllers, as their installations call them.
var otherControllers = map[string]bool{
	"alb": true, "ambassador": true, "apisix": true, "azure-application-gateway": true, "azure/application-gateway": true,
	"cilium": true, "contour": true, "gce": true, "gce-internal": true, "haproxy": true, "istio": true, "kong": true,
	"skipper": true, "tailscale": true, "traefik": true,
}

// ownIngresses returns the Ingresses of ingress-nginx. Names of classes are free, so a class is its own if its IngressClass
// is here and says so, if it has no name or one with nginx in it, or if any Ingress of it has an annotation for nginx. It
// has to be the whole class: an Ingress without annotations can take a path away from one with CORS.
func ownIngresses(b *build.Builder, all []*ingress, controllers map[string]string) (own []*ingress) {
	annotated := map[string]bool{}
	for _, i := range all {
		annotated[i.class] = annotated[i.class] || slices.ContainsFunc(i.Meta.Annotations, func(e kube.Entry) bool { return strings.HasPrefix(e.Key, nginxPrefix) })
	}
	for _, i := range all {
		controller, known := controllers[i.class]
		mine := annotated[i.class] && !otherControllers[i.class]
		switch {
		case known:
			mine = strings.Contains(controller, "ingress-nginx")
		case i.class == "" || strings.Contains(i.class, "nginx"):
			mine = true
		}
		if mine {
			own = append(own, i)
			continue
		}
		if enabled := i.Meta.Annotations.Get(nginxPrefix + "enable-cors"); enabled.Set() {
			b.Warn(nil, i.Position(enabled.Place), codeOtherClass, "enable-cors",
				fmt.Sprintf("Ingress %s is of class %s, which is another controller's, so its annotations for nginx do nothing: it is passed over", printable.Cut(i.Name()), printable.Cut(i.class)))
		}
	}
	return own
}

// sortIngresses puts Ingresses in the order in which the controller takes them: the oldest first, of those that were made
// in the same second the last by name (sortIngressSlice). Files that are no dump of a cluster do not say it.
func sortIngresses(all []*ingress) {
	slices.SortStableFunc(all, func(a, b *ingress) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(b.Namespace()+"/"+b.Meta.Name.Value, a.Namespace()+"/"+a.Meta.Name.Value))
	})
}

// before reports whether the controller is known to take i before another Ingress.
func (i *ingress) before(other *ingress) bool {
	return i == other || !i.Created.IsZero() && !other.Created.IsZero()
}

// readAnnotations reads what an Ingress says. It is not ok if the controller passes over the whole Ingress.
func (i *ingress) readAnnotations(b *build.Builder, known configMaps) (ok bool, err error) {
	if canary, err := i.flag("canary"); err != nil || canary.value {
		return false, err // a canary takes the settings of the Ingress beside it
	}
	var notes build.Notes
	valid, err := i.readAliases(b)
	if !valid || err != nil {
		return false, err
	}
	if i.cors, err = i.readCORS(b); err != nil {
		return false, err
	}
	regex, err := i.flag("use-regex")
	if err != nil {
		return false, err
	}
	i.useRegex = regex.value
	www, err := i.flag("from-to-www-redirect")
	if err != nil {
		return false, err
	}
	i.redirect = www.value
	target, err := i.Annotation(nginxPrefix + "rewrite-target")
	if err != nil {
		return false, err
	}
	if rewriteTarget.MatchString(target.Value) && !strings.ContainsAny(target.Value, "\r\n") {
		i.target = strings.TrimSpace(target.Value)
	}
	i.warnOfSnippets(b, known, &notes)
	i.cors.Notes.Texts = append(i.cors.Notes.Texts, notes.Texts...)
	return true, nil
}

// readAliases reads server-alias. An alias that is no name and no expression makes the controller pass over the Ingress.
func (i *ingress) readAliases(b *build.Builder) (valid bool, err error) {
	aliases, err := i.Annotation(nginxPrefix + "server-alias")
	if err != nil {
		return false, err
	}
	for _, alias := range strings.Split(aliases.Value, ",") {
		alias = strings.TrimSpace(alias)
		if !serverName.MatchString(alias) {
			b.Warn(nil, i.Position(aliases.Place), build.CodeInvalid, "server-alias",
				fmt.Sprintf("%s is no name of a server, so the controller passes over Ingress %s, and so does import", printable.Cut(strconv.Quote(alias)), printable.Cut(i.Name())))
			return false, nil
		}
		if alias != "" {
			i.aliases = append(i.aliases, alias)
		}
	}
	slices.Sort(i.aliases)
	i.aliases = slices.Compact(i.aliases)
	return true, nil
}

// The codes of warnings of Kubernetes kinds.
const (
	codeOtherClass     = "other-controller"  // settings for a controller that does not see them
	codeSnippet        = "snippet"           // configuration of nginx by hand, which is not read
	codeWiderThere     = "invalid-means-any" // a value for which the source lets everybody in
	codeOneLabel       = "one-label"         // a wildcard that is one label there and several here
	codeNull           = "null-origin"       // null, and whatever ends in it
	codePathExpression = "path-expression"   // an expression that RE2 does not have
	codeNoPathType     = "path-type"         // a path that versions of the controller take differently
	codePreflight      = "preflight-fails"   // a list that makes browsers refuse every preflight there
)
