package policytest

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"

	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// The elements of a JUnit report, as far as the schemas of its many readers agree, with the attributes file and line of a
// test case, which those of GitLab, GitHub and CircleCI know. The time of a test is so little that it says 0.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		File     string      `xml:"file,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int32         `xml:"line,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
	}
	junitProblem struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",cdata"`
	}
)

// WriteJUnit writes results as a JUnit report. A file whose tests cannot be run has one test case, with an error that says
// why.
func WriteJUnit(w io.Writer, results *corsprocv1.TestResults) error {
	report := junitReport{Name: "corsproc test"}
	for _, f := range results.GetFiles() {
		s, err := suiteOf(f)
		if err != nil {
			return err
		}
		report.Suites = append(report.Suites, s)
		report.Tests += s.Tests
		report.Failures += s.Failures
		report.Errors += s.Errors
	}
	data, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append([]byte(xml.Header), append(data, '\n')...))
	return err
}

func suiteOf(f *corsprocv1.TestFileResult) (junitSuite, error) {
	file := printable.Text(f.GetFile())
	s := junitSuite{Name: file, File: file, Time: "0"}
	newCase := func(name string, line int32) junitCase {
		return junitCase{Name: name, Class: file, File: file, Line: line, Time: "0"}
	}
	if found := f.GetFindings(); len(found) > 0 {
		var text bytes.Buffer
		if err := policyfile.WriteText(&text, found); err != nil {
			return s, err
		}
		c := newCase("the tests can be run", 1)
		if found[0].GetFile() == f.GetFile() {
			c.Line = found[0].GetLine()
		}
		c.Error = &junitProblem{Type: found[0].GetCode(), Message: printable.Cut(found[0].GetMessage()), Text: text.String()}
		s.Cases, s.Errors = []junitCase{c}, 1
	}
	for _, t := range f.GetTests() {
		c := newCase(printable.Cut(t.GetName()), t.GetAt().GetLine())
		if !t.GetPassed() {
			var text strings.Builder
			for _, line := range aboutFailure(t) {
				text.WriteString(line.String() + "\n")
			}
			c.Failure = &junitProblem{
				Type:    t.GetGot(),
				Message: "expected " + withReason(t.GetExpected(), t.GetExpectedReason()) + ", got " + withReason(t.GetGot(), t.GetGotReason()),
				Text:    text.String(),
			}
			s.Failures++
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	return s, nil
}
