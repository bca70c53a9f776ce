package convert

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// A kubernetesKind is a kind of objects in any version of its API.
type kubernetesKind struct{ group, kind string }

// A kubernetesObject is one object of a file. What it says is read with decode, into structs that have the fields that
// import knows and no others: what a cluster adds (status, managedFields) and what nobody asks for is passed over.
type kubernetesObject struct {
	kubernetesKind
	version  string
	file     string
	line     int // where the object begins
	column   int
	meta     kubernetesMeta
	created  time.Time // zero: the file does not say it
	node     *yaml.Node
	decoding *kubernetesDecoding
}

// A kubernetesMeta is what is read of an object's metadata.
type kubernetesMeta struct {
	Name              field[string]     `kube:"name"`
	GenerateName      field[string]     `kube:"generateName"`
	Namespace         field[string]     `kube:"namespace"`
	CreationTimestamp field[string]     `kube:"creationTimestamp"`
	Labels            kubernetesEntries `kube:"labels"`
	Annotations       kubernetesEntries `kube:"annotations"`
}

// name returns what the object is called in messages and comments: namespace/name.
func (o *kubernetesObject) name() string {
	name := o.meta.Name.Value
	if name == "" {
		name = o.meta.GenerateName.Value
	}
	if o.meta.Namespace.Value != "" {
		name = o.meta.Namespace.Value + "/" + name
	}
	return name
}

// namespace returns the object's namespace; what names none is in "default".
func (o *kubernetesObject) namespace() string {
	if o.meta.Namespace.Value == "" {
		return "default"
	}
	return o.meta.Namespace.Value
}

// fault is an InputError about what stands at a place of the object's file.
func (o *kubernetesObject) fault(at fieldPlace, message string) error {
	return o.position(at).fault(message)
}

// decode reads the object into a struct, as [kubernetesDecoding.decode] does.
func (o *kubernetesObject) decode(into any) error { return o.decoding.decode(o.file, o.node, into) }

// readKubernetes returns the objects of the wanted kinds in some files, in the order in which they stand there. It is an
// InputError if a file is no YAML or JSON of Kubernetes, whatever kinds it has; objects of other kinds are only looked at
// for keys that stand twice. An object that stands there twice with one content counts once: FILEs may overlap. Two
// contents under one name are an InputError, since only one of them can be in a cluster and FILEs have no order.
//
// That there is no object at all is for the caller to say: it knows which kinds do not count alone.
func readKubernetes(sources []Source, wanted ...kubernetesKind) ([]*kubernetesObject, error) {
	return readKubernetesBeside(sources, nil, wanted...)
}

// readKubernetesBeside also returns objects of kinds that are only of use where they are as they should be: one that is not
// is passed over, and of two with one name the first counts.
func readKubernetesBeside(sources []Source, beside []kubernetesKind, wanted ...kubernetesKind) ([]*kubernetesObject, error) {
	r := kubernetesReader{wanted: map[kubernetesKind]bool{}, beside: map[kubernetesKind]bool{}, named: map[kubernetesID]*kubernetesObject{}, decoding: newKubernetesDecoding()}
	for _, k := range wanted {
		r.wanted[k] = true
	}
	for _, k := range beside {
		r.wanted[k], r.beside[k] = true, true
	}
	for _, s := range sources {
		data, err := kubernetesText(s)
		if err != nil {
			return nil, err
		}
		r.parser = &kubernetesParser{file: s.Name, data: data}
		if err := r.parser.documents(r.document); err != nil {
			return nil, err
		}
	}
	return r.objects, nil
}

// A kubernetesID is what an object is known by in a cluster.
type kubernetesID struct {
	kubernetesKind
	namespace, name string
}

type kubernetesReader struct {
	wanted   map[kubernetesKind]bool
	beside   map[kubernetesKind]bool // those of wanted that may be passed over
	parser   *kubernetesParser
	decoding *kubernetesDecoding
	objects  []*kubernetesObject
	named    map[kubernetesID]*kubernetesObject
}

func (r *kubernetesReader) document(root *yaml.Node) error {
	if err := r.parser.checkKeys(root); err != nil {
		return err
	}
	return r.object(root, kubernetesKind{}, "", 0)
}

// A kubernetesHead is what every object has, and a List.
type kubernetesHead struct {
	APIVersion field[string] `kube:"apiVersion"`
	Kind       field[string] `kube:"kind"`
}

// object takes an object, or those of a List. An item of a List of one kind, as the API returns it, may leave out its own.
func (r *kubernetesReader) object(n *yaml.Node, listed kubernetesKind, version string, depth int) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	at := textPosition{n.Line, n.Column}
	if n.Kind != yaml.MappingNode {
		if depth == 0 && n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "{{") {
			return r.parser.fault(at, templateMessage)
		}
		return r.parser.fault(at, "an object of Kubernetes is wanted (apiVersion, kind, metadata, …), and this is "+nodeWord(n))
	}
	if depth > maxKubernetesDepth {
		return r.parser.fault(at, fmt.Sprintf("Lists are nested more than %d deep", maxKubernetesDepth))
	}
	var head kubernetesHead
	if err := r.decoding.decode(r.parser.file, n, &head); err != nil {
		return err
	}
	k := listed
	if head.Kind.Value != "" {
		k.kind = head.Kind.Value
	}
	if head.APIVersion.Value != "" {
		k.group, version = splitAPIVersion(head.APIVersion.Value)
	}
	if items, ok := strings.CutSuffix(k.kind, "List"); ok && !r.wanted[k] {
		listed := kubernetesKind{k.group, items}
		if items == "" {
			listed = kubernetesKind{}
		}
		if items == "" || r.wanted[listed] {
			return r.list(n, listed, version, depth)
		}
		return nil
	}
	if !r.wanted[k] {
		for w := range r.wanted {
			if head.APIVersion.Value == "" && w.kind == k.kind && !r.beside[w] {
				return r.parser.fault(textPosition{head.Kind.Line, head.Kind.Column}, "this "+k.kind+" has no apiVersion")
			}
		}
		return nil
	}
	o := &kubernetesObject{kubernetesKind: k, version: version, file: r.parser.file, line: n.Line, column: n.Column, node: n, decoding: r.decoding}
	var meta struct {
		Metadata kubernetesMeta `kube:"metadata"`
	}
	if err := o.decode(&meta); err != nil {
		if r.beside[k] {
			return nil
		}
		return err
	}
	o.meta = meta.Metadata
	o.created, _ = time.Parse(time.RFC3339, o.meta.CreationTimestamp.Value)
	return r.keep(o)
}

func (r *kubernetesReader) list(n *yaml.Node, listed kubernetesKind, version string, depth int) error {
	var list struct {
		Items []*yaml.Node `kube:"items"`
	}
	if err := r.decoding.decode(r.parser.file, n, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if isNullNode(item) {
			continue
		}
		if err := r.object(item, listed, version, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// keep takes an object, unless it is there already.
func (r *kubernetesReader) keep(o *kubernetesObject) error {
	if name := o.meta.Name; name.Value != "" { // what gets a name from the API server is never the same
		id := kubernetesID{o.kubernetesKind, o.meta.Namespace.Value, name.Value}
		if other := r.named[id]; other != nil {
			if r.beside[o.kubernetesKind] || r.sameContent(o, other) {
				return nil
			}
			return o.fault(name.fieldPlace, fmt.Sprintf("a second %s %s that says something else than the one at %s:%d; give import the one that is in the cluster",
				o.kind, cutText(o.name()), other.file, other.line))
		}
		r.named[id] = o
	}
	r.objects = append(r.objects, o)
	return nil
}

// lastApplied is the annotation in which kubectl keeps the object as it was applied. An object from a cluster has it, the
// same one from a file has not.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// sameContent reports whether two objects of one name have the same spec and annotations.
func (r *kubernetesReader) sameContent(a, b *kubernetesObject) bool {
	annotations := func(o *kubernetesObject) map[string]string {
		m := map[string]string{}
		for _, e := range o.meta.Annotations {
			if e.Key != lastApplied {
				m[e.Key] = e.Value
			}
		}
		return m
	}
	am, bm := annotations(a), annotations(b)
	if len(am) != len(bm) {
		return false
	}
	for k, v := range am {
		if w, ok := bm[k]; !ok || v != w {
			return false
		}
	}
	return a.version == b.version && sameNode(keyOf(a.node, "spec"), keyOf(b.node, "spec"), maxKubernetesDepth)
}

// keyOf returns the value of a key that stands in a mapping itself; nil: none does.
func keyOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// sameNode reports whether two nodes are written alike, but for quotes, comments and the order of keys. What has aliases
// is not the same as anything: it could be larger than it looks.
func sameNode(a, b *yaml.Node, depth int) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case depth == 0 || a.Kind != b.Kind || a.Kind == yaml.AliasNode || a.Tag != b.Tag || a.Value != b.Value || len(a.Content) != len(b.Content):
		return a == b
	case a.Kind == yaml.MappingNode:
		values := make(map[string]*yaml.Node, len(b.Content)/2)
		for i := 0; i+1 < len(b.Content); i += 2 {
			values[b.Content[i].Value] = b.Content[i+1]
		}
		for i := 0; i+1 < len(a.Content); i += 2 {
			if other, ok := values[a.Content[i].Value]; !ok || !sameNode(a.Content[i+1], other, depth-1) {
				return false
			}
		}
		return true
	}
	for i := range a.Content {
		if !sameNode(a.Content[i], b.Content[i], depth-1) {
			return false
		}
	}
	return true
}

func splitAPIVersion(s string) (group, version string) {
	group, version, ok := strings.Cut(s, "/")
	if !ok {
		return "", s // of the core group
	}
	return group, version
}

// noObject says that no FILE has an object of the kinds that count.
func noObject(sources []Source, what string) error {
	names := make([]string, 0, len(sources))
	for _, s := range sources {
		names = append(names, s.Name)
	}
	e := &InputError{Message: "no " + what + " in " + cutText(strings.Join(names, ", "))}
	if len(sources) == 1 {
		e = &InputError{File: sources[0].Name, Line: 1, Column: 1, Message: "no " + what + " in this file"}
	}
	return e
}

// position is where something stands in the object's file; the object itself, where that is not known.
func (o *kubernetesObject) position(at fieldPlace) Position {
	if at.Line == 0 {
		at = fieldPlace{o.line, o.column}
	}
	return Position{o.file, at.Line, at.Column}
}

// specOf reads the spec of an object.
func specOf[T any](o *kubernetesObject) (T, error) {
	var object struct {
		Spec T `kube:"spec"`
	}
	err := o.decode(&object)
	return object.Spec, err
}
