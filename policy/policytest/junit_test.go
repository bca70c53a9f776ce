package policytest_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/policytest"
)

// junitSchema is what the schema of Jenkins' xUnit plugin (junit-10.xsd) has of elements, with the attributes and the
// children that each may have; those with a star must be there. file and line of a test case are beyond it: they are what
// GitLab and GitHub read.
var junitSchema = map[string]struct{ attributes, children string }{
	"testsuites": {"name time tests failures errors", "testsuite"},
	"testsuite":  {"name* tests* failures* errors* group time skipped timestamp hostname id package file log url", "testsuite properties testcase system-out system-err"},
	"testcase":   {"name* time classname group file line", "skipped error failure system-out system-err"},
	"failure":    {"type message", ""},
	"error":      {"type message", ""},
}

// TestJUnit: a report of passed and failed tests and of files that cannot be run is well-formed and keeps the schema,
// whatever stands in the files.
func TestJUnit(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*")
	if err != nil {
		t.Fatal(err)
	}
	r := policytest.Run(append(names, "testdata/good", "-"), strings.NewReader(`policies: testdata/policies.yaml
tests:
  - name: "<&\"]]>\x01\e[31m\n\uFFFE é"
    fetch: {origin: "null", url: "https://other.example.com/<&]]>", virtual_host: "]]>\x01", headers: {X-A: "]]>\x02"}}
    expect: REFUSED
`))
	if f := r.Results.GetFiles(); len(f[len(f)-1].GetFindings()) > 0 {
		t.Fatal(f[len(f)-1].GetFindings())
	}
	var b bytes.Buffer
	if err := policytest.WriteJUnit(&b, r); err != nil {
		t.Fatal(err)
	}
	checkJUnit(t, b.Bytes())

	var report struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Cases []struct {
				Name    string `xml:"name,attr"`
				File    string `xml:"file,attr"`
				Line    int    `xml:"line,attr"`
				Failure struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	unrun := 0
	for _, f := range r.Results.GetFiles() {
		if len(f.GetFindings()) > 0 {
			unrun++
		}
	}
	if report.Tests != int(r.Results.GetPassed()+r.Results.GetFailed())+unrun || report.Failures != 1 || report.Errors != unrun || unrun < 20 {
		t.Errorf("%d tests, %d failures, %d errors", report.Tests, report.Failures, report.Errors)
	}
	last := report.Suites[len(report.Suites)-1].Cases[0]
	if last.Name != `<&"]]>\x01\x1b[31m\n\ufffe é` || last.File != "-" || last.Line != 3 {
		t.Errorf("%+v", last)
	}
	if last.Failure.Message != "expected refused, got undecided (passthrough)" || !strings.Contains(last.Failure.Text, `virtual host ]]>\x01`) {
		t.Errorf("%+v", last.Failure)
	}
}

// checkJUnit holds a report to the schema.
func checkJUnit(t *testing.T, data []byte) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(data))
	var open []string
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		switch token := token.(type) {
		case xml.StartElement:
			element, known := junitSchema[token.Name.Local]
			switch {
			case !known, len(open) == 0 && token.Name.Local != "testsuites":
				t.Errorf("the element %s", token.Name.Local)
			case len(open) > 0 && !slices.Contains(strings.Fields(junitSchema[open[len(open)-1]].children), token.Name.Local):
				t.Errorf("%s in %s", token.Name.Local, open[len(open)-1])
			}
			there := map[string]bool{}
			for _, a := range token.Attr {
				there[a.Name.Local] = true
			}
			for _, a := range strings.Fields(element.attributes) {
				name, required := strings.CutSuffix(a, "*")
				if required && !there[name] {
					t.Errorf("%s has no %s", token.Name.Local, name)
				}
				delete(there, name)
			}
			for name := range there {
				t.Errorf("%s has %s", token.Name.Local, name)
			}
			open = append(open, token.Name.Local)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}
