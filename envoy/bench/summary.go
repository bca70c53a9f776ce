//go:build linux

package main

// Tested by bench_test.go.

import (
	"fmt"
	"strings"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// summary returns the table of docs/performance.md: what corsproc costs, as shares of what the stock no-op costs. Where only
// requests with an Origin are asked about, those without are what is of interest.
func (r *results) summary() string {
	var b strings.Builder
	b.WriteString("| as a share of a service that does nothing | CPU of the service | with what Envoy does more | p50 of the latency added |\n|---|--:|--:|--:|\n")
	for _, row := range r.Rows {
		recipe, ours := strings.CutPrefix(row.Variant, bootstrap.ClusterName+", ")
		if ours && (row.Kind == noOrigin || !strings.HasSuffix(recipe, "Origin only")) {
			service := "–" // there is none
			if row.ServiceShare != nil {
				service = share(row.ServiceShare)
			}
			fmt.Fprintf(&b, "| %s, %s | %s | %s | %s |\n", row.Kind, recipe, service, share(row.BothShare), share(row.P50Share))
		}
	}
	return b.String()
}

// sentence returns what the README says of it, in a line.
func (r *results) sentence() string {
	both := func(kind, variant string) string {
		for _, row := range r.Rows {
			if row.Kind == kind && row.Variant == variant {
				return share(row.BothShare)
			}
		}
		return "?"
	}
	const ours = bootstrap.ClusterName + ", "
	module := ""
	if cost := both(actual, inModule); cost != "?" {
		module = fmt.Sprintf("; as [a module in Envoy](docs/module.md) an actual request costs %s", cost)
	}
	nativeCost := both(actual, native)
	if nativeCost == "0.00" {
		nativeCost = "less than the noise" // nothing costs nothing
	}
	return fmt.Sprintf("In CPU time, its own and what Envoy does more, an actual request costs %s of what it costs to ask a service that "+
		"does nothing, %s with `one-message.yaml`, and a preflight %s%s; Envoy's own filter costs %s",
		both(actual, ours+"envoy.yaml"), both(actual, ours+"one-message.yaml"), both(preflight, ours+"envoy.yaml"), module,
		nativeCost)
}

// share tells a median. What is less than nothing is noise about nothing.
func share(s *spread) string {
	return fmt.Sprintf("%.2f", max(0, s.median()))
}
