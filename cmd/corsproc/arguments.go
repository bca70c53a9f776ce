package main

// Tested by commands_test.go.

import (
	"fmt"

	"github.com/spf13/cobra"
)

// takes refuses any other number of arguments than n; what names them, for people. Cobra's own check only counts.
func takes(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return fmt.Errorf("%s takes %s, but was given %d", cmd.Name(), what, len(args))
	}
}

// takesSome refuses to be given nothing.
func takesSome(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return fmt.Errorf("%s takes %s, but was given none", cmd.Name(), what)
	}
}
