package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

var thing = GroupKind{"test.example", "Thing"}

// A thingSpec is what the tests read of objects.
type thingSpec struct {
	Spec struct {
		At    Place
		Text  Field[string]   `kube:"text"`
		Flag  Field[bool]     `kube:"flag"`
		Count Field[int64]    `kube:"count"`
		There Field[Anything] `kube:"there"`
		Texts []Field[string] `kube:"texts"`
		Inner *struct {
			Text Field[string] `kube:"text"`
		} `kube:"inner"`
		Inners []struct {
			Text Field[string] `kube:"text"`
		} `kube:"inners"`
	} `kube:"spec"`
}

// TestKubernetesObjects runs the table of what is read of files.
func TestKubernetesObjects(t *testing.T) {
	data, err := os.ReadFile("testdata/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name    string
		File    string
		Input   string
		Objects []string
		Error   string
	}
	if err := yaml.Load(data, &cases, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			file := c.File
			if file == "" {
				file = "in.yaml"
			}
			got, err := describeThings(source.Source{Name: file, Data: []byte(c.Input)})
			message := ""
			if err != nil {
				if e := (*source.InputError)(nil); !errors.As(err, &e) {
					t.Errorf("%T is no InputError", err)
				}
				message = err.Error()
			}
			if message != c.Error {
				t.Errorf("error:\n%s\nwant:\n%s", message, c.Error)
			}
			if got, want := strings.Join(got, "\n"), strings.Join(c.Objects, "\n"); got != want {
				t.Errorf("objects:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// describeThings reads files and says what was read, each value with its place.
func describeThings(sources ...source.Source) ([]string, error) {
	objects, err := Read(sources, thing)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, o := range objects {
		var s thingSpec
		if err := o.Decode(&s); err != nil {
			return nil, err
		}
		line := fmt.Sprintf("%s %s:%d:%d", o.Name(), o.version, o.Line, o.Column)
		add := func(name string, value any, l, c int) {
			if l > 0 {
				line += fmt.Sprintf(" %s=%v@%d:%d", name, value, l, c)
			}
		}
		for _, a := range o.Meta.Annotations {
			add("@"+a.Key, fmt.Sprintf("%q", a.Value), a.Line, a.Column)
		}
		text := func(name string, f Field[string]) { add(name, fmt.Sprintf("%q", f.Value), f.Line, f.Column) }
		text("text", s.Spec.Text)
		add("flag", s.Spec.Flag.Value, s.Spec.Flag.Line, s.Spec.Flag.Column)
		add("count", s.Spec.Count.Value, s.Spec.Count.Line, s.Spec.Count.Column)
		add("there", s.Spec.There.Value, s.Spec.There.Line, s.Spec.There.Column)
		for _, f := range s.Spec.Texts {
			text("texts", f)
		}
		if s.Spec.Inner != nil {
			line += " inner"
			text("inner.text", s.Spec.Inner.Text)
		}
		for _, i := range s.Spec.Inners {
			text("inners.text", i.Text)
		}
		out = append(out, line)
	}
	return out, nil
}

// TestKubernetesBounds holds that hostile files end in an error, not in memory or time.
func TestKubernetesBounds(t *testing.T) {
	bomb := "apiVersion: test.example/v1\nkind: Thing\nmetadata: {name: a}\nx0: &x0 {text: a}\nx: \n"
	for i := 1; i < 9; i++ {
		bomb += fmt.Sprintf("x%d: &x%d {<<: [%s]}\n", i, i, strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 20))
	}
	bomb += "spec: *x8\n"
	for _, c := range []struct {
		name  string
		input []byte
		want  string
	}{
		{"aliases of aliases", []byte(bomb), "values, those that aliases stand for included"},
		{"an alias in itself", []byte("apiVersion: test.example/v1\nkind: Thing\nspec: &a\n  inner: *a\n  inners: [*a]\n  <<: *a\n"), "nested more than"},
		{"nested lists", bytes.Repeat([]byte("["), 1_000_000), "nested more than 100 deep"},
		{"nested JSON", []byte(strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000)), "nested more than 100 deep"},
		{"many values", bytes.Repeat([]byte("a,"), source.MaxKubernetesValues+1), "more than 4000000 lines and values"},
		{"many lists", []byte("a: [" + strings.Repeat("[[[[]]]],", 1_100_000)), "more than 4000000 lists and mappings"},
		{"braces without end", bytes.Repeat([]byte("{a: b, "), 300_000), "nested more than 100 deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := describeThings(source.Source{Name: "in.yaml", Data: c.input})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestKubernetesFormats holds that one object is read alike in every form that Kubernetes has for it.
func TestKubernetesFormats(t *testing.T) {
	const plain = "apiVersion: test.example/v1\nkind: Thing\nmetadata:\n  name: a\nspec:\n  text: \"\\U0001F600 / é\"\n  count: 3\n"
	asJSON := func(escape bool) []byte {
		var v any
		if err := yaml.Load([]byte(plain), &v); err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(v, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if escape {
			b = bytes.ReplaceAll(b, []byte("\U0001F600"), []byte(`\ud83d\ude00`))
			b = bytes.ReplaceAll(b, []byte("/"), []byte(`\/`))
		}
		return b
	}
	forms := map[string][]byte{
		"CRLF":           []byte(strings.ReplaceAll(plain, "\n", "\r\n")),
		"CR":             []byte(strings.ReplaceAll(plain, "\n", "\r")),
		"BOM":            []byte("\uFEFF" + plain),
		"documents":      []byte("# c\n---\n---\n# nothing\n---\n" + plain + "...\n---\n"),
		"directive":      []byte("%YAML 1.2\n---\n" + plain),
		"JSON":           asJSON(false),
		"escaped JSON":   asJSON(true),
		"JSON beside":    append([]byte("a: b\n---\n"), asJSON(true)...),
		"JSON on a mark": append([]byte("--- "), bytes.ReplaceAll(asJSON(false), []byte("\t"), []byte(" "))...),
		"JSON List":      []byte(`{"kind":"List","apiVersion":"v1","items":[` + string(asJSON(true)) + `]}`),
	}
	values := func(data []byte) string {
		got, err := describeThings(source.Source{Name: "in", Data: data})
		if err != nil || len(got) != 1 {
			t.Fatalf("%q: %v, %v", data, got, err)
		}
		var out []string
		for _, f := range strings.Fields(got[0]) {
			f, _, _ = strings.Cut(f, "@")
			out = append(out, f)
		}
		return strings.Join(append(out[:1:1], out[2:]...), " ")
	}
	want := values([]byte(plain))
	for name, data := range forms {
		t.Run(name, func(t *testing.T) {
			if got := values(data); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func FuzzKubernetes(f *testing.F) {
	data, err := os.ReadFile("testdata/kubernetes.yaml")
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ Input string }
	if err := yaml.Load(data, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add([]byte(c.Input))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := bytes.Count(data, []byte{'\n'}) + bytes.Count(data, []byte{'\r'}) + 2
		objects, err := Read([]source.Source{{Name: "f", Data: data}}, thing)
		if e := (*source.InputError)(nil); err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Column < 1) {
			t.Fatalf("an error without a place: %v", err)
		}
		for _, o := range objects {
			var s thingSpec
			if err := o.Decode(&s); err == nil && s.Spec.Text.Line > lines*2 {
				t.Fatalf("line %d of %d", s.Spec.Text.Line, lines)
			}
		}
	})
}
