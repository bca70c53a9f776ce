package policyfile_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy/policyfile"
)

var update = flag.Bool("update", false, "write testdata/bad.txt anew")

// TestBadFiles compiles every file of testdata/bad alone and compares all that is said of them, as people read it.
func TestBadFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*")
	if err != nil || len(names) < 30 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	var got bytes.Buffer
	codes := map[string]bool{}
	for _, name := range names {
		r := compileFile(t, name)
		if r.Set != nil || !policyfile.HasErrors(r.Findings) {
			t.Errorf("%s: loads", name)
		}
		for _, f := range r.Findings {
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
	const golden = "testdata/bad.txt"
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
	for _, code := range []string{
		policyfile.CodeSyntax, policyfile.CodeEmptyFile, policyfile.CodeMultipleDocuments, policyfile.CodeUnknownKey,
		policyfile.CodeDuplicateKey, policyfile.CodeNullValue, policyfile.CodeWrongType, policyfile.CodeAlias,
		policyfile.CodeTag, policyfile.CodeUnknownValue,
	} {
		if !codes[code] {
			t.Errorf("no file shows %s", code)
		}
	}
}

func compileFile(t *testing.T, path string) *policyfile.Result {
	t.Helper()
	c, err := policyfile.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Compile()
}
