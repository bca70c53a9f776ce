package main

// Tested by commands_test.go.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/printable"
)

// Exit statuses. They are promises to scripts.
const (
	exitOK      = 0
	exitFailure = 1 // what a command is for did not come out well
	exitUsage   = 2 // it was called wrongly, or could not read what it was given

	exitInterrupted = 130 // after Ctrl-C, as shells have it
)

// run is the whole program: it takes what a process gets and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)

	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	status := new(exitError)
	if !errors.As(err, &status) {
		// What a command does not give a status itself was found out by the parsing of arguments.
		status = &exitError{status: exitUsage, err: fmt.Errorf("%w\nsee %s --help", err, cmd.CommandPath())}
	}
	if status.err != nil {
		for line := range strings.Lines(status.err.Error()) {
			if line = strings.TrimSpace(line); line != "" {
				fmt.Fprintf(stderr, "corsproc: %s\n", printable.Line(printable.Text(line))) // names of files and flags are in it as they were given
			}
		}
	}
	return status.status
}

// exitError ends the program with a status.
type exitError struct {
	status int
	err    error // for standard error; nil: everything is said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "corsproc",
		Short: "CORS for Envoy, decided by policy files",
		Long: `corsproc decides CORS for Envoy: an external-processing service that answers
preflights and sets the CORS headers of responses, by policies that are kept in
files.`,
		Example: `  corsproc check policies.yaml
  corsproc explain --policies policies.yaml --origin https://shop.example.com https://api.example.com/
  corsproc test policies_test.yaml
  corsproc import envoy envoy.yaml > policies.yaml
  corsproc diff policies.yaml new.yaml
  corsproc serve --policies policies.yaml
  corsproc verify --policies policies.yaml https://api.example.com
  corsproc health 127.0.0.1:9002`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("no command is given")
		},
	}
	root.AddCommand(newServe(), newCheck(), newExplain(), newTest(), newImport(), newLearn(), newDiff(), newVerify(), newHealth(), newVersion(), newCompletion())
	root.SetHelpCommand(newHelp())
	root.SetFlagErrorFunc(suggestFlag)
	return root
}

// noArguments refuses arguments. Cobra's own check would call them unknown commands.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if args[0] == "true" || args[0] == "false" {
		hint = "; the value of a flag that needs none is written behind an equals sign: --plaintext=" + args[0]
	}
	return fmt.Errorf("%s takes no arguments, but was given %q%s", cmd.Name(), args[0], hint)
}

// newHelp replaces cobra's help command, which succeeds also for commands that there are not.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show what a command does and how it is called",
		Example: "  corsproc help serve",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("unknown command %q for %q", rest[0], cmd.Root().Name())
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// suggestFlag names the nearest flag where an unknown one was given.
func suggestFlag(cmd *cobra.Command, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if best := finding.Nearest(name, slices.Values(known)); best != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, best)
	}
	return err
}

// isTerminal reports whether w shows what is written to it to a person.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// isColorful reports whether what is written to w may have colours: it is a terminal that has them, and nobody asked for
// none (https://no-color.org).
func isColorful(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
