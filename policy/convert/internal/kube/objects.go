// Package kube reads objects of Kubernetes, and decodes the fields that somebody asks for, each with its place. Start reading
// at Read and at Object.Decode.
package kube

// Tested by kube_test.go.

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

// A kubernetesKind is a kind of objects in any version of its API.
type GroupKind struct{ Group, Kind string }

// A Object is one object of a file. What it says is read with decode, into structs that have the fields that
// import knows and no others: what a cluster adds (status, managedFields) and what nobody asks for is passed over.
type Object struct {
	GroupKind
	version  string
	File     string
	Line     int // where the object begins
	Column   int
	Meta     kubernetesMeta
	Created  time.Time // zero: the file does not say it
	node     *yaml.Node
	decoding *kubernetesDecoding
}

// A kubernetesMeta is what is read of an object's metadata.
type kubernetesMeta struct {
	Name              Field[string] `kube:"name"`
	GenerateName      Field[string] `kube:"generateName"`
	Namespace         Field[string] `kube:"namespace"`
	CreationTimestamp Field[string] `kube:"creationTimestamp"`
	Labels            Entries       `kube:"labels"`
	Annotations       Entries       `kube:"annotations"`
}

// Name returns what the object is called in messages and comments: namespace/name.
func (o *Object) Name() string {
	name := o.Meta.Name.Value
	if name == "" {
		name = o.Meta.GenerateName.Value
	}
	if o.Meta.Namespace.Value != "" {
		name = o.Meta.Namespace.Value + "/" + name
	}
	return name
}

// Namespace returns the object's namespace; what names none is in "default".
func (o *Object) Namespace() string {
	if o.Meta.Namespace.Value == "" {
		return "default"
	}
	return o.Meta.Namespace.Value
}

// Fault is an InputError about what stands at a place of the object's file.
func (o *Object) Fault(at Place, message string) error {
	return o.Position(at).Fault(message)
}

// Decode reads the object into a struct, as [kubernetesDecoding.decode] does.
func (o *Object) Decode(into any) error { return o.decoding.decode(o.File, o.node, into) }

// Read returns the objects of the wanted kinds in some files, in the order in which they stand there. It is an
// InputError if a file is no YAML or JSON of Kubernetes, whatever kinds it has; objects of other kinds are only looked at
// for keys that stand twice. An object that stands there twice with one content counts once: FILEs may overlap. Two
// contents under one name are an InputError, since only one of them can be in a cluster and FILEs have no order.
//
// That there is no object at all is for the caller to say: it knows which kinds do not count alone.
func Read(sources []source.Source, wanted ...GroupKind) ([]*Object, error) {
	return ReadBeside(sources, nil, wanted...)
}

// readKubernetesBeside also returns objects of kinds that are only of use where they are as they should be: one that is not
// is passed over, and of two with one name the first counts.
func ReadBeside(sources []source.Source, beside []GroupKind, wanted ...GroupKind) ([]*Object, error) {
	r := reader{wanted: map[GroupKind]bool{}, beside: map[GroupKind]bool{}, named: map[identity]*Object{}, decoding: newKubernetesDecoding()}
	for _, k := range wanted {
		r.wanted[k] = true
	}
	for _, k := range beside {
		r.wanted[k], r.beside[k] = true, true
	}
	for _, s := range sources {
		data, err := source.Text(s)
		if err != nil {
			return nil, err
		}
		r.parser = &source.Parser{File: s.Name, Data: data}
		if err := r.parser.Documents(r.document); err != nil {
			return nil, err
		}
	}
	return r.objects, nil
}

// A kubernetesID is what an object is known by in a cluster.
type identity struct {
	GroupKind
	namespace, name string
}

type reader struct {
	wanted   map[GroupKind]bool
	beside   map[GroupKind]bool // those of wanted that may be passed over
	parser   *source.Parser
	decoding *kubernetesDecoding
	objects  []*Object
	named    map[identity]*Object
}

func (r *reader) document(root *yaml.Node) error {
	if err := r.parser.CheckKeys(root); err != nil {
		return err
	}
	return r.object(root, GroupKind{}, "", 0)
}

// A kubernetesHead is what every object has, and a List.
type kubernetesHead struct {
	APIVersion Field[string] `kube:"apiVersion"`
	Kind       Field[string] `kube:"kind"`
}

// object takes an object, or those of a List. An item of a List of one kind, as the API returns it, may leave out its own.
func (r *reader) object(n *yaml.Node, listed GroupKind, version string, depth int) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	at := source.TextPosition{Line: n.Line, Column: n.Column}
	if n.Kind != yaml.MappingNode {
		if depth == 0 && n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "{{") {
			return r.parser.Fault(at, source.TemplateMessage)
		}
		return r.parser.Fault(at, "an object of Kubernetes is wanted (apiVersion, kind, metadata, …), and this is "+source.NodeWord(n))
	}
	if depth > source.MaxKubernetesDepth {
		return r.parser.Fault(at, fmt.Sprintf("Lists are nested more than %d deep", source.MaxKubernetesDepth))
	}
	var head kubernetesHead
	if err := r.decoding.decode(r.parser.File, n, &head); err != nil {
		return err
	}
	k := listed
	if head.Kind.Value != "" {
		k.Kind = head.Kind.Value
	}
	if head.APIVersion.Value != "" {
		k.Group, version = splitAPIVersion(head.APIVersion.Value)
	}
	if items, ok := strings.CutSuffix(k.Kind, "List"); ok && !r.wanted[k] {
		listed := GroupKind{k.Group, items}
		if items == "" {
			listed = GroupKind{}
		}
		if items == "" || r.wanted[listed] {
			return r.list(n, listed, version, depth)
		}
		return nil
	}
	if !r.wanted[k] {
		for w := range r.wanted {
			if head.APIVersion.Value == "" && w.Kind == k.Kind && !r.beside[w] {
				return r.parser.Fault(source.TextPosition{Line: head.Kind.Line, Column: head.Kind.Column}, "this "+k.Kind+" has no apiVersion")
			}
		}
		return nil
	}
	o := &Object{GroupKind: k, version: version, File: r.parser.File, Line: n.Line, Column: n.Column, node: n, decoding: r.decoding}
	var meta struct {
		Metadata kubernetesMeta `kube:"metadata"`
	}
	if err := o.Decode(&meta); err != nil {
		if r.beside[k] {
			return nil
		}
		return err
	}
	o.Meta = meta.Metadata
	o.Created, _ = time.Parse(time.RFC3339, o.Meta.CreationTimestamp.Value)
	return r.keep(o)
}

func (r *reader) list(n *yaml.Node, listed GroupKind, version string, depth int) error {
	var list struct {
		Items []*yaml.Node `kube:"items"`
	}
	if err := r.decoding.decode(r.parser.File, n, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		if source.IsNullNode(item) {
			continue
		}
		if err := r.object(item, listed, version, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// keep takes an object, unless it is there already.
func (r *reader) keep(o *Object) error {
	if name := o.Meta.Name; name.Value != "" { // what gets a name from the API server is never the same
		id := identity{o.GroupKind, o.Meta.Namespace.Value, name.Value}
		if other := r.named[id]; other != nil {
			if r.beside[o.GroupKind] || r.sameContent(o, other) {
				return nil
			}
			return o.Fault(name.Place, fmt.Sprintf("a second %s %s that says something else than the one at %s:%d; give import the one that is in the cluster",
				o.Kind, source.CutText(o.Name()), other.File, other.Line))
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
func (r *reader) sameContent(a, b *Object) bool {
	annotations := func(o *Object) map[string]string {
		m := map[string]string{}
		for _, e := range o.Meta.Annotations {
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
	return a.version == b.version && sameNode(keyOf(a.node, "spec"), keyOf(b.node, "spec"), source.MaxKubernetesDepth)
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
func Missing(sources []source.Source, what string) error {
	names := make([]string, 0, len(sources))
	for _, s := range sources {
		names = append(names, s.Name)
	}
	e := &source.InputError{Message: "no " + what + " in " + source.CutText(strings.Join(names, ", "))}
	if len(sources) == 1 {
		e = &source.InputError{File: sources[0].Name, Line: 1, Column: 1, Message: "no " + what + " in this file"}
	}
	return e
}

// Position is where something stands in the object's file; the object itself, where that is not known.
func (o *Object) Position(at Place) source.Position {
	if at.Line == 0 {
		at = Place{o.Line, o.Column}
	}
	return source.Position{File: o.File, Line: at.Line, Column: at.Column}
}

// SpecOf reads the spec of an object.
func SpecOf[T any](o *Object) (T, error) {
	var object struct {
		Spec T `kube:"spec"`
	}
	err := o.Decode(&object)
	return object.Spec, err
}
