package convert

// Tested by ingressnginx_test.go and ingressnginx_nginx_test.go.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

// Configuration that is written by hand, as text of nginx, is not read: it is warned of.

// warnOfSnippets warns of the annotations with which an Ingress writes configuration of nginx, or headers of its own.
func (i *ingress) warnOfSnippets(b *builder, known configMaps, n *notes) {
	for _, name := range []string{"configuration-snippet", "server-snippet"} {
		f := i.meta.Annotations.get(nginxPrefix + name)
		if strings.TrimSpace(f.Value) == "" {
			continue
		}
		message := "it is not read: look whether it answers OPTIONS, redirects or changes headers, and write as a policy what is CORS in it"
		if setsCORS(f.Value) {
			message = "it sets CORS headers itself, and is not read: write what it grants as a policy, or leave the place to it with passthrough"
		}
		b.warn(n, i.position(f.fieldPlace), codeSnippet, name, message)
	}
	f := i.meta.Annotations.get(nginxPrefix + "custom-headers")
	if f.Value == "" {
		return
	}
	namespace, name, ok := strings.Cut(f.Value, "/")
	if !ok {
		namespace, name = i.namespace(), f.Value
	}
	switch m := known[[2]string{namespace, name}]; {
	case m == nil:
		b.warn(n, i.position(f.fieldPlace), codeSnippet, "custom-headers", fmt.Sprintf("ConfigMap %s is in no file: if it sets CORS headers, write them as a policy", printable.Cut(f.Value)))
	case m.setsCORS():
		b.warn(n, i.position(f.fieldPlace), codeSnippet, "custom-headers", fmt.Sprintf("ConfigMap %s sets CORS headers itself: write what it grants as a policy", printable.Cut(f.Value)))
	}
}

func setsCORS(s string) bool { return strings.Contains(strings.ToLower(s), "access-control-") }

// configMaps are the ConfigMaps of the files, by namespace and name.
type configMaps map[[2]string]*configMap

type configMap struct {
	*kubernetesObject
	data kubernetesEntries
}

func (c configMaps) add(o *kubernetesObject) {
	var m struct {
		Data kubernetesEntries `kube:"data"`
	}
	if o.decode(&m) == nil {
		c[[2]string{o.namespace(), o.meta.Name.Value}] = &configMap{o, m.Data}
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
func (c configMaps) warn(b *builder) {
	order := slices.SortedFunc(maps.Values(c), func(a, b *configMap) int {
		return cmp.Or(strings.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	for _, m := range order {
		for _, e := range m.data {
			at := m.position(e.fieldPlace)
			switch e.Key {
			case "http-snippet", "server-snippet", "location-snippet":
				if setsCORS(e.Value) {
					b.warn(nil, at, codeSnippet, e.Key, "it sets CORS headers itself for every Ingress, and is not read: write what it grants as a policy")
				}
			case "add-headers":
				namespace, name, _ := strings.Cut(e.Value, "/")
				if headers := c[[2]string{namespace, name}]; headers != nil && headers.setsCORS() {
					b.warn(nil, at, codeSnippet, e.Key, "its ConfigMap sets CORS headers for every Ingress: write what it grants as a policy")
				}
			}
		}
	}
}
