package nginx

// Tested by policy/convert/ingressnginx_test.go and policy/convert/ingressnginx_nginx_test.go.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/printable"
)

// Configuration that is written by hand, as text of nginx, is not read: it is warned of.

// warnOfSnippets warns of the annotations with which an Ingress writes configuration of nginx, or headers of its own.
func (i *ingress) warnOfSnippets(b *build.Builder, known configMaps, n *build.Notes) {
	for _, name := range []string{"configuration-snippet", "server-snippet"} {
		f := i.Meta.Annotations.Get(nginxPrefix + name)
		if strings.TrimSpace(f.Value) == "" {
			continue
		}
		message := "it is not read: look whether it answers OPTIONS, redirects or changes headers, and write as a policy what is CORS in it"
		if setsCORS(f.Value) {
			message = "it sets CORS headers itself, and is not read: write what it grants as a policy, or leave the place to it with passthrough"
		}
		b.Warn(n, i.Position(f.Place), codeSnippet, name, message)
	}
	f := i.Meta.Annotations.Get(nginxPrefix + "custom-headers")
	if f.Value == "" {
		return
	}
	namespace, name, ok := strings.Cut(f.Value, "/")
	if !ok {
		namespace, name = i.Namespace(), f.Value
	}
	switch m := known[[2]string{namespace, name}]; {
	case m == nil:
		b.Warn(n, i.Position(f.Place), codeSnippet, "custom-headers", fmt.Sprintf("ConfigMap %s is in no file: if it sets CORS headers, write them as a policy", printable.Cut(f.Value)))
	case m.setsCORS():
		b.Warn(n, i.Position(f.Place), codeSnippet, "custom-headers", fmt.Sprintf("ConfigMap %s sets CORS headers itself: write what it grants as a policy", printable.Cut(f.Value)))
	}
}

func setsCORS(s string) bool { return strings.Contains(strings.ToLower(s), "access-control-") }

// configMaps are the ConfigMaps of the files, by namespace and name.
type configMaps map[[2]string]*configMap

type configMap struct {
	*kube.Object
	data kube.Entries
}

func (c configMaps) add(o *kube.Object) {
	var m struct {
		Data kube.Entries `kube:"data"`
	}
	if o.Decode(&m) == nil {
		c[[2]string{o.Namespace(), o.Meta.Name.Value}] = &configMap{o, m.Data}
	}
}

// setsCORS reports whether the entries of a ConfigMap are headers of CORS.
func (m *configMap) setsCORS() bool {
	for _, e := range m.data {
		if setsCORS(e.Key) {
			return true
		}
	}
	return false
}

// warn warns of what the controller's own ConfigMap says of CORS for all Ingresses.
func (c configMaps) warn(b *build.Builder) {
	order := slices.SortedFunc(maps.Values(c), func(a, b *configMap) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	for _, m := range order {
		for _, e := range m.data {
			at := m.Position(e.Place)
			switch e.Key {
			case "http-snippet", "server-snippet", "location-snippet":
				if setsCORS(e.Value) {
					b.Warn(nil, at, codeSnippet, e.Key, "it sets CORS headers itself for every Ingress, and is not read: write what it grants as a policy")
				}
			case "add-headers":
				namespace, name, _ := strings.Cut(e.Value, "/")
				if headers := c[[2]string{namespace, name}]; headers != nil && headers.setsCORS() {
					b.Warn(nil, at, codeSnippet, e.Key, "its ConfigMap sets CORS headers for every Ingress: write what it grants as a policy")
				}
			}
		}
	}
}
