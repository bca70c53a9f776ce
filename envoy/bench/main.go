//go:build linux

// Command bench measures what CORS costs behind a real Envoy: corsproc with each of its recipes, as a service and as a module,
// Envoy's native filter, and, as the measure of them all, a service that does nothing (stock/). `make bench` builds and runs it.
//
// One Envoy has a listener for every variant, so that all meet the same machine, and the variants take turns: a round is
// every variant once, the next round is in the reverse order, and every share is taken within a round. CPU is what the
// kernel has charged to a process, divided by the answers that came in that time, every one of which was checked.
//
// It measures programs from outside and knows none of their insides. Start reading at variants.go, which says what is
// compared, and measure.go, which says how.
package main

// Tested by bench_test.go.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run measures and writes what came of it, and returns the exit status.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	o, err := parseOptions(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if err := bench(ctx, o, out, errOut); err != nil {
		fmt.Fprintf(errOut, "bench: %v\n", err)
		return 1
	}
	return 0
}

// bench measures and writes the table to out, its progress to progress, and the files that were asked for.
func bench(ctx context.Context, o options, out, progress io.Writer) error {
	g, err := startGateway(ctx, o)
	if err != nil {
		return err
	}
	defer g.stop()
	r, missing, err := measure(ctx, g, o, progress)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, r.markdown()); err != nil {
		return err
	}
	if missing != nil || o.out == "" {
		return missing
	}
	return r.write(o.out)
}

// options are the command line's.
type options struct {
	root    string
	service string
	stock   string
	module  string
	also    alsoFlag
	only    string
	out     string

	rounds      int
	load        time.Duration
	connections int

	openRounds      int
	open            time.Duration
	openRate        int
	openConnections int

	reloadRounds int
	reloadLoad   time.Duration

	streams int
	settle  time.Duration
	others  float64
}

func parseOptions(args []string, errOut io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&o.root, "root", ".", "where the repository is")
	flags.StringVar(&o.service, "corsproc", "bin/corsproc", "the corsproc binary")
	flags.StringVar(&o.stock, "stock", "bin/bench-stock", "the service that does nothing")
	flags.StringVar(&o.module, "module", "bin/libcorsproc.so", "corsproc as a dynamic module of Envoy; empty: without it")
	flags.Var(&o.also, "also", "`name=binary` of another corsproc to measure in the same rounds; repeatable")
	flags.StringVar(&o.only, "only", "", "only variants with this in their names, beside those that others are compared with")
	flags.StringVar(&o.out, "out", "", "write results to files of this `name` with .json, .md and .svg behind it")
	flags.IntVar(&o.rounds, "rounds", 6, "rounds of the closed loop, for CPU per request")
	flags.DurationVar(&o.load, "load", 800*time.Millisecond, "how long each variant is loaded in such a round, for each kind of request")
	flags.IntVar(&o.connections, "connections", 16, "connections of the closed loop")
	flags.IntVar(&o.openRounds, "open-rounds", 5, "rounds of the open loop, for latency; 0: none")
	flags.DurationVar(&o.open, "open-load", time.Second, "how long each variant is loaded in such a round, for each kind of request")
	flags.IntVar(&o.openRate, "rate", 500, "requests per second of the open loop")
	flags.IntVar(&o.openConnections, "open-connections", 32, "connections of the open loop")
	flags.IntVar(&o.reloadRounds, "reload-rounds", 5, "rounds of the open loop while a large policy file is written once a second, and while it is not; 0: none")
	flags.DurationVar(&o.reloadLoad, "reload-load", 3*time.Second, "how long each variant is loaded in such a round")
	flags.IntVar(&o.streams, "streams", 2000, "requests that wait for a slow upstream, for memory per stream; 0: none")
	flags.DurationVar(&o.settle, "settle", 500*time.Millisecond, "how long memory has to stay the same before it is measured")
	flags.Float64Var(&o.others, "others", 0.4, "drop rounds in which others used more than this share of the machine")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errOut, "bench: unexpected argument %q\n", flags.Arg(0))
		return o, errors.New("unexpected argument")
	}
	if o.rounds < 1 || o.load <= 0 || o.connections < 1 || o.openRate < 1 || o.openConnections < 1 {
		err := errors.New("rounds, loads, connections and the rate have to be positive")
		fmt.Fprintf(errOut, "bench: %v\n", err)
		return o, err
	}
	return o, nil
}

// alsoFlag is a list of further corsproc binaries.
type alsoFlag []namedBinary

type namedBinary struct{ name, path string }

func (a *alsoFlag) String() string { return "" }

func (a *alsoFlag) Set(value string) error {
	name, path, ok := strings.Cut(value, "=")
	if !ok || name == "" || path == "" {
		return errors.New("want name=binary")
	}
	*a = append(*a, namedBinary{name, path})
	return nil
}
