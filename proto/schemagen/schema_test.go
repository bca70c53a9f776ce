package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

const root = "../../"

// compile compiles a schema of the repository; the compiler holds it against the meta-schema.
func compile(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("../" + file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(home+file, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(home + file)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// value reads YAML as an editor's schema support does.
func value(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Load([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestGoodFiles: what corsproc loads, an editor does not underline.
func TestGoodFiles(t *testing.T) {
	policies, tests := compile(t, "corsproc/v1/policies.schema.json"), compile(t, "corsproc/v1/policytest.schema.json")
	seen := 0
	valid := func(name string, schema *jsonschema.Schema, text string) {
		seen++
		if err := schema.Validate(value(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, pattern := range []string{"policy/policyfile/testdata/good/*.yaml", "envoy/demo/*.yaml"} {
		files, err := filepath.Glob(root + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			schema := policies
			if strings.HasSuffix(file, "_test.yaml") {
				schema = tests
			}
			valid(file, schema, string(data))
		}
	}
	pages, err := filepath.Glob(root + "docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, page := range append(pages, root+"README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?ms)^```yaml\n(# [a-z_]+\\.yaml\n.*?)^```$").FindAllStringSubmatch(string(text), -1) {
			shown++
			schema := policies
			if strings.Contains(block[1], "\ntests:") {
				schema = tests
			}
			valid(page, schema, block[1])
		}
	}
	if shown < 3 || seen < shown+3 {
		t.Errorf("only %d files, of which the pages show %d", seen, shown)
	}
}

// TestBadFiles: what is wrong in the form of a file is underlined.
func TestBadFiles(t *testing.T) {
	policies, tests := compile(t, "corsproc/v1/policies.schema.json"), compile(t, "corsproc/v1/policytest.schema.json")
	for _, text := range []string{
		"polices: {}",
		"policies: []",
		"policies: {a b: {}}",
		"policies: {none: {}}",
		"policies: {p: {allow_origins: https://a.example}}",
		"policies: {p: {allow_origins: [null]}}",
		"policies: {p: {allowOrigins: []}}",
		"policies: {p: {max_age: 7200}}",
		"policies: {p: {max_age: '7200'}}",
		"policies: {p: {max_age: 1.5h}}",
		"policies: {p: {preflight_status: 201}}",
		"policies: {p: {allow_credentials: 'yes'}}",
		"policies: {p: {dangerously_allow: [EVERYTHING]}}",
		"policies: {p: {dangerously_allow: [DANGEROUS_COMBINATION_ANY_ORIGIN_WITH_CREDENTIALS]}}",
		"policies: {p: null}",
		"policies: {p: {allow_methods: ['PUT, DELETE']}}",
		"policies: {p: {allow_headers: ['X-A:']}}",
		"policies: {p: {allow_origins: [a.example]}}",
		"policies: {p: {deny_origins: ['https://a.example/']}}",
		"origin_sets: {s: ['https://a.example/x']}",
		"default: {policies: [p, passthrough]}",
		"virtual_hosts: [{name: ''}]",
		"origin_sets: {s: {origins: []}}",
		"virtual_hosts: [{policies: [p]}]",
		"virtual_hosts: [{name: h, policies: []}]",
		"virtual_hosts: [{name: h, policies: {names: [p]}}]",
		"virtual_hosts: [{name: h, reject: REJECT_NEVER}]",
		"virtual_hosts: [{name: h, reject: UNSPECIFIED}]",
		"virtual_hosts: [{name: h, routes: [{policies: [p]}]}]",
		"virtual_hosts: [{name: h, routes: [{path: /a, prefix: /b}]}]",
		"virtual_hosts: [{name: h, routes: [{path: a}]}]",
		"virtual_hosts: [{name: h, routes: [{path_separated_prefix: /a/}]}]",
		"default: {name: h}",
	} {
		if policies.Validate(value(t, text)) == nil {
			t.Errorf("policies: %s: is valid", text)
		}
	}
	for _, text := range []string{
		"tests: [{name: a, fetch: {origin: 'null', url: https://a.example}, expect: ALLOWED}]",
		"policies: p.yaml",
		"{policies: p.yaml, tests: []}",
		"{policies: p.yaml, tests: [{name: a, fetch: {origin: 'null', url: https://a.example}}]}",
		"{policies: p.yaml, tests: [{name: a, fetch: {origin: 'null'}, expect: ALLOWED}]}",
		"{policies: p.yaml, tests: [{name: a, fetch: {origin: 'null', url: https://a.example}, expect: allowed}]}",
		"{policies: p.yaml, tests: [{name: a, fetch: {origin: 'null', url: https://a.example, headers: {A: 1}}, expect: ALLOWED}]}",
		"{policies: p.yaml, tests: [{name: a, fetch: {origin: 'null', url: https://a.example, credentials: some}, expect: ALLOWED}]}",
	} {
		if tests.Validate(value(t, text)) == nil {
			t.Errorf("tests: %s: is valid", text)
		}
	}
}

// TestCurrent: the schemas are what the generator makes of the descriptors that the program is built with, and every
// description in them stands in a .proto file.
func TestCurrent(t *testing.T) {
	request := &pluginpb.CodeGeneratorRequest{}
	var comments strings.Builder
	for _, d := range []protoreflect.FileDescriptor{
		corsprocv1.File_corsproc_v1_decision_proto, corsprocv1.File_corsproc_v1_explain_proto,
		corsprocv1.File_corsproc_v1_policy_proto, corsprocv1.File_corsproc_v1_policytest_proto,
	} {
		request.ProtoFile = append(request.ProtoFile, protodesc.ToFileDescriptorProto(d))
		request.FileToGenerate = append(request.FileToGenerate, d.Path())
		source, err := os.ReadFile("../" + d.Path())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(source)) {
			comments.WriteString(strings.TrimPrefix(strings.TrimSpace(line), "//") + " ")
		}
	}
	written := strings.Join(strings.Fields(comments.String()), " ")
	plugin, err := protogen.Options{}.New(proto.CloneOf(request))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range plugin.Files {
		for _, m := range file.Messages {
			f, ok := files[m.Desc.FullName()]
			if !ok {
				continue
			}
			seen++
			fresh, err := schemaOf(m, f)
			if err != nil {
				t.Fatal(err)
			}
			committed, err := os.ReadFile("../" + f.name)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(committed, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(fresh, &want); err != nil {
				t.Fatal(err)
			}
			undescribed(got, func(description string) {
				for paragraph := range strings.SplitSeq(description, "\n\n") {
					_, value, _ := strings.Cut(paragraph, ": ")
					if !strings.Contains(written, paragraph) && !strings.Contains(written, value) || paragraph == "" {
						t.Errorf("%s: no .proto file says %q", f.name, paragraph)
					}
				}
			})
			undescribed(want, func(string) {})
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s is not current: run make generate (-want +got):\n%s", f.name, d)
			}
		}
	}
	if seen != len(files) {
		t.Errorf("%d schemas", seen)
	}
}

// undescribed takes the descriptions out of a schema and hands each to see.
func undescribed(v any, see func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["description"].(string); ok {
			see(text)
			delete(v, "description")
		}
		for _, inner := range v {
			undescribed(inner, see)
		}
	case []any:
		for _, inner := range v {
			undescribed(inner, see)
		}
	}
}
