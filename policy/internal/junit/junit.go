// Package junit writes reports in the form of JUnit, as far as the schemas of its many readers agree, with the attributes file
// and line of a test case, which those of GitLab, GitHub and CircleCI know. The time of a test is so little that it says 0.
//
// It knows nothing of what is reported. Its texts have to be fit to be shown.
package junit

// Tested by policy/policytest/junit_test.go and cmd/corsproc/verifyoutput_test.go.

import (
	"encoding/xml"
	"io"
)

// A Suite is a group of test cases.
type Suite struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  *int   `xml:"skipped,attr"` // nil: cases cannot be skipped, and none says so
	Time     int    `xml:"time,attr"`
	File     string `xml:"file,attr,omitempty"`
	Cases    []Case `xml:"testcase"`
}

// A Case is a test case. It passed where it has neither a failure nor an error, and was not skipped.
type Case struct {
	Name    string    `xml:"name,attr"`
	Class   string    `xml:"classname,attr"`
	File    string    `xml:"file,attr,omitempty"`
	Line    *int32    `xml:"line,attr"` // nil: it stands in no file
	Time    int       `xml:"time,attr"`
	Failure *Problem  `xml:"failure"`
	Error   *Problem  `xml:"error"`
	Skipped *struct{} `xml:"skipped"`
}

// A Problem is why a case did not pass.
type Problem struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",cdata"`
}

// Add adds a case to the suite, and counts it.
func (s *Suite) Add(c Case) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		*s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

// Write writes a report of suites.
func Write(w io.Writer, name string, suites []*Suite) error {
	report := struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Suites   []*Suite `xml:"testsuite"`
	}{Name: name, Suites: suites}
	for _, s := range suites {
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
