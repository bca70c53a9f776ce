package policyfile

// Tested by formats_test.go.

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/printable"
)

// WriteGitHub writes the findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull
// request: errors as ::error, warnings as ::warning, hints as ::notice.
func WriteGitHub(w io.Writer, findings []finding.Diagnostic) error {
	var b bytes.Buffer
	for _, f := range findings {
		command := "notice"
		switch f.Severity {
		case finding.Error:
			command = "error"
		case finding.Warning:
			command = "warning"
		}
		fmt.Fprintf(&b, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", command,
			githubProperty.Replace(visibleLines(f.File)), f.Line, f.Column, githubProperty.Replace(string(f.Code)),
			githubData.Replace(sentence(f)))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// What the commands of GitHub Actions take for their own has to be escaped (actions/toolkit, packages/core,
// src/command.ts).
var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// visibleLines is printable.Text that leaves ends of lines to GitHub's own escapes: it knows files by their names.
func visibleLines(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "\r\n")
		if i < 0 {
			return b.String() + printable.Text(s)
		}
		b.WriteString(printable.Text(s[:i]) + s[i:i+1])
		s = s[i+1:]
	}
	return b.String()
}
