//go:build linux

package main

// Tested by results_test.go and bench_test.go.

import (
	"fmt"
	"slices"
	"strings"
)

// markdown returns the results as tables for people, with the circumstances below them.
func (r *results) markdown() string {
	var b strings.Builder
	for _, kind := range kinds {
		if !slices.ContainsFunc(r.Rows, func(row row) bool { return row.Kind == kind }) {
			continue
		}
		fmt.Fprintf(&b, "| %s | messages | service µs | × stock | Envoy µs more | × alone | both × stock | p50 µs more | × stock | p99 µs more |\n", kind)
		b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
		for _, row := range r.Rows {
			if row.Kind == kind {
				b.WriteString(row.markdown())
			}
		}
		b.WriteString("\n")
	}
	if len(r.Memory) > 0 {
		b.WriteString("| requests that wait for a slow upstream | streams open | memory of the service without and with them | per stream | memory of Envoy | per request | more than alone |\n|---|--:|--:|--:|--:|--:|--:|\n")
		for _, m := range r.Memory {
			b.WriteString(m.markdown())
		}
		b.WriteString("\n")
	}
	if len(r.Reloads) > 0 {
		fmt.Fprintf(&b, "| a policy file of %d origins, written once a second | p99 ms without | p99 ms with | with ÷ without | reloads |\n|---|--:|--:|--:|--:|\n", manyOrigins)
		for _, row := range r.Reloads {
			fmt.Fprintf(&b, "| %s | %.1f | %.1f | %s | %d |\n", row.Variant, row.Quiet.median()/1000, row.Reloading.median()/1000, ranged(row.Ratio), row.Reloads)
		}
		b.WriteString("\n")
	}
	b.WriteString(r.targets())
	b.WriteString(r.circumstances())
	return b.String()
}

func (row row) markdown() string {
	cells := []string{
		row.Variant, fmt.Sprint(row.Messages), plain(row.Service), ranged(row.ServiceShare), signed(row.EnvoyOver), rounded(row.EnvoyShare), ranged(row.BothShare),
		signed(row.AddedP50), ranged(row.P50Share), signed(row.AddedP99),
	}
	if row.Variant == alone {
		cells[4] = fmt.Sprintf("(%s)", plain(row.Envoy))
		cells[7], cells[9] = inBrackets(row.P50), inBrackets(row.P99)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func (m memoryRow) markdown() string {
	streams, service, per, envoy, request, more := nothing, nothing, nothing, nothing, nothing, nothing
	if m.Before > 0 {
		streams = fmt.Sprintf("%d of %d", m.Streams, m.Requests)
		service, per = fmt.Sprintf("%.1f and %.1f MiB", mebibytes(m.Before), mebibytes(m.With)), "–"
	}
	if m.Streams > 0 {
		per = fmt.Sprintf("%.1f KiB", m.PerStream/1024)
	}
	if m.EnvoyBefore > 0 {
		envoy, request = fmt.Sprintf("%.1f and %.1f MiB", mebibytes(m.EnvoyBefore), mebibytes(m.EnvoyWith)), fmt.Sprintf("%.1f KiB", m.EnvoyRequest/1024)
	}
	if m.EnvoyBefore > 0 && m.Variant != alone {
		more = minus(fmt.Sprintf("%+.1f KiB", m.EnvoyMore/1024))
	}
	return "| " + strings.Join([]string{m.Variant, streams, service, per, envoy, request, more}, " | ") + " |\n"
}

func mebibytes(n int) float64 { return float64(n) / (1 << 20) }

const nothing = ""

func plain(s *spread) string {
	if s == nil {
		return nothing
	}
	return fmt.Sprintf("%.1f", s.Median)
}

func rounded(s *spread) string {
	if s == nil {
		return nothing
	}
	return fmt.Sprintf("%.2f", s.Median)
}

func inBrackets(s *spread) string {
	if s == nil {
		return nothing
	}
	return fmt.Sprintf("(%.0f)", s.Median)
}

func signed(s *spread) string {
	if s == nil {
		return nothing
	}
	return minus(fmt.Sprintf("%+.1f", s.Median))
}

// ranged tells the median and, in brackets, the least and the most of all rounds.
func ranged(s *spread) string {
	if s == nil {
		return nothing
	}
	return minus(fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Least, s.Most))
}

// minus gives numbers the sign that is as wide as a plus.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// circumstances says what was measured where, and how well.
func (r *results) circumstances() string {
	s := fmt.Sprintf("%s, %s with %d cores (%s); %s, Envoy %s with one worker, grpc-go %s, %s. ",
		r.Date, r.Machine.CPU, r.Machine.Cores, r.Machine.System, r.Versions.Corsproc, r.Versions.Envoy, r.Versions.GRPC, r.Versions.Go)
	s += fmt.Sprintf("CPU is per answer, with %d connections that ask without a pause for %s; medians of %d rounds in which all variants take turns, least and most in brackets. ",
		r.Settings.Connections, r.Settings.Load, r.Rounds.Closed)
	if r.Rounds.Open > 0 {
		s += fmt.Sprintf("Latency is at %d requests per second; medians of %d rounds of %s. ", r.Settings.OpenRate, r.Rounds.Open, r.Settings.OpenLoad)
	}
	if len(r.Reloads) > 0 {
		s += fmt.Sprintf("Reloads: %d rounds of %s, each at the same rate. ", r.Settings.ReloadRounds, r.Settings.ReloadLoad)
	}
	s += fmt.Sprintf("“More” is over Envoy alone, whose own figures are in brackets. Others used %.0f %% of the machine (median; at most %.0f %%); %s dropped because it was more than %.0f %%.\n",
		100*r.Rounds.OthersMedian, 100*r.Rounds.OthersHighest, counted(r.Rounds.Dropped), 100*r.Settings.OthersLimit)
	return s
}

func counted(n int) string {
	switch n {
	case 0:
		return "no round was"
	case 1:
		return "one round was"
	}
	return fmt.Sprintf("%d rounds were", n)
}
