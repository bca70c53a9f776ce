//go:build linux

package main

// Tested by bench_test.go and results_test.go.

import (
	"fmt"
	"strings"
)

// target is what corsproc as a module is to cost at most, and what is to be reached for; 0: no more than that.
type target struct {
	what  string
	most  float64
	goal  float64
	value func(r *results, variant string) (float64, bool) // of a variant; false: it was not measured
}

var allTargets = []target{
	{"CPU, actual request, × stock", 0.08, 0.04, ofRow(actual, bothShare)},
	{"CPU, actual request, 10,000 paths, × stock", 0.08, 0.04, ofRow(actualPaths, bothShare)},
	{"CPU, preflight, whole Envoy, × alone", 0.65, 0.5, ofRow(preflight, envoyShare)},
	{"CPU, preflight, 10,000 paths, whole Envoy, × alone", 0.65, 0.5, ofRow(preflightPaths, envoyShare)},
	{"CPU, no Origin, × stock", 0.10, 0.05, ofRow(noOrigin, bothShare)},
	{"CPU, no Origin, 10,000 paths, × stock", 0.10, 0.05, ofRow(noOriginPaths, bothShare)},
	{"p50 added, actual request, × stock", 0.15, 0.08, ofRow(actual, p50Share)},
	{"p50 added, actual request, 10,000 paths, × stock", 0.15, 0.08, ofRow(actualPaths, p50Share)},
	{"memory of a waiting request more than in Envoy alone, KiB", 3, 1, func(r *results, variant string) (float64, bool) {
		for _, m := range r.Memory {
			if m.Variant == variant && m.EnvoyBefore > 0 {
				return m.EnvoyMore / 1024, true
			}
		}
		return 0, false
	}},
	{"p99 while 30,000 origins are reloaded once a second, × without", 2, 0, func(r *results, variant string) (float64, bool) {
		for _, row := range r.Reloads {
			if row.Variant == variant && row.Ratio != nil {
				return row.Ratio.Median, true
			}
		}
		return 0, false
	}},
}

func bothShare(row row) *spread  { return row.BothShare }
func envoyShare(row row) *spread { return row.EnvoyShare }
func p50Share(row row) *spread   { return row.P50Share }

// ofRow returns what finds a median in the row of a kind and a variant.
func ofRow(kind string, of func(row) *spread) func(*results, string) (float64, bool) {
	return func(r *results, variant string) (float64, bool) {
		for _, row := range r.Rows {
			if row.Kind == kind && row.Variant == variant && of(row) != nil {
				return of(row).Median, true
			}
		}
		return 0, false
	}
}

// targets returns the table of what the module was to cost and what it does, empty without a module.
func (r *results) targets() string {
	var b strings.Builder
	for _, t := range allTargets {
		if measured, ok := t.value(r, inModule); ok {
			fmt.Fprintf(&b, "| %s | %.2f | %s | %s | %s |\n", t.what, t.most, figure(t.goal, t.goal > 0), figure(measured, ok), figure(t.value(r, native)))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "| module.yaml beside its targets | at most | to reach for | measured | " + native + " |\n|---|--:|--:|--:|--:|\n" + b.String() + "\n"
}

func figure(value float64, measured bool) string {
	if !measured {
		return nothing
	}
	return minus(fmt.Sprintf("%.2f", value))
}
