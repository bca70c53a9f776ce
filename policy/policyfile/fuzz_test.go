package policyfile_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/corsproc/corsproc/policy/policyfile"
)

func FuzzRead(f *testing.F) {
	names, _ := filepath.Glob("testdata/*/*")
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, filepath.Ext(name) == ".json")
	}
	f.Add([]byte("virtual_hosts: [{name: \"\\0\", domains: [a], \"a\\0b\": c}]"), false)
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		name := "x.yaml"
		if isJSON {
			name = "x.json"
		}
		r := content(name, string(data)).Compile()
		if (r.Set == nil) != policyfile.HasErrors(r.Findings) {
			t.Fatalf("set %v with %v", r.Set, r.Findings)
		}
		// One more: the parser puts the value that is missing behind an explicit key (? a) at the end behind the end.
		lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 2
		for _, finding := range r.Findings {
			if finding.Code == "" || finding.Message == "" || finding.Severity == 0 {
				t.Errorf("says nothing: %v", finding)
			}
			if int(finding.Line) > lines || finding.Line < 1 || finding.Column < 1 {
				t.Errorf("at no place: %v", finding)
			}
		}
		for _, write := range []func(io.Writer) error{
			func(w io.Writer) error { return policyfile.WriteText(w, r.Findings) },
			func(w io.Writer) error { return policyfile.WriteJSON(w, r.Findings) },
		} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Error(err)
			}
			if bytes.IndexByte(b.Bytes(), 0x1b) >= 0 || bytes.Count(b.Bytes(), []byte("\n")) > max(1, len(r.Findings)) {
				t.Errorf("hostile output: %q", b.Bytes())
			}
		}
		if r.Set == nil {
			return
		}
		again := content("again.yaml", string(r.YAML())).Compile()
		if again.Set == nil || !bytes.Equal(again.YAML(), r.YAML()) {
			t.Errorf("written again:\n%s\n%s", r.YAML(), text(t, again))
		}
	})
}
