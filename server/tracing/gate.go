package tracing

// Tested by tracer_test.go.

import (
	"context"
	"os"
	"strconv"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Counts is what became of spans.
type Counts struct {
	Exported uint64 // the collector has them
	Dropped  uint64 // too many waited
	Failed   uint64 // the collector did not take them
}

// gate counts what becomes of spans. It stands before OpenTelemetry's queue, which drops spans without counting them, and lets
// no more in than the queue holds. It is also the exporter behind the queue, and so knows what has left.
type gate struct {
	sdktrace.SpanProcessor // the queue
	exporter               sdktrace.SpanExporter

	most                      int64
	inside                    atomic.Int64 // in the queue, or being exported
	exported, dropped, failed atomic.Uint64
}

// defaultQueue is OpenTelemetry's own, for OTEL_BSP_MAX_QUEUE_SIZE. A span is about a kilobyte.
const defaultQueue = 2048

func newGate(exporter sdktrace.SpanExporter) *gate {
	g := &gate{exporter: exporter, most: defaultQueue}
	if n, err := strconv.Atoi(os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE")); err == nil && n > 0 {
		g.most = int64(n)
	}
	g.SpanProcessor = sdktrace.NewBatchSpanProcessor(exporting{g}, sdktrace.WithMaxQueueSize(int(g.most)))
	return g
}

// OnEnd takes a span that has ended. It never waits.
func (g *gate) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return // the queue would not take it
	}
	if g.inside.Add(1) > g.most {
		g.inside.Add(-1)
		g.dropped.Add(1)
		return
	}
	g.SpanProcessor.OnEnd(s)
}

// Shutdown sends what is left until ctx ends, and then breaks the sending off. The queue alone would go on.
func (g *gate) Shutdown(ctx context.Context) error {
	err := g.SpanProcessor.Shutdown(ctx)
	if ctx.Err() != nil {
		_ = g.exporter.Shutdown(ctx)
	}
	return err
}

func (g *gate) counts() Counts {
	return Counts{Exported: g.exported.Load(), Dropped: g.dropped.Load(), Failed: g.failed.Load()}
}

// exporting is the gate at the other end of the queue.
type exporting struct{ g *gate }

func (e exporting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.g.exporter.ExportSpans(ctx, spans)
	n := len(spans)
	e.g.inside.Add(-int64(n))
	if err != nil {
		e.g.failed.Add(uint64(n))
	} else {
		e.g.exported.Add(uint64(n))
	}
	return err
}

func (e exporting) Shutdown(ctx context.Context) error { return e.g.exporter.Shutdown(ctx) }
