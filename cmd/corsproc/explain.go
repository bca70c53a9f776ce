package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// exitUndecided is the exit status of explain where only the upstream knows.
const exitUndecided = 3

func newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain --policies PATH --origin ORIGIN [flags] URL",
		Short: "Tell what a browser on a page of ORIGIN meets when it fetches URL",
		Long: `Tell what a browser on a page of ORIGIN meets when it fetches URL: whether a
preflight goes first and why, what each request is answered, which rule of which file
and line decided, whether the page may read the answer, what the console says, and
the smallest change to the policies that would allow what is refused.

Nothing is sent anywhere: the policies answer as they would in serve, the browser is
the Fetch standard's, and of the upstream it is assumed that it answers with 200 and
has no CORS headers of its own. Paths are taken as Envoy with the reference
configuration hands them on (normalize_path, merge_slashes); --path-as-is takes them
as they are sent.

The exit status is 0 if the page may read the answer, 1 if it may not, 2 if the command
is called wrongly or a policy file is bad, and 3 if it is undecided here (passthrough:
the upstream answers).`,
		Example: `  corsproc explain --policies policies.yaml --origin https://shop.example.com https://api.example.com/orders
  corsproc explain --policies policies.yaml --origin https://shop.example.com \
    -X PUT -H 'Content-Type: application/json' --credentials include https://api.example.com/orders/7`,
		Args: takes(1, "one URL"),
	}
	var f browser.Fetch
	path := cmd.Flags().String("policies", "", "policy file or directory, or - for standard input (required)")
	cmd.Flags().StringVar(&f.Origin, "origin", "", "the page's origin, as a browser sends it: https://shop.example.com, or null (required)")
	cmd.Flags().StringVarP(&f.Method, "method", "X", "GET", "the method of the fetch")
	cmd.Flags().VarP(headerFlag{&f.Headers}, "header", "H", "a header that the script sets, 'Name: value'; repeatable")
	cmd.Flags().Var(credentialsFlag{&f.Credentials}, "credentials", "omit, same-origin or include, as in fetch")
	cmd.Flags().StringVar(&f.VirtualHost, "virtual-host", "", "Envoy's name of the URL's virtual host, as in xds.virtual_host_name")
	cmd.Flags().StringVar(&f.Route, "route", "", "Envoy's name of the URL's route, as in xds.route_name")
	cmd.Flags().BoolVar(&f.WebSocket, "websocket", false, "open a WebSocket instead of fetching")
	cmd.Flags().BoolVar(&f.PathAsIs, "path-as-is", false, "look up the path as it is sent, not as Envoy with the reference configuration hands it on")
	format := addFormat(cmd, "text", "json")
	for _, name := range []string{"policies", "origin"} {
		cmd.MarkFlagRequired(name)
	}
	completeExplain(cmd, path, &f.VirtualHost)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.Method == "" {
			return errors.New("--method is empty")
		}
		f.URL = args[0]
		if faults := f.Faults(); len(faults) > 0 {
			all := make([]error, len(faults))
			for i, fault := range faults {
				all[i] = fault
			}
			return &exitError{status: exitUsage, err: errors.Join(all...)}
		}
		policies, err := loadPolicies(*path, cmd.InOrStdin(), cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		r, err := browser.Do(policies.Set, f)
		if err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		out, x := cmd.OutOrStdout(), r.Explanation(policies.Location)
		if *format == "json" {
			err = writeExplanationJSON(out, x)
		} else {
			err = writeExplanationText(out, r.Outcome, x, isColorful(out))
		}
		if err != nil {
			return &exitError{status: exitUsage, err: err}
		}
		switch r.Outcome {
		case browser.Readable:
			return nil
		case browser.Undecided:
			return &exitError{status: exitUndecided}
		}
		return &exitError{status: exitFailure}
	}
	return cmd
}

// loadPolicies compiles the policies of a path. Where they do not load, the errors are told on stderr.
func loadPolicies(path string, stdin io.Reader, stderr io.Writer) (*policyfile.Result, error) {
	content, err := policydir.Read(path, stdin)
	if err != nil {
		return nil, &exitError{status: exitUsage, err: err}
	}
	collectSooner(content)
	r := content.Compile()
	if r.Set != nil {
		return r, nil
	}
	if err := policyfile.WriteText(stderr, policyfile.Errors(r.Findings)); err != nil {
		return nil, &exitError{status: exitUsage, err: err}
	}
	return nil, &exitError{status: exitUsage, err: fmt.Errorf("the policies of %s do not load", path)}
}

// headerFlag is the value of -H: lines as curl takes them.
type headerFlag struct{ headers *[]policy.Header }

func (f headerFlag) String() string { return "" }
func (f headerFlag) Type() string   { return "LINE" }

func (f headerFlag) Set(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return fmt.Errorf("%q is no header; write 'Name: value'", s)
	}
	*f.headers = append(*f.headers, policy.Header{Name: name, Value: value})
	return nil
}

// credentialsFlag is the value of --credentials.
type credentialsFlag struct{ mode *browser.Credentials }

func (f credentialsFlag) String() string { return f.mode.String() }
func (f credentialsFlag) Type() string   { return "MODE" }

func (f credentialsFlag) Set(s string) (err error) {
	*f.mode, err = browser.ParseCredentials(s)
	return err
}
