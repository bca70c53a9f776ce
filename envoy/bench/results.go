//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// results are what is written to a file.
type results struct {
	Date     string      `json:"date"`
	Machine  machine     `json:"machine"`
	Versions versions    `json:"versions"`
	Settings settings    `json:"settings"`
	Rounds   rounds      `json:"rounds"`
	Rows     []row       `json:"rows"`
	Memory   []memoryRow `json:"memory"`
	Reloads  []reloadRow `json:"reloads,omitempty"`
}

type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	System string `json:"system"`
}

type versions struct {
	Corsproc string `json:"corsproc"`
	Envoy    string `json:"envoy"`
	GRPC     string `json:"grpc"`
	Go       string `json:"go"`
}

type settings struct {
	Connections     int     `json:"connections"`
	Load            string  `json:"load"`
	OpenRate        int     `json:"open_rate"`
	OpenConnections int     `json:"open_connections"`
	OpenLoad        string  `json:"open_load"`
	OthersLimit     float64 `json:"others_limit"`
	ReloadRounds    int     `json:"reload_rounds"`
	ReloadLoad      string  `json:"reload_load"`
}

// rounds says how quiet the machine was.
type rounds struct {
	Closed        int     `json:"closed"` // of each kind of request, at least
	Open          int     `json:"open"`
	Dropped       int     `json:"dropped"` // of all, because of others
	OthersMedian  float64 `json:"others_median"`
	OthersHighest float64 `json:"others_highest"`
}

// row is what one variant came to for one kind of request. What a variant has not got is left out. Times are in
// microseconds.
type row struct {
	Kind         string  `json:"kind"`
	Variant      string  `json:"variant"`
	Messages     int     `json:"messages"`                // of Envoy for a request
	Service      *spread `json:"service,omitempty"`       // CPU per answer
	ServiceShare *spread `json:"service_share,omitempty"` // of the stock no-op's
	Envoy        *spread `json:"envoy,omitempty"`         // CPU per answer
	EnvoyOver    *spread `json:"envoy_over,omitempty"`    // what it does alone
	EnvoyShare   *spread `json:"envoy_share,omitempty"`   // of what it does alone
	BothShare    *spread `json:"both_share,omitempty"`    // service and Envoy over alone, of the stock no-op's
	P50          *spread `json:"p50,omitempty"`
	AddedP50     *spread `json:"added_p50,omitempty"` // to Envoy alone
	P50Share     *spread `json:"p50_share,omitempty"` // of what the stock no-op adds
	P99          *spread `json:"p99,omitempty"`
	AddedP99     *spread `json:"added_p99,omitempty"`
}

type memoryRow struct {
	Variant string `json:"variant"`
	memory
	PerStream    float64 `json:"per_stream"`    // bytes in the service; 0 where none was open
	EnvoyRequest float64 `json:"envoy_request"` // bytes of a request in Envoy
	EnvoyMore    float64 `json:"envoy_more"`    // than a request takes in Envoy alone
}

// addMemory adds what a variant's memory came to. Envoy alone has to be the first.
func (r *results) addMemory(variant string, m memory) {
	row := memoryRow{Variant: variant, memory: m, PerStream: m.perStream(), EnvoyRequest: m.perRequest()}
	if len(r.Memory) > 0 {
		row.EnvoyMore = row.EnvoyRequest - r.Memory[0].EnvoyRequest
	}
	r.Memory = append(r.Memory, row)
}

// spread is a value that was measured in several rounds.
type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

func newResults(ctx context.Context, o options) *results {
	r := &results{
		Date:    time.Now().UTC().Format(time.DateOnly),
		Machine: machine{CPU: processor(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH},
		Versions: versions{
			Corsproc: firstLine(ctx, o.service, "version"), Envoy: envoyVersion(ctx, o.root), GRPC: dependency(o.stock, "google.golang.org/grpc"), Go: runtime.Version(),
		},
		Settings: settings{
			Connections: o.connections, Load: o.load.String(), OpenRate: o.openRate, OpenConnections: o.openConnections, OpenLoad: o.open.String(), OthersLimit: o.others,
			ReloadRounds: o.reloadRounds, ReloadLoad: o.reloadLoad.String(),
		},
	}
	return r
}

// fill computes the rows: every difference and every share within a round, and only then the median over rounds.
func (r *results) fill(variants []variant, cpu *series[costs], latency *series[delays]) {
	r.Rounds = rounds{Closed: cpu.fewest(), Open: latency.fewest(), Dropped: cpu.dropped + latency.dropped}
	if others := slices.Sorted(slices.Values(slices.Concat(cpu.others, latency.others))); len(others) > 0 {
		r.Rounds.OthersMedian, r.Rounds.OthersHighest = others[len(others)/2], others[len(others)-1]
	}
	for _, kind := range kinds {
		for _, v := range measuredIn(variants, kind) {
			row := row{Kind: kind, Variant: v.name, Messages: v.expect[kind].messages}
			closed, open := cpu.kept[kind], latency.kept[kind]
			row.Envoy = spreadOf(closed, func(r round[costs]) float64 { return r[v.name].envoy })
			row.P50 = spreadOf(open, func(r round[delays]) float64 { return r[v.name].p50 })
			row.P99 = spreadOf(open, func(r round[delays]) float64 { return r[v.name].p99 })
			if v.name != alone {
				row.EnvoyOver = spreadOf(closed, func(r round[costs]) float64 { return r[v.name].envoy - r[alone].envoy })
				row.AddedP50 = spreadOf(open, func(r round[delays]) float64 { return r[v.name].p50 - r[alone].p50 })
				row.AddedP99 = spreadOf(open, func(r round[delays]) float64 { return r[v.name].p99 - r[alone].p99 })
				row.EnvoyShare = spreadOf(closed, func(r round[costs]) float64 { return r[v.name].envoy / r[alone].envoy })
				row.BothShare = spreadOf(closed, func(r round[costs]) float64 { return both(r, v.name) / both(r, stock) })
				row.P50Share = spreadOf(open, func(r round[delays]) float64 {
					return (r[v.name].p50 - r[alone].p50) / (r[stock].p50 - r[alone].p50)
				})
			}
			if v.service != "" {
				row.Service = spreadOf(closed, func(r round[costs]) float64 { return r[v.name].service })
				row.ServiceShare = spreadOf(closed, func(r round[costs]) float64 { return r[v.name].service / r[stock].service })
			}
			r.Rows = append(r.Rows, row)
		}
	}
}

// both is what a request costs more than with Envoy alone, in the service and in Envoy.
func both(r round[costs], variant string) float64 {
	return r[variant].service + r[variant].envoy - r[alone].envoy
}

// fewest returns how many rounds there are of each kind of request, at least.
func (s *series[S]) fewest() int {
	n := s.rounds
	for _, kept := range s.kept {
		n = min(n, len(kept))
	}
	return n
}

// spreadOf returns the spread of a value over rounds, nil without any.
func spreadOf[R any](rounds []R, value func(R) float64) *spread {
	if len(rounds) == 0 {
		return nil
	}
	var all []float64
	for _, r := range rounds {
		all = append(all, value(r))
	}
	slices.Sort(all)
	median := all[len(all)/2]
	if len(all)%2 == 0 {
		median = (median + all[len(all)/2-1]) / 2
	}
	return &spread{Median: median, Least: all[0], Most: all[len(all)-1]}
}

// write writes the results to files of this name with .json, .md and .svg behind it.
func (r *results) write(name string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	for suffix, content := range map[string][]byte{".json": append(data, '\n'), ".md": []byte(r.markdown()), ".svg": []byte(r.chart())} {
		if err := os.WriteFile(name+suffix, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// processor returns what the machine calls its CPU.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // not there: nothing is said
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func envoyVersion(ctx context.Context, root string) string {
	binary, err := launch.FindEnvoy(root)
	if err != nil {
		return ""
	}
	// "envoy  version: commit/1.40.0/Clean/RELEASE/BoringSSL"
	_, version, _ := strings.Cut(firstLine(ctx, binary, "--version"), "version: ")
	parts := strings.Split(version, "/")
	if len(parts) < 2 {
		return version
	}
	return parts[1]
}

// firstLine returns the first line with text that a program prints; empty if it cannot be run.
func firstLine(ctx context.Context, binary string, args ...string) string {
	out, _ := exec.CommandContext(ctx, binary, args...).Output()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// dependency returns the version of a module that a program was built with; empty where the program does not say.
func dependency(binary, path string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return ""
}
