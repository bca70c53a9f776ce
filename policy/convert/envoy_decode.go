package convert

// Tested by golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/corsproc/corsproc/policy/printable"
)

// decode fills a message of Envoy's API from a mapping as strictly as Envoy does: an unknown field, a wrong type and what
// the API's rules refuse is an InputError at its place. A packed message (Any) stays empty: what CORS depends on has none
// in a place that is decoded.
func (m *envoyMap) decode(into protoreflect.Message) error {
	if err := m.fill(into); err != nil {
		return err
	}
	rules, ok := into.Interface().(interface{ Validate() error })
	if !ok {
		return nil
	}
	if err := rules.Validate(); err != nil {
		return m.file.fault(m.at, "Envoy refuses this: %s", printable.Cut(err.Error()))
	}
	return nil
}

func (m *envoyMap) fill(into protoreflect.Message) error {
	fields := into.Descriptor().Fields()
	for _, e := range m.entries {
		key := e.key.Value
		if key == "@type" {
			continue
		}
		fd := fields.ByName(protoreflect.Name(key))
		if fd == nil {
			fd = fields.ByJSONName(key)
		}
		switch {
		case fd == nil && removedFields[key] != "":
			return m.file.fault(e.key, "%s is of Envoy's API v2, which Envoy does not take any more: write %s", key, removedFields[key])
		case fd == nil:
			return m.file.fault(e.key, "%s has no field %s", into.Descriptor().Name(), printable.Cut(fmt.Sprintf("%q", key)))
		case into.Has(fd):
			return m.file.fault(e.key, "%s stands here a second time", fd.Name())
		case fd.ContainingOneof() != nil && into.WhichOneof(fd.ContainingOneof()) != nil:
			return m.file.fault(e.key, "%s stands here beside %s, and only one of them can", fd.Name(), into.WhichOneof(fd.ContainingOneof()).Name())
		}
		if err := m.field(into, fd, e.value); err != nil {
			return err
		}
	}
	return nil
}

// removedFields are what people bring along from Envoy's API v2, and what took its place.
var removedFields = map[string]string{
	"allow_origin": "allow_origin_string_match", "allowOrigin": "allowOriginStringMatch",
	"allow_origin_regex": "allow_origin_string_match with safe_regex", "allowOriginRegex": "allowOriginStringMatch with safeRegex",
	"enabled": "filter_enabled", "regex": "safe_regex",
}

func (m *envoyMap) field(into protoreflect.Message, fd protoreflect.FieldDescriptor, at *yaml.Node) error {
	n, err := m.file.look(at)
	if err != nil || isNullNode(n) {
		return err
	}
	switch {
	case fd.IsMap():
		return m.leaf(into, fd, at)
	case fd.IsList() && n.Kind != yaml.SequenceNode:
		return m.file.fault(at, "%s is a list, not %s", fd.Name(), nodeWord(n))
	case fd.IsList() && fd.Message() != nil:
		list := into.Mutable(fd).List()
		for _, c := range n.Content {
			element := list.NewElement()
			if err := m.message(element.Message(), fd, c); err != nil {
				return err
			}
			list.Append(element)
		}
		return nil
	case !fd.IsList() && fd.Message() != nil && !isJSONLeaf(fd.Message()):
		v := into.NewField(fd)
		if err := m.message(v.Message(), fd, at); err != nil {
			return err
		}
		into.Set(fd, v)
		return nil
	}
	return m.leaf(into, fd, at)
}

// message fills a message that is a field, or an element of one.
func (m *envoyMap) message(into protoreflect.Message, fd protoreflect.FieldDescriptor, at *yaml.Node) error {
	if into.Descriptor().FullName() == "google.protobuf.Any" {
		return nil
	}
	c, err := m.file.mapping(at, string(fd.Name())+", a mapping,")
	if err != nil {
		return err
	}
	return c.fill(into)
}

// isJSONLeaf reports whether a message has a JSON form of its own: BoolValue, Duration and their like.
func isJSONLeaf(md protoreflect.MessageDescriptor) bool {
	return md.FullName().Parent() == "google.protobuf" && md.Name() != "Any"
}

// leaf sets a field as protojson reads it.
func (m *envoyMap) leaf(into protoreflect.Message, fd protoreflect.FieldDescriptor, at *yaml.Node) error {
	value, err := m.file.jsonOf(at, 0)
	if err != nil {
		return err
	}
	if n, err := m.file.look(at); err != nil {
		return err
	} else if err := m.file.filledIn(n); err != nil {
		return err
	}
	one := into.New()
	text := append(append(append(append([]byte{'{'}, quoteJSON(string(fd.Name()))...), ':'), value...), '}')
	if err := protojson.Unmarshal(text, one.Interface()); err != nil {
		return m.file.fault(at, "%s is %s, not %s", fd.Name(), kindWord(fd), printable.Cut(string(value)))
	}
	if one.Has(fd) {
		into.Set(fd, one.Get(fd))
	}
	return nil
}

// kindWord says what a field is, for people.
func kindWord(fd protoreflect.FieldDescriptor) string {
	switch {
	case fd.Enum() != nil:
		var names []string
		for i := range fd.Enum().Values().Len() {
			names = append(names, string(fd.Enum().Values().Get(i).Name()))
		}
		return "one of " + strings.Join(names, ", ")
	case fd.IsList():
		return "a list of such"
	case fd.Kind() == protoreflect.StringKind:
		return "text (a number stands in quotes)"
	case fd.Kind() == protoreflect.BoolKind, fd.Message() != nil && fd.Message().Name() == "BoolValue":
		return "true or false"
	case fd.Message() != nil:
		return "a " + string(fd.Message().Name())
	}
	return "a number"
}
