package kube

// Tested by kube_test.go.

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

// A Field is a scalar of a file with its place. What is not there, or null, has line 0: to Kubernetes both are the same.
type Field[T string | bool | int64 | Anything] struct {
	Value T
	Place
}

// Set reports whether the field is there.
func (f Field[T]) Set() bool { return f.Line > 0 }

// Anything is the value of a field of which only counts that it is there, and whether anything is in it.
type Anything struct{ Empty bool }

// A Place is where something stands, from 1, in characters; 0: it is not there. In a struct that is decoded it is where
// the mapping stands, and is filled in without being named.
type Place struct{ Line, Column int }

// A Entry is an entry of a mapping of text to text.
type Entry struct {
	Key   string
	Value string
	Place // of the value
}

// Entries is a mapping of text to text (labels, annotations) in the order of the file.
type Entries []Entry

// Get returns the entry of a key as a field.
func (e Entries) Get(key string) Field[string] {
	for _, entry := range e {
		if entry.Key == key {
			return Field[string]{entry.Value, entry.Place}
		}
	}
	return Field[string]{}
}

// maxDecodedValues bounds what is looked at in all: aliases of aliases can stand for more than memory could hold.
const maxDecodedValues = 16_000_000

// kubernetesDecoding counts what was decoded.
type kubernetesDecoding struct{ left int }

func newKubernetesDecoding() *kubernetesDecoding { return &kubernetesDecoding{left: maxDecodedValues} }

// Decode reads a mapping into a struct, whose fields have the tag `kube:"name"` and are
//
//   - field[string], field[bool], field[int64]: a scalar of that type,
//   - field[anything]: whatever it is,
//   - a struct, or a pointer to one, which is nil if the field is not there: a mapping,
//   - Entries: a mapping of text to text,
//   - a map of text to one of these: a mapping,
//   - a slice of these, or of *yaml.Node: a list,
//   - Place, without a tag: where the mapping stands.
//
// Keys without a field are passed over, as an API server does it that was not asked to be strict. A value of another
// type, a list that has null in it, and text with {{ in it are InputErrors; in Entries the latter is for those
// who know which entries count ([Object.annotation]). Aliases and merge keys are followed.
func (d *kubernetesDecoding) decode(file string, n *yaml.Node, into any) error {
	w := decodeWalk{d: d, file: file}
	return w.value(n, reflect.ValueOf(into).Elem(), 0)
}

// A decodeWalk reads one value.
type decodeWalk struct {
	d    *kubernetesDecoding
	file string
	path []string // for messages
}

func (w *decodeWalk) fault(n *yaml.Node, message string) error {
	at := source.TextPosition{Line: n.Line, Column: n.Column}
	var path strings.Builder
	for _, p := range w.path {
		if path.Len() > 0 && !strings.HasPrefix(p, "[") {
			path.WriteByte('.')
		}
		path.WriteString(p)
	}
	if path.Len() > 0 {
		message = path.String() + ": " + message
	}
	return &source.InputError{File: w.file, Line: at.Line, Column: at.Column, Message: message}
}

func (w *decodeWalk) within(name string, f func() error) error {
	w.path = append(w.path, name)
	err := f()
	w.path = w.path[:len(w.path)-1]
	return err
}

// step counts a value and follows an alias.
func (w *decodeWalk) step(n *yaml.Node, depth int) (*yaml.Node, error) {
	if w.d.left--; w.d.left < 0 {
		return nil, w.fault(n, fmt.Sprintf("there are more than %d values, those that aliases stand for included", maxDecodedValues))
	}
	if depth > source.MaxKubernetesDepth {
		return nil, w.fault(n, fmt.Sprintf("lists and mappings are nested more than %d deep", source.MaxKubernetesDepth))
	}
	for range source.MaxKubernetesDepth {
		if n.Kind != yaml.AliasNode {
			return n, nil
		}
		if n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return nil, w.fault(n, "an alias that leads nowhere")
}

var (
	nodeType  = reflect.TypeFor[*yaml.Node]()
	placeType = reflect.TypeFor[Place]()
)

func (w *decodeWalk) value(written *yaml.Node, into reflect.Value, depth int) error {
	n, err := w.step(written, depth)
	if err != nil {
		return err
	}
	if into.Type() == nodeType {
		into.Set(reflect.ValueOf(n))
		return nil
	}
	if source.IsNullNode(n) {
		return nil
	}
	switch f := into.Addr().Interface().(type) {
	case *Field[string]:
		f.Value, err = w.text(n)
		f.Line, f.Column = written.Line, written.Column
		if err == nil && strings.Contains(f.Value, "{{") {
			err = w.fault(n, source.TemplateMessage)
		}
		return err
	case *Field[bool]:
		f.Value, err = w.flag(n)
		f.Line, f.Column = written.Line, written.Column
		return err
	case *Field[int64]:
		f.Value, err = w.number(n)
		f.Line, f.Column = written.Line, written.Column
		return err
	case *Field[Anything]:
		f.Value.Empty = n.Kind != yaml.ScalarNode && len(n.Content) == 0
		f.Line, f.Column = written.Line, written.Column
		return nil
	case *Entries:
		*f, err = w.entries(n, depth)
		return err
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return w.value(n, into.Elem(), depth)
	case reflect.Slice:
		return w.list(n, into, depth)
	case reflect.Map:
		return w.table(n, into, depth)
	}
	return w.mapping(n, into, depth)
}

func (w *decodeWalk) list(n *yaml.Node, into reflect.Value, depth int) error {
	if n.Kind != yaml.SequenceNode {
		return w.wrongType(n, "a list")
	}
	into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		err := w.within("["+strconv.Itoa(i)+"]", func() error {
			if source.IsNullNode(c) && into.Type().Elem() != nodeType {
				return w.fault(c, "null stands in the list")
			}
			return w.value(c, into.Index(i), depth+1)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *decodeWalk) mapping(n *yaml.Node, into reflect.Value, depth int) error {
	if n.Kind != yaml.MappingNode {
		return w.wrongType(n, "a mapping")
	}
	t := into.Type()
	for i := range t.NumField() {
		if t.Field(i).Type == placeType {
			into.Field(i).Set(reflect.ValueOf(Place{n.Line, n.Column}))
		}
	}
	return w.eachKey(n, depth, func(key string, value *yaml.Node) error {
		for i := range t.NumField() {
			if key != "" && t.Field(i).Tag.Get("kube") == key {
				return w.within(key, func() error { return w.value(value, into.Field(i), depth+1) })
			}
		}
		return nil
	})
}

// table fills a map.
func (w *decodeWalk) table(n *yaml.Node, into reflect.Value, depth int) error {
	if n.Kind != yaml.MappingNode {
		return w.wrongType(n, "a mapping")
	}
	into.Set(reflect.MakeMap(into.Type()))
	return w.eachKey(n, depth, func(key string, value *yaml.Node) error {
		return w.within(key, func() error {
			v := reflect.New(into.Type().Elem()).Elem()
			err := w.value(value, v, depth+1)
			into.SetMapIndex(reflect.ValueOf(key), v)
			return err
		})
	})
}

// eachKey calls use for each key of a mapping, those included that it is merged with: its own count before those, and of
// these the first (https://yaml.org/type/merge.html).
func (w *decodeWalk) eachKey(n *yaml.Node, depth int, use func(key string, value *yaml.Node) error) error {
	if !hasMergeKey(n) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, err := w.step(n.Content[i], depth)
			if err != nil {
				return err
			}
			if err := use(key.Value, n.Content[i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	return w.mergedKeys(n, depth, map[string]bool{}, use)
}

func (w *decodeWalk) mergedKeys(n *yaml.Node, depth int, seen map[string]bool, use func(key string, value *yaml.Node) error) error {
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := w.step(n.Content[i], depth)
		if err != nil {
			return err
		}
		value := n.Content[i+1]
		if isMergeKey(key) {
			merged = append(merged, value)
			continue
		}
		if seen[key.Value] {
			continue
		}
		seen[key.Value] = true
		if err := use(key.Value, value); err != nil {
			return err
		}
	}
	for _, m := range merged {
		from, err := w.step(m, depth+1)
		if err != nil {
			return err
		}
		parts := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			parts = from.Content
		}
		for _, part := range parts {
			part, err := w.step(part, depth+1)
			if err != nil {
				return err
			}
			if part.Kind != yaml.MappingNode {
				return w.fault(m, "<< merges a mapping, or a list of them")
			}
			if err := w.mergedKeys(part, depth+1, seen, use); err != nil {
				return err
			}
		}
	}
	return nil
}

func hasMergeKey(n *yaml.Node) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if isMergeKey(n.Content[i]) {
			return true
		}
	}
	return false
}

func isMergeKey(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "<<" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 &&
		n.Tag != "!!str"
}

func (w *decodeWalk) entries(n *yaml.Node, depth int) (Entries, error) {
	if n.Kind != yaml.MappingNode {
		return nil, w.wrongType(n, "a mapping of text to text")
	}
	var entries Entries
	err := w.eachKey(n, depth, func(key string, value *yaml.Node) error {
		return w.within(key, func() error {
			v, err := w.step(value, depth+1)
			if err != nil || source.IsNullNode(v) {
				return err // null: the API server takes it for ""; nobody writes it for that
			}
			text, err := w.text(v)
			entries = append(entries, Entry{key, text, Place{value.Line, value.Column}})
			return err
		})
	})
	return entries, err
}

func (w *decodeWalk) text(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" && n.Tag != "!!timestamp" { // Kubernetes takes a date for text
		return "", w.wrongType(n, "text")
	}
	if _, isFlag := yamlFlag(n); isFlag {
		return "", w.fault(n, fmt.Sprintf("text is wanted, and %s without quotes is true or false to Kubernetes; write %q", n.Value, n.Value))
	}
	return n.Value, nil
}

// yamlFlag is what a plain scalar means in YAML 1.1, which is what Kubernetes reads.
func yamlFlag(n *yaml.Node) (value, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0 {
		return false, false
	}
	switch n.Value {
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		return true, true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

func (w *decodeWalk) flag(n *yaml.Node) (bool, error) {
	value, ok := yamlFlag(n)
	if !ok {
		return false, w.wrongType(n, "true or false")
	}
	return value, nil
}

func (w *decodeWalk) number(n *yaml.Node) (int64, error) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!int" {
		if v, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64); err == nil {
			return v, nil
		}
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!float" {
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
	}
	return 0, w.wrongType(n, "a whole number")
}

func (w *decodeWalk) wrongType(n *yaml.Node, wanted string) error {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Kind == yaml.MappingNode { // {{ … }}
		return w.fault(n, source.TemplateMessage)
	}
	is := source.NodeWord(n)
	if wanted == "text" && n.Kind == yaml.ScalarNode && len(n.Value) < 100 {
		is += fmt.Sprintf("; write %q", n.Value)
	}
	return w.fault(n, wanted+" is wanted, and this is "+is)
}

// Annotation returns an annotation of the object. A template in it is an InputError.
func (o *Object) Annotation(key string) (Field[string], error) {
	f := o.Meta.Annotations.Get(key)
	if strings.Contains(f.Value, "{{") {
		return f, o.Fault(f.Place, "metadata.annotations."+key+": "+source.TemplateMessage)
	}
	return f, nil
}
