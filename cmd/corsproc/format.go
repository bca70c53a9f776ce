package main

// Tested by check_test.go.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// formatFlag is the value of --format: one of a few words.
type formatFlag struct {
	value *string
	known []string
}

func (f formatFlag) String() string { return *f.value }
func (f formatFlag) Type() string   { return "FORMAT" }

func (f formatFlag) Set(s string) error {
	if !slices.Contains(f.known, s) {
		return fmt.Errorf("%q is no format; write %s", s, strings.Join(f.known, " or "))
	}
	*f.value = s
	return nil
}

// addFormat adds --format to a command. The first of the known formats is the default.
func addFormat(cmd *cobra.Command, known ...string) *string {
	value := known[0]
	cmd.Flags().Var(formatFlag{&value, known}, "format", strings.Join(known, " or "))
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp))
	return &value
}

// failed gives an error that is not about usage its exit status.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{status: exitFailure, err: err}
}
