//go:build linux

package main

// Tested by bench_test.go.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// round is what every variant came to, one after the other.
type round[S any] map[string]S

// costs is the CPU time of an answer, in microseconds.
type costs struct{ service, envoy float64 }

// delays is how long answers took, in microseconds.
type delays struct{ p50, p99 float64 }

// measure measures everything. Memory comes first, while the services are fresh. Where the machine was too busy for some
// of the figures, they are missing from the results, and missing says which.
func measure(ctx context.Context, g *gateway, o options, progress io.Writer) (r *results, missing, err error) {
	if err := g.rehearse(ctx); err != nil {
		return nil, nil, err
	}
	r = newResults(ctx, o)
	if o.streams > 0 {
		for _, v := range g.variants {
			if v.service != "" && v.expect[noOrigin].messages == 0 {
				continue // the same as the variant before it
			}
			fmt.Fprintf(progress, "%s: %d requests wait for a slow upstream\n", v.name, o.streams)
			m, err := g.measureMemory(ctx, v, o)
			if err != nil {
				return nil, nil, err
			}
			r.addMemory(v.name, m)
		}
	}
	cpu := &series[costs]{variants: g.variants, limit: o.others, pids: g.pids, progress: progress, what: "closed loop", rounds: o.rounds, sample: func(ctx context.Context, v variant, kind string) (costs, error) {
		return g.sampleCosts(ctx, v, kind, o)
	}}
	if err := cpu.run(ctx); err != nil {
		return nil, nil, err
	}
	latency := &series[delays]{variants: g.variants, limit: o.others, pids: g.pids, progress: progress, what: "open loop", rounds: o.openRounds, sample: func(ctx context.Context, v variant, kind string) (delays, error) {
		return g.sampleDelays(ctx, v, kind, o)
	}}
	if err := latency.run(ctx); err != nil {
		return nil, nil, err
	}
	r.fill(g.variants, cpu, latency)
	if r.Reloads, err = measureReloads(ctx, g, o, progress); err != nil {
		return nil, nil, err
	}
	return r, errors.Join(cpu.missing(), latency.missing()), nil
}

// rehearse sends one request of each kind to each variant and holds Envoy to the number of messages that it is expected
// to send, so that nothing is measured that is not what its name says.
func (g *gateway) rehearse(ctx context.Context) error {
	for _, v := range g.variants {
		if err := rehearse(ctx, g.front, v); err != nil {
			return err
		}
	}
	return nil
}

func rehearse(ctx context.Context, envoy *launch.Envoy, v variant) error {
	sent, decided := "http."+v.name+".ext_proc.cors.stream_msgs_sent", "corsproc.decisions"
	for kind, want := range v.expect {
		before, err := stats(ctx, envoy, sent, decided)
		if err != nil {
			return err
		}
		c, err := gather(envoy.Listeners[v.name], 1, requestsOf[kind], want)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", v.name, kind, err)
		}
		c.disperse()
		after, err := stats(ctx, envoy, sent, decided)
		if err != nil {
			return err
		}
		if n := after[sent] - before[sent]; n != want.messages {
			return fmt.Errorf("%s, %s: %d messages, want %d", v.name, kind, n, want.messages)
		}
		if n := after[decided] - before[decided]; v.module && n != 1 {
			return fmt.Errorf("%s, %s: %d decisions of the module, want one", v.name, kind, n)
		}
	}
	return nil
}

// series is rounds of one kind of load.
type series[S any] struct {
	variants []variant
	limit    float64 // of the share of the machine that others may use
	progress io.Writer
	what     string
	rounds   int          // wanted
	pids     func() []int // whose share of the machine is not others'
	sample   func(ctx context.Context, v variant, kind string) (S, error)

	kept    map[string][]round[S] // by the kind of request
	dropped int
	others  []float64 // the share of the machine that others used in each round that was kept
}

// run measures rounds until there are as many as are wanted of each kind of request, or half as many again were tried.
func (s *series[S]) run(ctx context.Context) error {
	s.kept = map[string][]round[S]{}
	for try := range s.rounds + (s.rounds+1)/2 {
		for _, kind := range kinds {
			if len(s.kept[kind]) == s.rounds {
				continue
			}
			share, r, err := s.round(ctx, kind, try)
			if err != nil {
				return err
			}
			verdict := ""
			if share > s.limit {
				s.dropped++
				verdict = ": dropped"
			} else {
				s.kept[kind] = append(s.kept[kind], r)
				s.others = append(s.others, share)
			}
			fmt.Fprintf(s.progress, "%s, %s, round %d: others used %.0f %% of the machine%s\n", s.what, kind, try+1, 100*share, verdict)
		}
	}
	return nil
}

// missing returns an error that says for which kinds of request no round was quiet enough.
func (s *series[S]) missing() error {
	var all []error
	for _, kind := range kinds {
		if s.rounds > 0 && len(s.kept[kind]) == 0 {
			all = append(all, fmt.Errorf("%s, %s: others used too much of the machine in every round", s.what, kind))
		}
	}
	return errors.Join(all...)
}

// round has the variants take turns, in every other round backwards.
func (s *series[S]) round(ctx context.Context, kind string, try int) (others float64, r round[S], err error) {
	turns := measuredIn(s.variants, kind)
	if try%2 == 1 {
		slices.Reverse(turns)
	}
	watch, err := watchShare(s.pids())
	if err != nil {
		return 0, nil, err
	}
	r = round[S]{}
	for _, v := range turns {
		if r[v.name], err = s.sample(ctx, v, kind); err != nil {
			return 0, nil, fmt.Errorf("%s, %s: %w", v.name, kind, err)
		}
	}
	others, err = watch.others()
	return others, r, err
}

// pids returns everything that the benchmark runs, and itself.
func (g *gateway) pids() []int {
	all := []int{os.Getpid(), g.front.PID(), g.back.PID()}
	for _, s := range g.services {
		all = append(all, s.PID())
	}
	return all
}

func (g *gateway) sampleCosts(ctx context.Context, v variant, kind string, o options) (costs, error) {
	c, err := gather(g.front.Listeners[v.name], o.connections, requestsOf[kind], v.expect[kind])
	if err != nil {
		return costs{}, err
	}
	defer c.disperse()
	var service, envoy time.Duration
	answers, err := c.closed(ctx, func(answers func() int64) error {
		before, err := g.clocks(v)
		if err != nil {
			return err
		}
		// A machine that is very busy may need longer for one answer, which still tells what it costs.
		for end := time.Now().Add(startPatience); ; {
			if err := sleep(ctx, o.load); err != nil {
				return err
			}
			if answers() > 0 || time.Now().After(end) {
				break
			}
		}
		after, err := g.clocks(v)
		service, envoy = after.service-before.service, after.envoy-before.envoy
		return err
	})
	if err != nil {
		return costs{}, err
	}
	if answers == 0 {
		return costs{}, fmt.Errorf("no answer within %s", startPatience)
	}
	perAnswer := func(t time.Duration) float64 { return microseconds(t) / float64(answers) }
	return costs{service: perAnswer(service), envoy: perAnswer(envoy)}, nil
}

type clocks struct{ service, envoy time.Duration }

func (g *gateway) clocks(v variant) (c clocks, err error) {
	if c.envoy, err = cpuTime(g.front.PID()); err != nil || v.service == "" {
		return c, err
	}
	c.service, err = cpuTime(g.services[v.service].PID())
	return c, err
}

func (g *gateway) sampleDelays(ctx context.Context, v variant, kind string, o options) (delays, error) {
	c, err := gather(g.front.Listeners[v.name], o.openConnections, requestsOf[kind], v.expect[kind])
	if err != nil {
		return delays{}, err
	}
	defer c.disperse()
	took, err := c.open(ctx, o.openRate, o.open)
	return delays{p50: microseconds(percentile(took, 0.5)), p99: microseconds(percentile(took, 0.99))}, err
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
