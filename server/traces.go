package server

import (
	"context"
	"time"

	"github.com/corsproc/corsproc/server/logs"
	"github.com/corsproc/corsproc/server/tracing"
)

const (
	// At the end, the spans that are left are sent in what remains of the drain timeout: in flushMost at most, because a
	// collector may be gone, and in flushLeast at least, because open streams may have taken all of the time.
	flushMost  = 5 * time.Second
	flushLeast = time.Second
)

// startTracing starts tracing where it is configured.
func (p *process) startTracing(ctx context.Context) error {
	if !tracing.Enabled(p.settings.OTLPEndpoint) {
		return nil
	}
	if len(p.settings.Listen) == 0 {
		p.log.Warn("there are no traces, because there is no --listen, and so no request is seen; otlp-endpoint and the OTEL_ variables mean nothing")
		return nil
	}
	warnings := &logs.Throttle{Interval: time.Minute}
	t, err := tracing.Start(ctx, tracing.Options{
		Endpoint: p.settings.OTLPEndpoint, Version: p.version, Log: p.log, Decided: p.metrics.Traced,
		Failed: func(err error) {
			if warnings.Allow() {
				p.log.Warn("traces are lost; corsproc_trace_spans_total counts them", "error", err)
			}
		},
	})
	if err != nil {
		return err
	}
	p.tracer = t
	p.metrics.WatchTraces(func() (exported, dropped, failed uint64) {
		c := t.Counts()
		return c.Exported, c.Dropped, c.Failed
	})
	return nil
}

// endTracing sends what is left.
func (p *process) endTracing() {
	if p.tracer == nil {
		return
	}
	left := min(max(time.Until(p.stopBy), flushLeast), flushMost)
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	if err := p.tracer.Shutdown(ctx); err != nil {
		p.log.Warn("the last traces are lost", "error", err)
	}
}
