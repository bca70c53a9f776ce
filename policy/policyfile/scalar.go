package policyfile

// Tested by golden_test.go and testdata/bad.txt.

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// scalar returns the value of a field that is no message. It reports false where there is none to be had, and has
// refused what stands there.
func (w *walk) scalar(fd protoreflect.FieldDescriptor, n *yaml.Node) (protoreflect.Value, bool) {
	if !w.plainNode(n) {
		return protoreflect.Value{}, false
	}
	if isNull(n) {
		w.refuseNull(fd, n)
		return protoreflect.Value{}, false
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return w.text(fd, n)
	case protoreflect.BoolKind:
		return w.boolean(n)
	case protoreflect.Int32Kind:
		return w.integer(n)
	case protoreflect.EnumKind:
		return w.enum(fd.Enum(), n)
	}
	panic(fmt.Sprintf("%s: a kind of field that policy files do not have", fd.FullName()))
}

func (w *walk) refuseNull(fd protoreflect.FieldDescriptor, n *yaml.Node) {
	switch name := fd.Name(); {
	case n.Value != "" && n.Value != "~" && (name == "allow_origins" || name == "deny_origins" || name == "origins" || name == "origin"):
		w.refuse(n, CodeNullValue, n.Value+": this is YAML's null; the opaque origin is the text null, in quotes", `"null"`)
	case fd.IsList():
		w.refuse(n, CodeNullValue, "a value is missing here; leave the element out", "")
	default:
		w.refuse(n, CodeNullValue, "a value is missing here; leave the key out where there is nothing to say", "")
	}
}

func (w *walk) text(fd protoreflect.FieldDescriptor, n *yaml.Node) (protoreflect.Value, bool) {
	switch {
	case n.Kind != yaml.ScalarNode:
		w.refuse(n, CodeWrongType, "text is wanted here, not "+describe(n), "")
		return protoreflect.Value{}, false
	case n.Value == "" && isText(n) && !fd.IsList() && !fd.HasPresence() && !fd.ContainingMessage().IsMapEntry():
		// It would count as if it were not there.
		fix := ""
		if fd.Name() == "prefix" {
			fix = "/" // an empty prefix is one of every path
		}
		w.refuse(n, CodeNullValue, `"": this text is empty; leave the key out where there is nothing to say`, fix)
		return protoreflect.Value{}, false
	case isText(n):
	case fd.Name() == "max_age":
		// 7200 is no duration, quoted or not: the engine says so, and knows the fix.
	case fd.Name() == "credentials":
		// Of a test's fetch: true is no mode, quoted or not, and who runs it knows the modes.
	default:
		w.refuse(n, CodeWrongType, n.Value+": text is wanted here, not "+describe(n), `"`+n.Value+`"`)
	}
	return protoreflect.ValueOfString(n.Value), true
}

func (w *walk) boolean(n *yaml.Node) (protoreflect.Value, bool) {
	if n.Kind == yaml.ScalarNode {
		value := strings.ToLower(n.Value)
		switch value {
		case "yes", "y", "on":
			value = "true"
		case "no", "n", "off":
			value = "false"
		}
		switch {
		case value != "true" && value != "false":
		case n.Tag == "!!bool":
			return protoreflect.ValueOfBool(value == "true"), true
		default:
			w.refuse(n, CodeWrongType, literal(n)+": true or false is wanted here, not text", value)
			return protoreflect.ValueOfBool(value == "true"), true
		}
	}
	w.refuse(n, CodeWrongType, valued(n)+"true or false is wanted here, not "+describe(n), "")
	return protoreflect.Value{}, false
}

func (w *walk) integer(n *yaml.Node) (protoreflect.Value, bool) {
	i, err := strconv.ParseInt(n.Value, 10, 32)
	decimal := n.Kind == yaml.ScalarNode && err == nil && strconv.FormatInt(i, 10) == n.Value
	switch {
	case decimal && n.Tag == "!!int":
	case decimal:
		w.refuse(n, CodeWrongType, literal(n)+": a number is wanted here, not "+describe(n), n.Value)
	default:
		w.refuse(n, CodeWrongType, valued(n)+"a whole number of decimal digits is wanted here", "")
		return protoreflect.Value{}, false
	}
	return protoreflect.ValueOfInt32(int32(i)), true
}

// enum returns the value of an enum, which is written without the prefix that all values have in the proto. The zero
// value says that nothing is set, and cannot be written.
func (w *walk) enum(ed protoreflect.EnumDescriptor, n *yaml.Node) (protoreflect.Value, bool) {
	values := ed.Values()
	prefix := enumPrefix(ed)
	known := make([]string, 0, values.Len()-1)
	for i := 1; i < values.Len(); i++ {
		known = append(known, strings.TrimPrefix(string(values.Get(i).Name()), prefix))
	}
	number := func(name string) protoreflect.Value {
		return protoreflect.ValueOfEnum(values.ByName(protoreflect.Name(prefix + name)).Number())
	}
	if n.Kind != yaml.ScalarNode {
		w.refuse(n, CodeWrongType, "one of "+strings.Join(known, ", ")+" is wanted here, not "+describe(n), "")
		return protoreflect.Value{}, false
	}
	for _, name := range known {
		if n.Value == name && isText(n) {
			return number(name), true
		}
	}
	near, guess := nearest(strings.TrimPrefix(upperSnakeCase(n.Value), prefix), known)
	fix := near
	if guess {
		fix = ""
	}
	w.refuse(n, CodeUnknownValue, literal(n)+": unknown value; known here: "+strings.Join(known, ", "), fix)
	if near == "" {
		return protoreflect.Value{}, false
	}
	return number(near), true
}

// enumPrefix returns what all values of an enum begin with.
func enumPrefix(ed protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(ed.Values().ByNumber(0).Name()), "UNSPECIFIED")
}

// isText reports whether a scalar is text in YAML 1.2. Dates and a << that is no key are text there.
func isText(n *yaml.Node) bool {
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		return false
	}
	return true
}

// describe says what a node is.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!bool":
		return "a boolean"
	case n.Tag == "!!null":
		return "null"
	}
	return "text"
}

// literal shows a scalar as it could stand in a file.
func literal(n *yaml.Node) string {
	if isText(n) {
		return quote(n.Value)
	}
	return n.Value
}

// valued is the beginning of a message about a node: its value, if it is a scalar.
func valued(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	return literal(n) + ": "
}

// flowText writes a scalar as an element of a list in brackets.
func flowText(n *yaml.Node) string {
	if n.Value == "" || strings.ContainsAny(n.Value, `,[]{}"'#`) || strings.ContainsAny(n.Value[:1], "*&!|>%@`-? ") {
		return strconv.Quote(n.Value)
	}
	return n.Value
}
