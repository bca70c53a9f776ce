package policyfile_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestWriteAnnotated points at places in lines of all kinds.
func TestWriteAnnotated(t *testing.T) {
	for _, c := range []struct {
		name, data   string
		line, column int32
		want         string // what follows the line of the finding
	}{
		{"plain", "a: 1\n  b: c\n", 2, 6, "      b: c\n         ^\n"},
		{"first column", "abc\n", 1, 1, "    abc\n    ^\n"},
		{"no line end", "abc", 1, 3, "    abc\n      ^\n"},
		{"behind the end", "abc\n", 1, 4, "    abc\n       ^\n"},
		{"CRLF", "a\r\nbc\r\n", 2, 2, "    bc\n     ^\n"},
		{"CR", "a\rbc\r", 2, 2, "    bc\n     ^\n"},
		{"byte order mark", "\uFEFFabc", 1, 2, "    abc\n     ^\n"},
		{"tabs", "\ta\tb\n", 1, 4, "     a b\n       ^\n"},
		{"wide and combining characters", "日本e\u0301x\n", 1, 5, "    日本e\u0301x\n         ^\n"},
		{"control characters and no UTF-8", "\x1b[31m\xffx\n", 1, 7, "    \uFFFD[31m\uFFFDx\n          ^\n"},
		{"an empty line", "a\n   \nb\n", 2, 1, ""},
		{"no such line", "a\n", 9, 1, ""},
		{"another file", "", 1, 1, ""},
		{"a long line", strings.Repeat("x", 100) + strings.Repeat("y", 100) + "\n", 1, 150,
			"    ..." + strings.Repeat("x", 11) + strings.Repeat("y", 100) + "\n    ..." + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := finding.Diagnostic{Severity: finding.Error, Position: finding.Position{File: "x.yaml", Line: c.line, Column: c.column}, Message: "m"}
			var b bytes.Buffer
			if err := policyfile.WriteAnnotated(&b, []finding.Diagnostic{f}, []policyfile.File{{Name: "x.yaml", Data: []byte(c.data)}}, false); err != nil {
				t.Fatal(err)
			}
			_, got, _ := strings.Cut(b.String(), "\n")
			if c.name == "a long line" {
				shown, caret, _ := strings.Cut(got, "\n")
				at := strings.Index(caret, "^")
				if len(shown) > 140 || !strings.HasPrefix(shown, "    ...") || at != 4+3+60 {
					t.Errorf("got\n%s", got)
				}
				return
			}
			if got != c.want {
				t.Errorf("got\n%q\nwant\n%q", got, c.want)
			}
		})
	}
}

// TestAnnotateColors: colours change nothing but colours.
func TestAnnotateColors(t *testing.T) {
	file := policyfile.File{Name: "x.yaml", Data: []byte("a: \x1b[31m\nb: c\n")}
	findings := []finding.Diagnostic{
		{Severity: finding.Error, Position: finding.Position{File: "x.yaml", Line: 1, Column: 4}, Message: "\x1b[2J"},
		{Severity: finding.Hint, Position: finding.Position{File: "x.yaml", Line: 2, Column: 4}, Message: "m"},
	}
	var plain, colored bytes.Buffer
	for w, color := range map[*bytes.Buffer]bool{&plain: false, &colored: true} {
		if err := policyfile.WriteAnnotated(w, findings, []policyfile.File{file}, color); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(colored.String(), "\x1b[1mx.yaml:2:4\x1b[0m: hint: m") ||
		!strings.Contains(colored.String(), "       \x1b[31m^\x1b[0m\n") {
		t.Errorf("plain %q, with colours %q", plain.String(), colored.String())
	}
	if stripped := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(colored.String(), ""); stripped != plain.String() {
		t.Errorf("with colours\n%s\nwithout\n%s", stripped, plain.String())
	}
}

// TestAnnotateOneLine: a file of one line is not walked through for each finding again.
func TestAnnotateOneLine(t *testing.T) {
	annotate := func(n int) string {
		data := bytes.Repeat([]byte("é,"), n*4<<10)
		var findings []finding.Diagnostic
		for i := range int32(n) {
			findings = append(findings, finding.Diagnostic{Position: finding.Position{File: "x.json", Line: 1, Column: 1 + i*8000}, Message: "m"})
		}
		var b bytes.Buffer
		if err := policyfile.WriteAnnotated(&b, findings, []policyfile.File{{Name: "x.json", Data: data}}, false); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if n := strings.Count(annotate(20), "^"); n != 20 {
		t.Errorf("%d carets", n)
	}
	growth.Hold(t, 100, func(n int) func() { return func() { annotate(n) } })
}

func TestWriteGitHub(t *testing.T) {
	var b bytes.Buffer
	if err := policyfile.WriteGitHub(&b, []finding.Diagnostic{
		{Severity: finding.Error, Code: "c-1", Position: finding.Position{File: "a,b:c%.yaml", Line: 3, Column: 4, Field: "policies.p"}, Message: "50%: m, n", Fix: "x"},
		{Severity: finding.Warning, Code: "c-2", Position: finding.Position{File: "a.yaml", Line: 1, Column: 1}, Message: "line\nbreak\r"},
		{Severity: finding.Hint, Code: "c-3", Position: finding.Position{File: "a\nb", Line: 1, Column: 1}, Message: "m", Related: &finding.Position{File: "d.yaml", Line: 5, Column: 6}},
	}); err != nil {
		t.Fatal(err)
	}
	const want = `::error file=a%2Cb%3Ac%25.yaml,line=3,col=4,title=c-1::policies.p: 50%25: m, n; write x
::warning file=a.yaml,line=1,col=1,title=c-2::line\nbreak\r
::notice file=a%0Ab,line=1,col=1,title=c-3::m (see d.yaml:5:6)
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestWriteSARIF holds what is written of every example of the catalogue, and of nothing, to the schema of SARIF 2.1.0
// (testdata/sarif).
func TestWriteSARIF(t *testing.T) {
	data, err := os.ReadFile("testdata/sarif/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("sarif.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []finding.Diagnostic
	for _, e := range policyfile.Catalogue {
		all = append(all, compileExample(e.Bad)...)
	}
	all = append(all,
		finding.Diagnostic{Severity: finding.Error, Code: "syntax", Position: finding.Position{File: "-", Line: 1, Column: 1}, Message: "m"},
		finding.Diagnostic{Severity: finding.Error, Code: "syntax", Position: finding.Position{File: "/etc/a b%c.yaml", Line: 1, Column: 1}, Message: "<m>"},
		finding.Diagnostic{Severity: finding.Error, Code: "syntax", Position: finding.Position{File: "a:b/é.yaml", Line: 1, Column: 1}, Message: "m"})
	for _, findings := range [][]finding.Diagnostic{nil, all} {
		var b bytes.Buffer
		if err := policyfile.WriteSARIF(&b, findings, "v1.2.3"); err != nil {
			t.Fatal(err)
		}
		log, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(log); err != nil {
			t.Errorf("%v", err)
		}
		var read struct {
			Runs []struct {
				Tool struct {
					Driver struct {
						Rules []struct{ ID string }
					}
				}
				Results []struct {
					RuleID    finding.Code
					RuleIndex int
					Level     string
					Message   struct{ Text string }
					Locations []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           struct{ StartLine, StartColumn int32 }
						}
					}
				}
			}
		}
		if err := json.Unmarshal(b.Bytes(), &read); err != nil {
			t.Fatal(err)
		}
		run := read.Runs[0]
		if len(run.Results) != len(findings) {
			t.Fatalf("%d results of %d findings", len(run.Results), len(findings))
		}
		level := map[finding.Severity]string{finding.Error: "error", finding.Warning: "warning", finding.Hint: "note"}
		for i, f := range findings {
			r := run.Results[i]
			place := r.Locations[0].PhysicalLocation
			if r.RuleID != f.Code || run.Tool.Driver.Rules[r.RuleIndex].ID != string(f.Code) || r.Level != level[f.Severity] ||
				place.Region.StartLine != f.Line || place.Region.StartColumn != f.Column || !strings.Contains(r.Message.Text, f.Fix) {
				t.Errorf("%v became %+v", f, r)
			}
		}
		if n := len(findings); n > 0 {
			for i, want := range []string{"-", "file:///etc/a%20b%25c.yaml", "./a:b/%C3%A9.yaml"} {
				if got := run.Results[n-3+i].Locations[0].PhysicalLocation.ArtifactLocation.URI; got != want {
					t.Errorf("the URI is %s, want %s", got, want)
				}
			}
		}
	}
}
