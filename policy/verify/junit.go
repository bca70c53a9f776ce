package verify

// Tested by cmd/corsproc/verifyoutput_test.go.

import (
	"encoding/xml"
	"io"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

// The elements of a JUnit report, as package policytest writes them: a suite for each place, a test case for each question.
type (
	junitReport struct {
		XMLName  xml.Name      `xml:"testsuites"`
		Name     string        `xml:"name,attr"`
		Tests    int           `xml:"tests,attr"`
		Failures int           `xml:"failures,attr"`
		Errors   int           `xml:"errors,attr"`
		Suites   []*junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
		Skipped *struct{}     `xml:"skipped"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",cdata"`
	}
)

// WriteJUnit writes the report for what reads JUnit's: a question that differs or has a finding is a failure, one without an
// answer an error, one that was not asked is skipped.
func (r *Report) WriteJUnit(w io.Writer) error {
	report := junitReport{Name: "corsproc verify"}
	suites := map[*Place]*junitSuite{}
	for _, p := range r.plan.Places {
		s := &junitSuite{Name: printable.Cut(p.URL() + " (" + p.Text + ")"), Time: "0"}
		suites[p] = s
		report.Suites = append(report.Suites, s)
	}
	for i, q := range r.plan.Questions {
		s, of := suites[q.Place], &r.results[i]
		c := junitCase{Name: printable.Cut(q.String()), Class: s.Name, Time: "0"}
		switch {
		case len(of.wrong) > 0:
			lines := make([]string, len(of.wrong))
			for k, line := range of.wrong {
				lines[k] = printable.Line(printable.Cut(line))
			}
			c.Failure = &junitProblem{lines[0], strings.Join(lines, "\n") + "\n"}
			s.Failures++
			report.Failures++
		case of.failure != "":
			c.Error = &junitProblem{Message: printable.Cut(of.failure)}
			s.Errors++
			report.Errors++
		case !of.answered:
			c.Skipped = &struct{}{}
			s.Skipped++
		}
		s.Tests++
		report.Tests++
		s.Cases = append(s.Cases, c)
	}
	data, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append([]byte(xml.Header), append(data, '\n')...))
	return err
}
