package tracing

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// patience is how long a test waits for what happens at once.
const patience = 20 * time.Second

// fakeCollector takes spans over OTLP.
type fakeCollector struct {
	collector.UnimplementedTraceServiceServer
	address string
	hangs   chan struct{} // not nil: it answers when that is closed

	mu      sync.Mutex
	refuses error // what it answers
	spans   []*tracev1.ResourceSpans
}

func startCollector(t *testing.T) *fakeCollector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &fakeCollector{address: l.Addr().String()}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return c
}

func (c *fakeCollector) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	if c.hangs != nil {
		select {
		case <-c.hangs:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuses != nil {
		return nil, c.refuses
	}
	c.spans = append(c.spans, r.GetResourceSpans()...)
	return &collector.ExportTraceServiceResponse{}, nil
}

func (c *fakeCollector) refuse(with error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuses = with
}

// taken returns the spans, and the attributes of what sent them.
func (c *fakeCollector) taken() (spans []*tracev1.Span, resource map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resource = map[string]string{}
	for _, r := range c.spans {
		for _, a := range r.GetResource().GetAttributes() {
			resource[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, s := range r.GetScopeSpans() {
			spans = append(spans, s.GetSpans()...)
		}
	}
	return spans, resource
}
