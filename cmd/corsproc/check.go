package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

func newCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check PATH...",
		Short: "Read policy files as serve would, and print every finding",
		Long: `Read policy files as serve would, and print every finding on standard output, one a
line, sorted by file and line. Each PATH is a file, a directory or - for standard
input, and is a policy set of its own.

The exit status is 0 if all of them load, 1 if findings keep one from loading, and
2 if one cannot be read or the command is called wrongly.`,
		Example: `  corsproc check policies.yaml
  corsproc check --strict policies/
  render-policies | corsproc check --format json -`,
		Args: cobra.MinimumNArgs(1),
	}
	strict := cmd.Flags().Bool("strict", false, "count warnings as errors")
	format := addFormat(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if countOf(args, policyfile.Stdin) > 1 {
			return errors.New("standard input (-) can be read only once")
		}
		findings, unreadable := checkAll(args, cmd.InOrStdin())
		write := policyfile.WriteText
		if *format == "json" {
			write = policyfile.WriteJSON
		}
		if err := write(cmd.OutOrStdout(), findings); err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		if unreadable != nil {
			return &exitError{status: exitUsage, err: unreadable}
		}
		if isTerminal(cmd.ErrOrStderr()) {
			fmt.Fprintln(cmd.ErrOrStderr(), summary(findings))
		}
		if policyfile.HasErrors(findings) || *strict && count(findings, policy.Warning) > 0 {
			return &exitError{status: exitFailure}
		}
		return nil
	}
	return cmd
}

// checkAll returns the findings of all paths, sorted by file, line and column, and, joined, why some cannot be read.
func checkAll(paths []string, stdin io.Reader) (findings []*corsprocv1.Finding, unreadable error) {
	for _, path := range paths {
		content, err := policyfile.Read(path, stdin)
		if err != nil {
			unreadable = errors.Join(unreadable, err)
			continue
		}
		findings = append(findings, content.Compile().Findings...)
	}
	slices.SortStableFunc(findings, func(a, b *corsprocv1.Finding) int {
		return cmp.Or(cmp.Compare(a.GetFile(), b.GetFile()), cmp.Compare(a.GetLine(), b.GetLine()), cmp.Compare(a.GetColumn(), b.GetColumn()))
	})
	return findings, unreadable
}

// summary says for people how it went.
func summary(findings []*corsprocv1.Finding) string {
	if len(findings) == 0 {
		return "No findings."
	}
	return fmt.Sprintf("Errors: %d, warnings: %d, hints: %d.",
		count(findings, policy.Error), count(findings, policy.Warning), count(findings, policy.Hint))
}

func count(findings []*corsprocv1.Finding, severity policy.Severity) int {
	n := 0
	for _, f := range findings {
		if f.GetSeverity() == severity.String() {
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
