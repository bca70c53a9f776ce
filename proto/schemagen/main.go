// Command schemagen writes the JSON schemas by which editors check and complete policy files and policy test files. It is
// a plugin of buf generate: it gets the descriptors of proto/ with their comments, which become the descriptions, so that
// the .proto files stay the one place where a field is explained.
//
// A schema says what a file looks like: fields, types, values of enums, what is required. What a value means is only for
// the engine to judge (corsproc check). The form is that of policyfile's strict reading; the few rules that no descriptor
// holds are in rules.go. JSON Schema draft 7 is what every editor understands.
package main

// Tested by schema_test.go.

import (
	"encoding/json"
	"flag"
	"fmt"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"
)

// files are the schemas, by the message that a file is.
var files = map[protoreflect.FullName]schemaFile{
	"corsproc.v1.PolicySet":   {"corsproc/v1/policies.schema.json", "corsproc policy file"},
	"corsproc.v1.PolicyTests": {"corsproc/v1/policytest.schema.json", "corsproc policy test file"},
}

type schemaFile struct{ name, title string }

// home is where the schemas can be fetched from, in front of their paths.
const home = "https://raw.githubusercontent.com/corsproc/corsproc/main/proto/"

func main() {
	protogen.Options{ParamFunc: new(flag.FlagSet).Set}.Run(func(plugin *protogen.Plugin) error {
		plugin.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
		for _, file := range plugin.Files {
			for _, m := range file.Messages {
				out, ok := files[m.Desc.FullName()]
				if !ok || !file.Generate {
					continue
				}
				data, err := schemaOf(m, out)
				if err != nil {
					return err
				}
				if _, err := plugin.NewGeneratedFile(out.name, "").Write(data); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// schemaOf returns the schema of files that are one message.
func schemaOf(m *protogen.Message, f schemaFile) ([]byte, error) {
	g := generator{done: map[protoreflect.FullName]bool{}}
	root := object{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"$id", home + f.name}, {"title", f.title}}
	root = append(root, g.message(m)...)
	root = append(root, member{"definitions", g.definitions})
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Desc.FullName(), err)
	}
	return append(data, '\n'), nil
}

// generator collects the messages and enums that a schema refers to.
type generator struct {
	definitions object
	done        map[protoreflect.FullName]bool
}

// reference returns a reference to a message or an enum, which is defined at its first one.
func (g *generator) reference(name protoreflect.FullName, define func() object) object {
	short := string(name.Name())
	if !g.done[name] {
		g.done[name] = true
		i := len(g.definitions)
		g.definitions = append(g.definitions, member{short, nil})
		g.definitions[i].value = define()
	}
	return object{{"$ref", "#/definitions/" + short}}
}

// message returns the schema of a message: an object, or a list if a list is all it has.
func (g *generator) message(m *protogen.Message) object {
	s := object{{"description", text(m.Comments)}}
	if len(m.Fields) == 1 && m.Fields[0].Desc.IsList() {
		return append(s, g.field(m.Fields[0])...)
	}
	properties := object{}
	for _, f := range m.Fields {
		// Beside a reference draft 7 ignores everything, so that it goes into a list of its own.
		property := object{{"description", text(f.Comments)}}
		if of := g.field(f); of[0].key == "$ref" {
			property = append(property, member{"allOf", []object{of}})
		} else {
			property = append(property, of...)
		}
		properties = append(properties, member{string(f.Desc.Name()), property})
	}
	s = append(s, object{{"type", "object"}, {"additionalProperties", false}}...)
	s = append(s, rules[m.Desc.FullName()]...)
	return append(s, member{"properties", properties})
}

// field returns the schema of a field's value.
func (g *generator) field(f *protogen.Field) object {
	rule := rules[f.Desc.FullName()]
	switch {
	case f.Desc.IsMap():
		value := f.Message.Fields[1]
		return append(object{{"type", "object"}, {"additionalProperties", g.single(value, nil)}}, rule...)
	case f.Desc.IsList():
		return append(object{{"type", "array"}, {"items", g.single(f, items[f.Desc.FullName()])}}, rule...)
	}
	return g.single(f, rule)
}

// single returns the schema of one value.
func (g *generator) single(f *protogen.Field, rule object) object {
	switch {
	case f.Message != nil:
		return g.reference(f.Message.Desc.FullName(), func() object { return g.message(f.Message) })
	case f.Enum != nil:
		return g.reference(f.Enum.Desc.FullName(), func() object { return enum(f.Enum) })
	}
	kinds := map[protoreflect.Kind]string{
		protoreflect.StringKind: "string", protoreflect.BoolKind: "boolean", protoreflect.Int32Kind: "integer",
	}
	return append(object{{"type", kinds[f.Desc.Kind()]}}, rule...)
}

// enum returns the schema of an enum. Its values are written without the prefix that all have in the proto, and the zero
// value cannot be written.
func enum(e *protogen.Enum) object {
	prefix := strings.TrimSuffix(string(e.Values[0].Desc.Name()), "UNSPECIFIED")
	var values []string
	description := text(e.Comments)
	for _, v := range e.Values[1:] {
		name := strings.TrimPrefix(string(v.Desc.Name()), prefix)
		values = append(values, name)
		description += "\n\n" + name + ": " + text(v.Comments)
	}
	return object{{"description", description}, {"type", "string"}, {"enum", values}}
}

// text returns a leading comment with one line for each paragraph.
func text(c protogen.CommentSet) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(string(c.Leading), "\n\n") {
		paragraphs = append(paragraphs, strings.Join(strings.Fields(paragraph), " "))
	}
	return strings.TrimSpace(strings.Join(paragraphs, "\n\n"))
}
