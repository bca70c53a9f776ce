package policyfile_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

var update = flag.Bool("update", false, "write testdata/bad.txt anew")

// TestBadFiles compiles every file of testdata/bad alone and compares all that is said of them, as people read it.
func TestBadFiles(t *testing.T) {
	codes := compareFindings(t, "bad", 30, func(r *policyfile.Result) bool { return r.Set == nil && policyfile.HasErrors(r.Findings) })
	for _, code := range []finding.Code{
		policyfile.CodeSyntax, policyfile.CodeEmptyFile, policyfile.CodeMultipleDocuments, policyfile.CodeUnknownKey,
		policyfile.CodeDuplicateKey, policyfile.CodeNullValue, policyfile.CodeWrongType, policyfile.CodeAlias,
		policyfile.CodeTag, policyfile.CodeUnknownValue, policyfile.CodeTestFile,
	} {
		if !codes[code] {
			t.Errorf("no file shows %s", code)
		}
	}
}

// TestWarnedFiles does the same with files that load, for their warnings and hints.
func TestWarnedFiles(t *testing.T) {
	codes := compareFindings(t, "warned", 1, func(r *policyfile.Result) bool { return r.Set != nil })
	for _, e := range policyfile.Catalogue {
		if e.Severity != finding.Error && !codes[e.Code] {
			t.Errorf("no file shows %s", e.Code)
		}
	}
}

// compareFindings compares what is said of the files of a folder with what stands beside it, and returns the codes. There
// are so many files at least, and each loads or does not, as is wanted.
func compareFindings(t *testing.T, folder string, least int, isWanted func(*policyfile.Result) bool) map[finding.Code]bool {
	t.Helper()
	names, err := filepath.Glob("testdata/" + folder + "/*")
	if err != nil || len(names) < least {
		t.Fatalf("%d files, %v", len(names), err)
	}
	var got bytes.Buffer
	codes := map[finding.Code]bool{}
	for _, name := range names {
		r := compileFile(t, name)
		if !isWanted(r) {
			t.Errorf("%s: there is a set: %t, and findings: %v", name, r.Set != nil, r.Findings)
		}
		for i := range r.Findings {
			f := &r.Findings[i]
			codes[f.Code] = true
			f.File = filepath.Base(f.File)
			if f.Related != nil {
				f.Related.File = f.File
			}
		}
		if err := policyfile.WriteText(&got, r.Findings); err != nil {
			t.Fatal(err)
		}
	}
	golden := "testdata/" + folder + ".txt"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); d != "" {
		t.Errorf("findings differ from %s (-want +got):\n%s", golden, d)
	}
	return codes
}

// TestShippedFiles: what people copy from here says nothing that could be better.
func TestShippedFiles(t *testing.T) {
	names, err := filepath.Glob("../../envoy/demo/policies.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range append(names, "testdata/good/example.yaml") {
		r := compileFile(t, name)
		if r.Set == nil || len(r.Findings) > 0 {
			t.Errorf("%s: %v", name, r.Findings)
		}
	}
}

func compileFile(t *testing.T, path string) *policyfile.Result {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content(path, string(data)).Compile()
}
