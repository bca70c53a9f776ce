package main

// Tested by import_test.go.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy/convert"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
)

func newImport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import KIND FILE...",
		Short: "Turn the CORS settings of another system into a policy file",
		Long: `Turn the CORS settings of another system into a policy file, on standard output: what
that system answers browsers, or tighter with a warning, never wider without one.

KIND is ` + strings.Join(convert.Kinds(), ", ") + `. Several FILEs form one
source, in any order; - is standard input, and of a directory the *.yaml, *.yml and
*.json are read.

What a policy file cannot say is a warning on standard error, and a comment at its
place in the output. The output loads; what the source allows is written as it is, and
corsproc check speaks of it.

The exit status is 0 if everything is carried over, 1 if something is lost or
tightened, and 2 if the command is called wrongly, a file is unreadable or invalid, or
none of them has an object of the kind; nothing is on standard output then.`,
		Example: `  corsproc import envoy envoy.yaml > policies.yaml
  curl -s localhost:9901/config_dump | corsproc import envoy - > policies.yaml
  corsproc import --format json envoy listeners.yaml routes.yaml 2> lost.json > policies.yaml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("import takes a KIND (%s) and one FILE or several, but was given %d", strings.Join(convert.Kinds(), ", "), len(args))
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return beginWith(start, convert.Kinds()), cobra.ShellCompDirectiveNoFileComp
			}
			return completePolicies(cmd, args, start)
		},
	}
	format := addFormat(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, files := args[0], args[1:]
		if !slices.Contains(convert.Kinds(), kind) {
			hint := ""
			if near := finding.Nearest(kind, slices.Values(convert.Kinds())); near != "" {
				hint = "; did you mean " + near + "?"
			}
			return fmt.Errorf("%q is no KIND that import knows; write %s%s", kind, strings.Join(convert.Kinds(), ", "), hint)
		}
		if countOf(files, policydir.Stdin) > 1 {
			return errStdinTwice
		}
		sources, err := readSources(cmd, files)
		if err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		result, err := convert.Convert(kind, sources)
		if err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		if _, err := cmd.OutOrStdout().Write(result.File); err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		findings := warningsOf(result)
		if *format == "json" {
			err = policyfile.WriteJSON(cmd.ErrOrStderr(), findings)
		} else {
			err = policyfile.WriteText(cmd.ErrOrStderr(), findings)
		}
		if err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		if len(findings) > 0 {
			return &exitError{status: exitFailure}
		}
		return nil
	}
	return cmd
}

// readSources reads the files of another system as policy files are read: bounded in size, and in how long a disk is
// waited for. What cannot be read is told of all of them.
func readSources(cmd *cobra.Command, paths []string) (sources []convert.Source, failed error) {
	size := 0
	for _, path := range paths {
		content, err := policydir.Read(path, cmd.InOrStdin())
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		collectSooner(content)
		for _, f := range content.Files {
			sources = append(sources, convert.Source{Name: f.Name, Data: f.Data})
			size += len(f.Data)
		}
		if size > convert.MaxBytes {
			break // Convert says so
		}
	}
	return sources, failed
}

// warningsOf returns what is lost as findings, as check writes them.
func warningsOf(result *convert.Result) []finding.Diagnostic {
	findings := make([]finding.Diagnostic, len(result.Warnings))
	for i, w := range result.Warnings {
		findings[i] = finding.Diagnostic{
			Severity: finding.Warning,
			Code:     finding.Code(w.Code),
			Position: finding.Position{
				File:   strings.ToValidUTF8(w.File, "\uFFFD"),
				Line:   int32(max(w.Line, 1)),
				Column: int32(max(w.Column, 1)),
				Field:  strings.ToValidUTF8(w.Field, "\uFFFD"),
			},
			Message: strings.ToValidUTF8(w.Message, "\uFFFD"),
		}
	}
	return findings
}
