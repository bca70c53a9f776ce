//go:build linux

package main

import (
	"fmt"
	"strings"

	"github.com/corsproc/corsproc/envoy/bootstrap"
)

// summary returns the table of the README: what corsproc costs, as shares of what the stock no-op costs. Where only
// requests with an Origin are asked about, those without are what is of interest.
func (r *results) summary() string {
	var b strings.Builder
	b.WriteString("| as a share of a service that does nothing | CPU of the service | with what Envoy does more | p50 of the latency added |\n|---|--:|--:|--:|\n")
	for _, row := range r.Rows {
		recipe, ours := strings.CutPrefix(row.Variant, bootstrap.ClusterName+", ")
		if ours && (row.Kind == noOrigin || !strings.HasSuffix(recipe, "Origin only")) {
			fmt.Fprintf(&b, "| %s, %s | %s | %s | %s |\n", row.Kind, recipe, share(row.ServiceShare), share(row.BothShare), share(row.P50Share))
		}
	}
	return b.String()
}

// share tells a median. What is less than nothing is noise about nothing.
func share(s *spread) string {
	return fmt.Sprintf("%.2f", max(0, s.median()))
}
