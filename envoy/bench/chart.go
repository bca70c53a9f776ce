//go:build linux

package main

// Tested by results_test.go and bench_test.go.

import (
	"fmt"
	"slices"
	"strings"
)

// Measures of the chart, in pixels.
const (
	chartWidth = 784
	barLeft    = 285 // where bars begin; their names end before it
	barRight   = 680 // where the longest ends; its figure follows
	barHeight  = 16
	lineHeight = 24
	groupSpace = 30 // above a group, with its heading in it
	chartTop   = 66
)

// chart draws what each variant costs over Envoy alone, as SVG of shapes and text that follows the reader's colour
// scheme. It brings its own paper: a page may follow another scheme than the reader's browser.
func (r *results) chart() string {
	longest := 1.0
	for _, row := range r.Rows {
		if slices.Contains(charted, row.Kind) {
			longest = max(longest, row.service()+row.envoyOver())
		}
	}
	scale := float64(barRight-barLeft) / longest
	var body strings.Builder
	y := chartTop
	for _, kind := range charted {
		y += groupSpace
		fmt.Fprintf(&body, `<text class="strong" x="0" y="%d">%s</text>`+"\n", y-10, kind)
		for _, row := range r.Rows {
			if row.Kind == kind && row.Variant != alone {
				body.WriteString(row.bar(y, scale))
				y += lineHeight
			}
		}
	}
	return fmt.Sprintf(chartFrame, chartWidth, y+14, chartWidth, y+14, body.String())
}

// bar draws one row: the service's part, then Envoy's. What is less than nothing, where a request need not go upstream,
// has no length.
func (row row) bar(y int, scale float64) string {
	service, envoy := row.service(), row.envoyOver()
	at, middle := float64(barLeft), y+barHeight-4
	s := fmt.Sprintf(`<text x="%d" y="%d" text-anchor="end">%s</text>`, barLeft-10, middle, row.Variant)
	for _, part := range []struct {
		class string
		value float64
	}{{"service", service}, {"envoy", envoy}} {
		width := max(0, part.value) * scale
		if width >= 0.5 {
			s += fmt.Sprintf(`<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`, part.class, at, y, width, barHeight)
			at += width
		}
	}
	return s + fmt.Sprintf(`<text class="soft" x="%.1f" y="%d">%s µs</text>`+"\n", at+8, middle, minus(fmt.Sprintf("%.0f", service+envoy)))
}

func (row row) service() float64 { return row.Service.median() }

func (row row) envoyOver() float64 { return row.EnvoyOver.median() }

// median returns the median, 0 of what was not measured.
func (s *spread) median() float64 {
	if s == nil {
		return 0
	}
	return s.Median
}

const chartFrame = `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="-12 -6 %d %d" role="img" aria-labelledby="title">
<title id="title">CPU time per request that CORS adds to an Envoy without it, in microseconds</title>
<style>
  .paper { fill: #ffffff; }
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .strong { font-weight: 600; }
  .soft { fill: #59636e; }
  .service { fill: #2563c9; }
  .envoy { fill: #a9bccb; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .soft { fill: #9198a1; }
    .service { fill: #6ea2ff; }
    .envoy { fill: #4d6172; }
  }
</style>
<rect class="paper" x="-12" y="-6" width="100%%" height="100%%" rx="6"/>
<text class="strong" x="0" y="18">What CORS costs per request, over Envoy alone</text>
<rect class="service" x="0" y="34" width="12" height="12"/><text x="18" y="45">CPU of the service</text>
<rect class="envoy" x="150" y="34" width="12" height="12"/><text x="168" y="45">CPU of Envoy</text>
%s</svg>
`
