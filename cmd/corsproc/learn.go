package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/learn"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/policy/printable"
)

// learnMemory is from how much memory on the garbage collector works harder. What learn keeps is bounded below it.
const learnMemory = 170 << 20

// learning is a call of learn.
type learning struct {
	options  learn.Options
	policies string
	tests    string
	format   string
}

func newLearn() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "learn LOG...",
		Short: "Read access logs: what upstreams grant today, and who would break under policies",
		Long: `Read access logs and write, on standard output, a policy file of exactly what the
upstreams were seen to grant: to whom, where, and who uses it. With --policies, tell
instead who would lose what, and who would gain, if these policies were in force.

A LOG has a JSON object on each line, or is - for standard input; gzip and zstd are
told by their first bytes. envoy/access-log.yaml is the access log of Envoy that has
all it takes; for other logs --field says under which key a fact stands, for instance
--field origin=req.headers.origin. The facts are
  ` + wrapped(learn.FieldNames(), 78) + `

What an upstream cannot have meant to grant is withheld, told, and taken with
--trust-reflected: any origin at all, null, http with credentials, look-alikes. What
is found is printed on standard error, with the line that shows it, and stands as
comments in the policy file.

The exit status is 0; with --policies 1 if somebody would lose something; 2 if a LOG
cannot be read, has no JSON or no origins, or the command is called wrongly; and 130
after Ctrl-C, which prints what is known so far.`,
		Example: `  corsproc learn access.log > policies.yaml
  corsproc learn --tests cors/learned_test.yaml logs/*.gz > cors/policies.yaml
  corsproc learn --policies cors/policies.yaml access.log
  kubectl logs --prefix -l app=gateway | corsproc learn --field origin=req_headers.origin -`,
		Args: takesSome("one LOG or several: access logs"),
	}
	var call learning
	flags := cmd.Flags()
	flags.Var(fieldFlag{&call.options.Fields}, "field", "where a fact stands, for instance origin=req.headers.origin; repeatable")
	flags.Var(routesFlag{&call.options.Routes}, "routes", "how places are split into routes: auto, none, name (Envoy's), or 1 to 4 path segments")
	flags.StringVar(&call.tests, "tests", "", "write a policy test file of what was seen; the policies are policies.yaml beside it")
	flags.Var(trustFlag{&call.options.Trust}, "trust-reflected", "take what would be withheld: alone at every place, with =PLACE (repeatable) at that one")
	flags.Lookup("trust-reflected").NoOptDefVal = trustAll
	flags.StringVar(&call.policies, "policies", "", "policy file or directory: tell who would lose and who would gain under it")
	format := addFormat(cmd, "text", "json")
	completeLearn(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		call.format = *format
		stdins := countOf(args, policydir.Stdin)
		if call.policies == policydir.Stdin {
			stdins++
		}
		if stdins > 1 {
			return errStdinTwice
		}
		if flags.Changed("policies") {
			if call.policies == "" {
				return errors.New("--policies is empty")
			}
			for _, name := range []string{"tests", "routes", "trust-reflected"} {
				if flags.Changed(name) {
					return fmt.Errorf("--%s is about what is learned, and --policies about policies that there are: use one of them", name)
				}
			}
		}
		if flags.Changed("tests") && (call.tests == "" || call.tests == "-") {
			return errors.New("--tests takes the name of a file")
		}
		return call.run(cmd, args)
	}
	return cmd
}

// run reads the logs and says what came of them.
func (c *learning) run(cmd *cobra.Command, logs []string) error {
	if c.policies != "" {
		policies, err := loadPolicies(c.policies, cmd.InOrStdin(), cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		c.options.Policies, c.options.Locate = policies.Set, policies.Location
	}
	if _, ok := os.LookupEnv("GOGC"); !ok {
		debug.SetGCPercent(sooner)
	}
	if _, ok := os.LookupEnv("GOMEMLIMIT"); !ok {
		debug.SetMemoryLimit(learnMemory)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	l := learn.New(c.options)
	err := readLogs(ctx, l, logs, cmd.InOrStdin(), cmd.ErrOrStderr())
	interrupted := err != nil && ctx.Err() != nil
	stop() // a second Ctrl-C ends the program at once
	if err == nil || interrupted {
		err = enough(l, interrupted)
	}
	if err != nil {
		return &exitError{status: exitUsage, err: err}
	}
	loses, err := c.tell(cmd, l, interrupted)
	switch {
	case err != nil:
		return &exitError{status: exitUsage, err: err}
	case interrupted:
		return &exitError{status: exitInterrupted}
	case loses:
		return &exitError{status: exitFailure}
	}
	return nil
}

// enough returns why logs say nothing.
func enough(l *learn.Learner, interrupted bool) error {
	if interrupted {
		return nil
	}
	if !l.HasLines() {
		return errors.New("no line of the logs is a JSON object; envoy/access-log.yaml is an access log of Envoy that has what it takes")
	}
	has, keys := l.HasOrigins()
	if has {
		return nil
	}
	there := "the first line has no keys"
	if len(keys) > 0 {
		there = "keys that are there: " + printable.Text(strings.Join(keys, ", "))
	}
	return fmt.Errorf("no line of the logs has the key origin: switch on envoy/access-log.yaml, or say with --field origin=PATH where the Origin header stands; %s", there)
}

// tell writes what is known, and reports whether somebody would lose something.
func (c *learning) tell(cmd *cobra.Command, l *learn.Learner, interrupted bool) (loses bool, err error) {
	out := cmd.OutOrStdout()
	if c.policies != "" {
		breakage, findings := l.Report()
		loses = len(breakage.GetLose()) > 0 // asked now, so that a large report goes while its JSON is put together
		err = c.findings(cmd.ErrOrStderr(), findings)
		if err == nil && c.format == "json" {
			err = writeMessage(out, breakage, null) // rule is null where no file says what decides
		} else if err == nil {
			err = learn.WriteBreakage(out, breakage, interrupted)
		}
		return loses, err
	}
	learned := l.Learn(interrupted)
	if c.tests != "" {
		if err := c.writeTests(cmd.ErrOrStderr(), learned); err != nil {
			return false, err
		}
	}
	if err := c.findings(cmd.ErrOrStderr(), learned.Findings); err != nil {
		return false, err
	}
	if unknown := l.UnknownTrust(); len(unknown) > 0 && c.format == "text" {
		fmt.Fprintf(cmd.ErrOrStderr(), "corsproc: --trust-reflected: no place of the logs is called %s; without =PLACE it is about all of them\n", printable.Text(strings.Join(unknown, ", ")))
	}
	_, err = out.Write(learned.File.Bytes())
	return false, err
}

func (c *learning) findings(w io.Writer, findings []finding.Diagnostic) error {
	if c.format == "json" {
		return policyfile.WriteJSON(w, findings)
	}
	return learn.WriteFindings(w, findings)
}

func (c *learning) writeTests(stderr io.Writer, learned *learn.Learned) error {
	data := learned.TestFile()
	if data == nil {
		fmt.Fprintf(stderr, "corsproc: nothing was seen that could be tested: %s is not written\n", printable.Line(printable.Text(c.tests)))
		return nil
	}
	return os.WriteFile(c.tests, data, 0o644)
}

// fieldFlag is the value of --field.
type fieldFlag struct{ fields *learn.Fields }

func (f fieldFlag) String() string     { return "" }
func (f fieldFlag) Type() string       { return "NAME=PATH" }
func (f fieldFlag) Set(s string) error { return f.fields.Add(s) }

// routesFlag is the value of --routes.
type routesFlag struct{ routes *learn.Routes }

func (f routesFlag) String() string { return "auto" }
func (f routesFlag) Type() string   { return "HOW" }

func (f routesFlag) Set(s string) (err error) {
	*f.routes, err = learn.ParseRoutes(s)
	return err
}

// trustAll is the value of --trust-reflected that was given none. No place is called so: in logs it says "not there".
const trustAll = "-"

// trustFlag is the value of --trust-reflected.
type trustFlag struct{ trust *learn.Trust }

func (f trustFlag) String() string { return "" }
func (f trustFlag) Type() string   { return "PLACE" }

func (f trustFlag) Set(s string) error {
	switch s {
	case "":
		return errors.New("no place is given")
	case trustAll:
		f.trust.All = true
	default:
		f.trust.Places = append(f.trust.Places, s)
	}
	return nil
}

// wrapped joins words with commas into lines of at most so many characters, indented by two.
func wrapped(words []string, width int) string {
	var b strings.Builder
	column := 2
	for i, word := range words {
		if i > 0 {
			b.WriteByte(',')
			if column += 2 + len(word); column > width {
				b.WriteString("\n  ")
				column = 2 + len(word)
			} else {
				b.WriteByte(' ')
			}
		} else {
			column += len(word)
		}
		b.WriteString(word)
	}
	return b.String()
}
