package convert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestInvalidKubernetes runs the table of files that are refused as a whole, with the place and the reason.
func TestInvalidKubernetes(t *testing.T) {
	data, err := os.ReadFile("testdata/invalid.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Kind  string
		Name  string
		Input string
		Error string
	}
	if err := yaml.Load(data, &cases, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Kind+"/"+c.Name, func(t *testing.T) {
			_, err := Convert(c.Kind, []Source{{Name: "in.yaml", Data: []byte(c.Input)}})
			if e := (*InputError)(nil); !errors.As(err, &e) || e.Line == 0 {
				t.Fatalf("%v is no InputError with a line", err)
			}
			if err.Error() != c.Error {
				t.Errorf("it says\n%s\nand not\n%s", err, c.Error)
			}
		})
	}
}

// TestPagesNameCodes holds that the page about a kind explains every warning that its fixtures have.
func TestPagesNameCodes(t *testing.T) {
	for _, kind := range []string{"ingress-nginx", "istio"} {
		page, err := os.ReadFile("../../docs/import-" + kind + ".md")
		if err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join("testdata", kind, "*.want"))
		codes := map[string]bool{}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			warnings, _, _ := strings.Cut(string(data), "---\n")
			for line := range strings.Lines(warnings) {
				codes[line[strings.LastIndexByte(line, '[')+1:strings.LastIndexByte(line, ']')]] = true
			}
		}
		if len(codes) < 8 {
			t.Errorf("the fixtures of %s have only the warnings %v", kind, codes)
		}
		for code := range codes {
			if !strings.Contains(string(page), "`"+code+"`") {
				t.Errorf("docs/import-%s.md does not explain %s", kind, code)
			}
		}
	}
}

// TestFilesInAnyOrder holds that the order of FILEs, and a FILE that is given twice, change nothing.
func TestFilesInAnyOrder(t *testing.T) {
	for kind, names := range map[string][]string{"ingress-nginx": {"paths", "order-unknown", "hosts", "alias", "canary", "classes"}, "istio": {"delegates", "merged-unordered", "gateway", "several-hosts"}} {
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join("testdata", kind, name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var sources []Source
			for i, part := range strings.Split(string(data), "---\n") {
				sources = append(sources, Source{Name: string(rune('a'+i)) + ".yaml", Data: []byte(part)})
			}
			first, err := Convert(kind, sources)
			if err != nil {
				t.Fatal(err)
			}
			for i, j := 0, len(sources)-1; i < j; i, j = i+1, j-1 {
				sources[i], sources[j] = sources[j], sources[i]
			}
			again, err := Convert(kind, append(sources, Source{Name: "z.yaml", Data: sources[0].Data}))
			if err != nil {
				t.Fatal(err)
			}
			if string(first.Draft.Bytes()) != string(again.Draft.Bytes()) {
				t.Errorf("%s: it is\n%s\nand in another order\n%s", name, first.Draft.Bytes(), again.Draft.Bytes())
			}
		}
	}
}

// FuzzKubernetesKinds holds that what is made of any file loads, is the same each time, and has a place for every warning.
func FuzzKubernetesKinds(f *testing.F) {
	for _, pattern := range []string{"testdata/ingress-nginx/*.yaml", "testdata/istio/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []string{"ingress-nginx", "istio"} {
			r, err := Convert(kind, []Source{{Name: "f.yaml", Data: data}})
			if e := (*InputError)(nil); err != nil {
				if !errors.As(err, &e) {
					t.Fatalf("%s: %v", kind, err)
				}
				continue
			}
			text := r.Draft.Bytes()
			if c := (&policyfile.Content{Files: []policyfile.File{{Name: "p.yaml", Data: text}}}).Compile(); c.Set == nil {
				t.Fatalf("%s: it does not load:\n%s", kind, text)
			}
			again, err := Convert(kind, []Source{{Name: "f.yaml", Data: data}})
			if err != nil || string(again.Draft.Bytes()) != string(text) {
				t.Fatalf("%s: another time it is\n%s\n%v", kind, text, err)
			}
			for _, w := range r.Warnings {
				if w.File == "" || w.Line < 1 || w.Code == "" || w.Message == "" {
					t.Fatalf("%s: a warning without a place: %+v", kind, w)
				}
			}
		}
	})
}
