package policytest

import (
	"bytes"
	"io"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/junit"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// WriteJUnit writes what came of test files as a JUnit report. A file whose tests cannot be run has one test case, with an
// error that says why.
func WriteJUnit(w io.Writer, report *Report) error {
	var suites []*junit.Suite
	for i, f := range report.Results.GetFiles() {
		s, err := suiteOf(f, report.unrun[i])
		if err != nil {
			return err
		}
		suites = append(suites, s)
	}
	return junit.Write(w, "corsproc test", suites)
}

func suiteOf(f *corsprocv1.TestFileResult, unrun []finding.Diagnostic) (*junit.Suite, error) {
	file := printable.Text(f.GetFile())
	s := &junit.Suite{Name: file, File: file}
	newCase := func(name string, line int32) junit.Case {
		return junit.Case{Name: name, Class: file, File: file, Line: &line}
	}
	if len(unrun) > 0 {
		var text bytes.Buffer
		if err := policyfile.WriteText(&text, unrun); err != nil {
			return s, err
		}
		line := int32(1)
		if unrun[0].File == f.GetFile() {
			line = unrun[0].Line
		}
		c := newCase("the tests can be run", line)
		c.Error = &junit.Problem{Type: string(unrun[0].Code), Message: printable.Cut(unrun[0].Message), Text: text.String()}
		s.Add(c)
	}
	for _, t := range f.GetTests() {
		c := newCase(printable.Cut(t.GetName()), t.GetAt().GetLine())
		if !t.GetPassed() {
			var text strings.Builder
			for _, line := range aboutFailure(t) {
				text.WriteString(line.String() + "\n")
			}
			c.Failure = &junit.Problem{
				Type:    t.GetGot(),
				Message: "expected " + withReason(t.GetExpected(), t.GetExpectedReason()) + ", got " + withReason(t.GetGot(), t.GetGotReason()),
				Text:    text.String(),
			}
		}
		s.Add(c)
	}
	return s, nil
}
