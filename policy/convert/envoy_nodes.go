package convert

// Tested by golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/printable"
)

// An envoyFile reads the nodes of one file. Each is read where somebody asks for it: what CORS does not depend on is
// passed over, whatever it holds.
type envoyFile struct {
	name string
	left *int // how many nodes may be looked at, in all files: aliases of aliases can stand for more than memory could hold
}

// maxEnvoyNodes is far more than files of MaxBytes hold, and seconds of work.
const maxEnvoyNodes = 16_000_000

// eachEnvoyDocument calls use for the root of each document of a source.
func eachEnvoyDocument(s Source, use func(root *yaml.Node) error) error {
	data, err := kubernetesText(s)
	if err != nil {
		return err
	}
	r := kubernetesReader{parser: &kubernetesParser{file: s.Name, data: data}}
	return r.parser.documents(func(root *yaml.Node) error {
		if err := r.checkKeys(root); err != nil {
			return err
		}
		return use(root)
	})
}

func (f *envoyFile) position(n *yaml.Node) Position { return Position{f.name, n.Line, n.Column} }

// fault is an InputError about what stands at a node.
func (f *envoyFile) fault(n *yaml.Node, format string, args ...any) error {
	return &InputError{File: f.name, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)}
}

// look follows an alias, and counts.
func (f *envoyFile) look(n *yaml.Node) (*yaml.Node, error) {
	if *f.left--; *f.left < 0 {
		return nil, f.fault(n, "the aliases of the files stand for more than %d values", maxEnvoyNodes)
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias, nil
	}
	return n, nil
}

// An envoyEntry is a key of a mapping with its value.
type envoyEntry struct {
	key, value *yaml.Node
}

// An envoyMap is a mapping.
type envoyMap struct {
	file    *envoyFile
	at      *yaml.Node
	what    string // what it is, for people
	entries []envoyEntry
}

// mapping returns the entries of a mapping; those of merged ones (<<) behind its own.
func (f *envoyFile) mapping(n *yaml.Node, what string) (envoyMap, error) {
	m := envoyMap{file: f, at: n, what: what}
	return m, m.add(n, 0)
}

func (m *envoyMap) add(n *yaml.Node, depth int) error {
	at := n
	n, err := m.file.look(n)
	if err != nil {
		return err
	}
	if n.Kind != yaml.MappingNode {
		return m.file.fault(at, "%s is wanted here, not %s", m.what, nodeWord(n))
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := m.file.look(n.Content[i])
		if err != nil {
			return err
		}
		if key.Tag != "!!merge" {
			m.entries = append(m.entries, envoyEntry{key, n.Content[i+1]})
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		if depth > maxKubernetesDepth {
			return m.file.fault(at, "mappings are merged more than %d deep", maxKubernetesDepth)
		}
		from, err := m.file.look(n.Content[i+1])
		if err != nil {
			return err
		}
		each := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			each = from.Content
		}
		for _, n := range each {
			if err := m.merge(n, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge adds the entries of a mapping that m does not have.
func (m *envoyMap) merge(n *yaml.Node, depth int) error {
	other := envoyMap{file: m.file, what: m.what}
	if err := other.add(n, depth); err != nil {
		return err
	}
	has := make(map[string]bool, len(m.entries))
	for _, e := range m.entries {
		has[e.key.Value] = true
	}
	for _, e := range other.entries {
		if !has[e.key.Value] {
			m.entries = append(m.entries, e)
		}
	}
	return nil
}

// get returns the value of a field by its name in the proto, or by that in lowerCamelCase; nil: it is not there, or null.
func (m *envoyMap) get(name string) (found *yaml.Node, err error) {
	camel := lowerCamel(name)
	for _, e := range m.entries {
		if e.key.Value != name && e.key.Value != camel {
			continue
		}
		if found != nil {
			return nil, m.file.fault(e.key, "%s stands here as %s and as %s", name, name, camel)
		}
		found = e.value
	}
	if found == nil {
		return nil, nil
	}
	n, err := m.file.look(found)
	if err != nil || isNullNode(n) {
		return nil, err
	}
	return n, nil
}

// has reports whether one of some fields is there.
func (m *envoyMap) has(names ...string) bool {
	for _, name := range names {
		if n, err := m.get(name); n != nil || err != nil {
			return true
		}
	}
	return false
}

// child returns a field that is a mapping; ok: it is there.
func (m *envoyMap) child(name string) (c envoyMap, ok bool, err error) {
	n, err := m.get(name)
	if n == nil || err != nil {
		return envoyMap{}, false, err
	}
	c, err = m.file.mapping(n, name+", a mapping,")
	return c, err == nil, err
}

// within calls use for a field that is a mapping, where it is there.
func (m *envoyMap) within(name string, use func(envoyMap) error) error {
	c, ok, err := m.child(name)
	if !ok {
		return err
	}
	return use(c)
}

// list returns the elements of a field that is a list.
func (m *envoyMap) list(name string) ([]*yaml.Node, error) {
	n, err := m.get(name)
	if n == nil || err != nil {
		return nil, err
	}
	if n.Kind != yaml.SequenceNode {
		return nil, m.file.fault(n, "%s is a list, not %s", name, nodeWord(n))
	}
	return n.Content, nil
}

// children calls use for each mapping of a field that is a list of them.
func (m *envoyMap) children(name string, use func(envoyMap) error) error {
	elements, err := m.list(name)
	if err != nil {
		return err
	}
	for _, n := range elements {
		c, err := m.file.mapping(n, "a mapping, as the entries of "+name+" are,")
		if err != nil {
			return err
		}
		if err := use(c); err != nil {
			return err
		}
	}
	return nil
}

// text returns a field that is text.
func (m *envoyMap) text(name string) (string, error) {
	n, err := m.get(name)
	if n == nil || err != nil {
		return "", err
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool" {
		return "", m.file.fault(n, "%s is text, not %s", name, nodeWord(n))
	}
	return n.Value, m.file.filledIn(n)
}

// filledIn refuses text that a template is to fill in. Quotes make it YAML, and what it stands for would be lost.
func (f *envoyFile) filledIn(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "{{") {
		return f.fault(n, "%s", templateMessage)
	}
	return nil
}

// flag returns a field that is true or false.
func (m *envoyMap) flag(name string) (bool, error) {
	n, err := m.get(name)
	if n == nil || err != nil {
		return false, err
	}
	b, err := strconv.ParseBool(n.Value)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || err != nil {
		return false, m.file.fault(n, "%s is true or false, not %s", name, printable.Cut(strconv.Quote(n.Value)))
	}
	return b, nil
}

func (m *envoyMap) position() Position { return m.file.position(m.at) }

// positionOf returns where a field stands; without it, where the mapping does.
func (m *envoyMap) positionOf(name string) Position {
	if n, err := m.get(name); n != nil && err == nil {
		return m.file.position(n)
	}
	return m.position()
}

// packed returns a mapping that is packed as google.protobuf.Any, and the name of its message. TypedStruct is unpacked, too.
func (f *envoyFile) packed(n *yaml.Node) (typeName string, m envoyMap, err error) {
	m, err = f.mapping(n, "a mapping with @type")
	if err != nil {
		return "", m, err
	}
	url, err := m.text("@type")
	if err != nil {
		return "", m, err
	}
	name := url[strings.LastIndexByte(url, '/')+1:]
	if name != "udpa.type.v1.TypedStruct" && name != "xds.type.v3.TypedStruct" {
		return name, m, nil
	}
	if url, err = m.text("type_url"); err != nil {
		return "", m, err
	}
	value, ok, err := m.child("value")
	if err != nil {
		return "", m, err
	}
	if !ok {
		value = envoyMap{file: f, at: m.at, what: m.what}
	}
	return url[strings.LastIndexByte(url, '/')+1:], value, nil
}

// lowerCamel returns the JSON name of a field.
func lowerCamel(name string) string {
	var b strings.Builder
	up := false
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		b.WriteByte(c)
	}
	return b.String()
}

// jsonOf returns a node as JSON.
func (f *envoyFile) jsonOf(n *yaml.Node, depth int) (json.RawMessage, error) {
	at := n
	n, err := f.look(n)
	if err != nil {
		return nil, err
	}
	if depth > maxKubernetesDepth {
		return nil, f.fault(at, "lists and mappings are nested more than %d deep", maxKubernetesDepth)
	}
	var b []byte
	switch n.Kind {
	case yaml.MappingNode:
		b = append(b, '{')
		m, err := f.mapping(n, "a mapping")
		if err != nil {
			return nil, err
		}
		for i, e := range m.entries {
			value, err := f.jsonOf(e.value, depth+1)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, quoteJSON(e.key.Value)...), ':'), value...)
		}
		b = append(b, '}')
	case yaml.SequenceNode:
		b = append(b, '[')
		for i, c := range n.Content {
			value, err := f.jsonOf(c, depth+1)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, value...)
		}
		b = append(b, ']')
	default:
		b = scalarJSON(n)
	}
	return b, nil
}

func quoteJSON(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`) // no text has no JSON
	}
	return b
}

func scalarJSON(n *yaml.Node) []byte {
	switch n.Tag {
	case "!!null":
		return []byte("null")
	case "!!bool":
		if b, err := strconv.ParseBool(n.Value); err == nil {
			return strconv.AppendBool(nil, b)
		}
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return []byte(n.Value)
		}
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return strconv.AppendInt(nil, i, 10)
		}
	}
	return quoteJSON(n.Value)
}
