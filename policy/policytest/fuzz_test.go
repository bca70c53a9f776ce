package policytest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/policy/policytest"
)

// FuzzRun: whatever a test file holds, it is run or said what is wrong with it, and both can be shown in every format.
func FuzzRun(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*", "testdata/good/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	policies, err := filepath.Abs("testdata/policies.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// What is fuzzed are test files, not which files of the machine they name.
		if i := bytes.Index(data, []byte("policies:")); i >= 0 {
			_, rest, _ := bytes.Cut(data[i:], []byte("\n"))
			data = append(append(bytes.Clone(data[:i]), "policies: "+policies+"\n"...), rest...)
		}
		r := policytest.Run([]string{"-"}, bytes.NewReader(data))
		ran := r.Results.GetPassed() + r.Results.GetFailed()
		if (r.Err == nil) != (ran > 0) || (r.Err == nil) != (len(r.Findings) == 0) {
			t.Fatalf("%d tests ran, %d findings, error %v", ran, len(r.Findings), r.Err)
		}
		var text, xml, findings bytes.Buffer
		if err := policytest.WriteText(&text, r.Results, true, false); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(text.String(), func(c rune) bool { return c < ' ' && c != '\n' }); i >= 0 {
			t.Fatalf("a control character in %q", &text)
		}
		if err := policytest.WriteJUnit(&xml, r); err != nil {
			t.Fatal(err)
		}
		checkJUnit(t, xml.Bytes())
		if _, err := protojson.Marshal(r.Results); err != nil {
			t.Fatal(err)
		}
		if err := policyfile.WriteAnnotated(&findings, r.Findings, r.Files, false); err != nil {
			t.Fatal(err)
		}
	})
}
