//go:build unix

// Command demo runs the demo of corsproc: Envoy with the reference configuration, corsproc, an echo upstream, and a page
// of another origin that shows what a browser makes of it. `make run` builds and starts it. Ctrl-C, SIGTERM, a closed
// terminal, or the end of one of the programs stops all of them.
//
// With -site-only it serves just the upstream and the page, for where Envoy and corsproc are started by something else.
package main

// Tested by envoy/e2e/demo_test.go.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the demo until ctx ends or something fails, and returns the exit status: 0 after an asked-for stop.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	o, err := parseOptions(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if err := runDemo(ctx, o, out); err != nil {
		fmt.Fprintf(errOut, "demo: %v\n", err)
		return 1
	}
	return 0
}

// options are the command line's.
type options struct {
	root     string
	policies string
	config   string
	service  string
	module   string
	bind     string
	siteOnly bool
	ports    ports
}

// ports are where everything listens. The first three are what people type into a browser.
type ports struct {
	envoy, page, admin, extproc, upstream, envoyAdmin uint
}

func parseOptions(args []string, errOut io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&o.root, "root", ".", "where the repository is")
	flags.StringVar(&o.policies, "policies", "envoy/demo/policies.yaml", "the policy file")
	flags.StringVar(&o.config, "envoy-config", "envoy.yaml", "Envoy's configuration, one of those in envoy/")
	flags.StringVar(&o.service, "corsproc", "bin/corsproc", "the corsproc binary")
	flags.StringVar(&o.module, "module", "bin/libcorsproc.so", "what make module builds, for -envoy-config module.yaml")
	flags.StringVar(&o.bind, "bind", "127.0.0.1", "the IP address that page and upstream listen on")
	flags.BoolVar(&o.siteOnly, "site-only", false, "serve only the upstream and the page")
	flags.UintVar(&o.ports.envoy, "envoy-port", 8080, "where Envoy takes requests")
	flags.UintVar(&o.ports.page, "page-port", 8081, "where the page is; the policy file has to allow http://localhost and this port")
	flags.UintVar(&o.ports.upstream, "upstream-port", 8082, "where Envoy finds the echo upstream")
	flags.UintVar(&o.ports.extproc, "extproc-port", 9002, "where Envoy finds corsproc")
	flags.UintVar(&o.ports.admin, "admin-port", 9003, "where corsproc's own page is")
	flags.UintVar(&o.ports.envoyAdmin, "envoy-admin-port", 9901, "where Envoy's admin interface is")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errOut, "demo: unexpected argument %q\n", flags.Arg(0))
		return o, errors.New("unexpected argument")
	}
	return o, nil
}
