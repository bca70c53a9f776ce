package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

func newDiff() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell who gains and who loses what, and where, between two policy sets",
		Long: `Tell who gains and who loses what, and where, when the policy set NEW takes the place
of OLD. Each is a file, a directory or - for standard input.

What is compared is what browsers are granted, not what is written: order, names of
policies, splitting into files and origin sets, the case of header names, and methods
and headers that need no permission make no difference. Expressions are compared as
text. Candidates, and policies that only Envoy's metadata names, are not looked at.

The exit status is 0 if both grant the same, 1 if they differ, and 2 if the command is
called wrongly or a policy file is bad.`,
		Example: `  corsproc diff policies.yaml new.yaml
  git show main:policies.yaml | corsproc diff - policies.yaml`,
		Args: takes(2, "two policy sets, OLD and NEW"),
	}
	format := addFormat(cmd, "text", "json")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completePolicies(cmd, args, start)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if countOf(args, policydir.Stdin) > 1 {
			return errStdinTwice
		}
		before, errBefore := loadPolicies(args[0], cmd.InOrStdin(), cmd.ErrOrStderr())
		after, errAfter := loadPolicies(args[1], cmd.InOrStdin(), cmd.ErrOrStderr())
		if err := errors.Join(errBefore, errAfter); err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		diff := &corsprocv1.Diff{Differences: policy.Diff(before.Set, after.Set)}
		var err error
		if out := cmd.OutOrStdout(); *format == "json" {
			err = writeMessage(out, diff, leftOut)
		} else {
			err = writeDiff(out, diff, isColorful(out))
		}
		if err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		if len(diff.GetDifferences()) > 0 {
			return &exitError{status: exitFailure}
		}
		return nil
	}
	return cmd
}

// maxPlaces is how many places are named where the same changes at many.
const maxPlaces = 10

// writeDiff writes a difference for people: the places, and under them a line for each change.
func writeDiff(w io.Writer, diff *corsprocv1.Diff, color bool) error {
	var b bytes.Buffer
	for i, d := range diff.GetDifferences() {
		if i > 0 {
			b.WriteByte('\n')
		}
		places := d.GetPlaces()
		for j, p := range places {
			if more := len(places) - j; j == maxPlaces && more > 1 {
				fmt.Fprintf(&b, "and %d more places\n", more)
				break
			}
			b.WriteString(printable.Paint(color, bold, printable.Line(printable.Text(p.GetText()))) + "\n")
		}
		for _, c := range d.GetChanges() {
			sign, sgr := "~", yellow
			switch c.GetEffect() {
			case "gain":
				sign, sgr = "+", green
			case "loss":
				sign, sgr = "-", red
			}
			b.WriteString("  " + printable.Paint(color, sgr, sign+" "+printable.Line(printable.Text(c.GetText()))) + "\n")
		}
	}
	if len(diff.GetDifferences()) == 0 {
		b.WriteString("Both grant the same.\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}
