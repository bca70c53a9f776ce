package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
)

func newCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check PATH...",
		Short: "Read policy files as serve would, and print every finding",
		Long: `Read policy files as serve would, and print every finding on standard output, sorted
by file and line. Each PATH is a file, a directory or - for standard input, and is a
policy set of its own.

As text a finding is one line, and below it, indented, stand the line of the file and
a caret under the place. The other formats are for programs: json, github (the
annotations of GitHub Actions) and sarif (SARIF 2.1.0).

With --fix the safe corrections are written to the files first: those without which a
file does not load, and that say what stands there in the right spelling. Guesses are
told and never written. Comments and layout stay as they are. What is left is printed.

The exit status is 0 if all of them load, 1 if findings keep one from loading, and
2 if one cannot be read or the command is called wrongly.`,
		Example: `  corsproc check policies.yaml
  corsproc check --strict policies/
  corsproc check --fix policies.yaml
  render-policies | corsproc check --format json -`,
		Args: takesSome("one PATH or several: policy files or directories"),
	}
	strict := cmd.Flags().Bool("strict", false, "count warnings as errors")
	fix := cmd.Flags().Bool("fix", false, "write the safe corrections to the files")
	format := addFormat(cmd, "text", "json", "github", "sarif")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		stdins := countOf(args, policydir.Stdin)
		if stdins > 1 {
			return errStdinTwice
		}
		if *fix && stdins > 0 {
			return errors.New("standard input (-) cannot be corrected in place")
		}
		c := checked{fix: *fix}
		for _, path := range args {
			c.check(path, cmd.InOrStdin())
		}
		slices.SortStableFunc(c.findings, func(a, b finding.Diagnostic) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		if err := c.write(cmd.OutOrStdout(), *format); err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		if c.failed != nil {
			return &exitError{status: exitUsage, err: c.failed}
		}
		if isTerminal(cmd.ErrOrStderr()) {
			fmt.Fprintln(cmd.ErrOrStderr(), c.summary())
		}
		if policyfile.HasErrors(c.findings) || *strict && count(c.findings, finding.Warning) > 0 {
			return &exitError{status: exitFailure}
		}
		return nil
	}
	return cmd
}

// checked is what was found in all paths.
type checked struct {
	fix bool

	files    []policyfile.File
	findings []finding.Diagnostic
	fixed    int
	failed   error // why paths cannot be read, or corrected; joined
}

// check looks at one path.
func (c *checked) check(path string, stdin io.Reader) {
	content, err := policydir.Read(path, stdin)
	if err != nil {
		c.failed = errors.Join(c.failed, err)
		return
	}
	collectSooner(content)
	var result *policyfile.Result
	if c.fix {
		content, result = c.correct(content)
	} else {
		result = content.Compile()
	}
	c.files = append(c.files, content.Files...)
	for _, f := range content.Origins {
		c.files = append(c.files, f.File)
	}
	c.findings = append(c.findings, result.Findings...)
}

// correct writes the safe corrections of a content and returns what its files hold then, and what became of that.
func (c *checked) correct(content *policyfile.Content) (*policyfile.Content, *policyfile.Result) {
	files, fixed, result := content.Fix()
	written := true
	for i, old := range content.Files {
		if bytes.Equal(old.Data, files[i].Data) {
			continue
		}
		if err := policydir.Rewrite(old, files[i].Data); err != nil {
			c.failed = errors.Join(c.failed, err)
			files[i], written = old, false
		}
	}
	c.fixed += fixed
	content = &policyfile.Content{Files: files, Origins: content.Origins}
	if !written {
		result = content.Compile()
	}
	return content, result
}

func (c *checked) write(w io.Writer, format string) error {
	switch format {
	case "json":
		return policyfile.WriteJSON(w, c.findings)
	case "github":
		return policyfile.WriteGitHub(w, c.findings)
	case "sarif":
		return policyfile.WriteSARIF(w, c.findings, buildVersion().GetVersion())
	}
	return policyfile.WriteAnnotated(w, c.findings, c.files, isColorful(w))
}

// summary says for people how it went.
func (c *checked) summary() string {
	s := "No findings."
	if len(c.findings) > 0 {
		s = fmt.Sprintf("Errors: %d, warnings: %d, hints: %d.",
			count(c.findings, finding.Error), count(c.findings, finding.Warning), count(c.findings, finding.Hint))
	}
	if c.fixed > 0 {
		s = fmt.Sprintf("Corrected: %d. %s", c.fixed, s)
	}
	return s
}

func count(findings []finding.Diagnostic, severity finding.Severity) int {
	n := 0
	for _, f := range findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

func countOf(list []string, s string) int {
	n := 0
	for _, item := range list {
		if item == s {
			n++
		}
	}
	return n
}
