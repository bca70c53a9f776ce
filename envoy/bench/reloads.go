//go:build linux

package main

// Tested by bench_test.go.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

const (
	// manyOrigins is how many origins the policy file of these rounds has.
	manyOrigins = 30_000
	// writeInterval is how often it is written.
	writeInterval = time.Second
)

// reloadRow is what a variant's 99th percentile came to while a large policy file was written once a second, and while it was
// not. Times are in microseconds.
type reloadRow struct {
	Variant   string  `json:"variant"`
	Quiet     *spread `json:"quiet_p99"`
	Reloading *spread `json:"reloading_p99"`
	Ratio     *spread `json:"ratio"`   // of the two of one round
	Reloads   int     `json:"reloads"` // in all rounds together
}

// reloader is one variant with processes of its own, and their policy file.
type reloader struct {
	variant variant
	file    string
	front   *launch.Envoy
	service *launch.Service // nil: there is none
	written int             // editions of it
	rounds  []reloadRound
}

type reloadRound struct{ quiet, reloading float64 }

// measureReloads has the variants take turns: each is loaded without reloads and with them, one right after the other.
func measureReloads(ctx context.Context, g *gateway, o options, progress io.Writer) (rows []reloadRow, err error) {
	if o.reloadRounds == 0 {
		return nil, nil
	}
	var all []*reloader
	defer func() {
		for _, r := range all {
			r.stop()
		}
	}()
	for _, v := range g.variants {
		if v.name != inModule && v.name != bootstrap.ClusterName+", one-message.yaml" {
			continue // the others have the engine in the same process as one of these
		}
		r, err := g.startReloader(ctx, o, v)
		if err != nil {
			return nil, fmt.Errorf("%s, with a large policy file: %w", v.name, err)
		}
		all = append(all, r)
	}
	for n := range o.reloadRounds {
		turns := slices.Clone(all)
		if n%2 == 1 {
			slices.Reverse(turns)
		}
		for _, r := range turns {
			if err := r.round(ctx, o); err != nil {
				return nil, fmt.Errorf("%s, with reloads: %w", r.variant.name, err)
			}
		}
		fmt.Fprintf(progress, "reloads of %d origins, round %d\n", manyOrigins, n+1)
	}
	for _, r := range all {
		n, err := r.reloads(ctx)
		if err != nil {
			return nil, err
		}
		// On a busy machine two editions may be seen as one.
		if again := r.written - 1; n < again/2 {
			return nil, fmt.Errorf("%s: the file was written %d times, and loaded %d times", r.variant.name, again, n)
		}
		rows = append(rows, reloadRow{
			Variant: r.variant.name, Reloads: n,
			Quiet:     spreadOf(r.rounds, func(r reloadRound) float64 { return r.quiet }),
			Reloading: spreadOf(r.rounds, func(r reloadRound) float64 { return r.reloading }),
			Ratio:     spreadOf(r.rounds, func(r reloadRound) float64 { return r.reloading / r.quiet }),
		})
	}
	return rows, nil
}

// startReloader starts an Envoy with one variant, and a service where it asks one.
func (g *gateway) startReloader(ctx context.Context, o options, v variant) (r *reloader, err error) {
	dir, err := os.MkdirTemp(g.dir, "large-")
	if err != nil {
		return nil, err
	}
	r = &reloader{variant: v, file: filepath.Join(dir, "policies.yaml")}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if err := r.write(); err != nil {
		return nil, err
	}
	if v.service != "" {
		starting, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("no answer within %s", startPatience))
		defer cancel()
		if r.service, err = g.startService(starting, o.service, r.file); err != nil {
			return nil, err
		}
		small := g.addresses[v.service]
		g.addresses[v.service] = r.service.Listen
		defer func() { g.addresses[v.service] = small }()
	}
	r.front, err = g.startOwn(ctx, o, v, r.file)
	return r, err
}

func (r *reloader) stop() {
	if r.front != nil {
		r.front.Stop(syscall.SIGTERM, stopPatience)
	}
	if r.service != nil {
		r.service.Stop(syscall.SIGINT, stopPatience)
	}
}

// round loads the variant twice.
func (r *reloader) round(ctx context.Context, o options) error {
	quiet, err := r.p99(ctx, o)
	if err != nil {
		return err
	}
	before, err := r.reloads(ctx)
	if err != nil {
		return err
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- r.keepWriting(writing) }()
	reloading, err := r.p99(ctx, o)
	stop()
	r.rounds = append(r.rounds, reloadRound{quiet, reloading})
	if err := errors.Join(err, <-failed); err != nil {
		return err
	}
	if err := r.loadedSince(ctx, before); err != nil {
		return err
	}
	return sleep(ctx, writeInterval) // until the last of them is over
}

// loadedSince waits until there are more loads than there were: on a busy machine one may end after the requests.
func (r *reloader) loadedSince(ctx context.Context, before int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("nothing was loaded within %s", startPatience))
	defer cancel()
	for {
		n, err := r.reloads(ctx)
		if err != nil || n > before {
			return err
		}
		if err := sleep(ctx, writeInterval/20); err != nil {
			return err
		}
	}
}

func (r *reloader) p99(ctx context.Context, o options) (float64, error) {
	c, err := gather(r.front.Listeners[r.variant.name], o.openConnections, requestsOf[actual], r.variant.expect[actual])
	if err != nil {
		return 0, err
	}
	defer c.disperse()
	took, err := c.open(ctx, o.openRate, o.reloadLoad)
	return microseconds(percentile(took, 0.99)), err
}

func (r *reloader) keepWriting(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := r.write(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(writeInterval):
		}
	}
	return nil
}

// write puts the file in place as editors do, each time with other content.
func (r *reloader) write() error {
	next := r.file + ".next"
	if err := os.WriteFile(next, []byte(largePolicies(r.written)), 0o600); err != nil {
		return err
	}
	r.written++
	return os.Rename(next, r.file)
}

// largePolicies returns the policies with so many origins more, and something that differs from edition to edition. It is
// written while others are measured, so most of it is made only once.
func largePolicies(edition int) string {
	return fmt.Sprintf("policies:\n  large%d:\n    allow_origins:\n", edition) + largeOrigins() +
		strings.TrimPrefix(policies, "\npolicies:\n") +
		fmt.Sprintf("  - {name: large, domains: [large.example.com], policies: [large%d]}\n", edition)
}

var largeOrigins = sync.OnceValue(func() string {
	var b strings.Builder
	for i := range manyOrigins {
		fmt.Fprintf(&b, "      - https://app-%05d.tenants.example.com\n", i)
	}
	return b.String()
})

// reloads returns how often the file was loaded after the first time.
func (r *reloader) reloads(ctx context.Context) (int, error) {
	if r.service == nil {
		const loads = "corsproc.policy_reloads.result.success"
		counted, err := stats(ctx, r.front, loads)
		return counted[loads] - 1, err
	}
	text, err := r.service.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, `corsproc_policy_reload_total{result="success"} `); ok {
			var n int
			_, err := fmt.Sscan(value, &n)
			return n - 1, err
		}
	}
	return 0, errors.New("the metrics do not tell of reloads")
}
