package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/policy/policytest"
)

func newTest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test PATH...",
		Short: "Run policy test files: what pages may and may not do",
		Long: `Run policy test files, which say what pages may and may not do under some policies:

  policies: policies.yaml          # relative to this file; a file or a directory
  tests:
    - name: the shop may delete orders
      fetch: {origin: https://shop.example.com, url: https://api.example.com/orders/7,
              method: DELETE, credentials: include}
      expect: ALLOWED              # or REFUSED, REJECTED, UNDECIDED (passthrough)
    - name: partners may not
      fetch: {origin: https://partner.example, url: https://api.example.com/orders/7}
      expect: REFUSED
      reason: origin_not_allowed   # optional

Each fetch is answered as in explain; nothing is sent anywhere. fetch also takes
headers, virtual_host, route_name, websocket and path_as_is.

Each PATH is a file, - for standard input, or a directory: then every *.yaml, *.yml and
*.json in it that has such tests is run, and those in folders below it are not. Policies that
several files test are read once. A test file lies beside the policy file or the
directory that it tests, but not in a directory of policies, where every such file is
read as a policy file.

As text a test that failed is told with what was expected, what came and why, and with
the smallest change that would allow what was refused; -v also prints a line for each
that passed. The other formats are for programs: json, and junit (XML). What is wrong
with test files and policies goes to standard error, as check prints it.

The exit status is 0 if all tests pass, 1 if some fail, and 2 if a test file or its
policies are bad, there is nothing to run, or the command is called wrongly.`,
		Example: `  corsproc test policies_test.yaml
  corsproc test -v tests/
  corsproc test --format junit tests/ > report.xml`,
		Args:              takesSome("one PATH or several: test files, or directories of them"),
		ValidArgsFunction: completePolicies, // test files have the same endings
	}
	verbose := cmd.Flags().BoolP("verbose", "v", false, "print a line for each test that passed, too")
	format := addFormat(cmd, "text", "json", "junit")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if countOf(args, policydir.Stdin) > 1 {
			return errStdinTwice
		}
		r := policytest.Run(args, cmd.InOrStdin())
		stderr := cmd.ErrOrStderr()
		if err := errors.Join(
			writeResults(cmd.OutOrStdout(), r, *format, *verbose),
			policyfile.WriteAnnotated(stderr, r.Findings, r.Files, isColorful(stderr)),
			r.Err,
		); err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		if r.Results.GetFailed() > 0 {
			return &exitError{status: exitFailure}
		}
		return nil
	}
	return cmd
}

func writeResults(w io.Writer, r *policytest.Report, format string, verbose bool) error {
	switch {
	case format == "json":
		return writeMessage(w, r.Results, leftOut)
	case format == "junit":
		return policytest.WriteJUnit(w, r)
	case r.Results.GetPassed()+r.Results.GetFailed() == 0:
		return nil // there is nothing to sum up
	}
	return policytest.WriteText(w, r.Results, verbose, isColorful(w))
}
