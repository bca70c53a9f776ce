package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"github.com/corsproc/corsproc/server/logtest"
)

// spanCollector takes spans over OTLP.
type spanCollector struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*tracev1.Span
}

func (c *spanCollector) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range r.GetResourceSpans() {
		for _, s := range of.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func startSpanCollector(t *testing.T) (c *spanCollector, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = &spanCollector{}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return c, l.Addr().String()
}

const (
	someTrace  = "0af7651916cd43dd8448eb211c80319c"
	someParent = "b7ad6b7169203331"
)

// traced is a visit of a page that Envoy traces.
func traced(origin string) visit {
	return visit{
		headers: map[string]string{":method": "GET", ":scheme": "https", ":authority": "api.example.com", ":path": "/", "origin": origin},
		initial: []string{"traceparent", "00-" + someTrace + "-" + someParent + "-01"},
	}
}

// TestTraces makes requests of two pages, stops the server, and looks at what the collector has: everything.
func TestTraces(t *testing.T) {
	c, address := startSpanCollector(t)
	r := start(t, somePolicies, func(s *Settings) { s.OTLPEndpoint = address })
	conn := r.connect()
	traced("https://shop.example.com").pay(t, conn)
	traced("https://evil.example").pay(t, conn)

	r.has(`corsproc_trace_spans_total{result="dropped"} 0`)
	eventually(t, func() error {
		body := r.openMetrics()
		if !strings.Contains(body, `trace_id="`+someTrace+`"} `) {
			return fmt.Errorf("no exemplar of the trace:\n%s", body)
		}
		return nil
	})
	conn.Close()
	r.signals <- syscall.SIGTERM
	if err := r.ended(); err != nil {
		t.Fatal(err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	reasons := map[string]string{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) != someTrace || hex.EncodeToString(s.GetParentSpanId()) != someParent {
			t.Errorf("a span of trace %x below %x", s.GetTraceId(), s.GetParentSpanId())
		}
		of := map[string]string{}
		for _, a := range s.GetAttributes() {
			of[a.GetKey()] = a.GetValue().GetStringValue()
		}
		reasons[of["corsproc.reason"]] = of["corsproc.virtual_host"] + " " + of["corsproc.policy"] + " " + of["corsproc.verdict"]
		if text := s.String(); strings.Contains(text, "evil") {
			t.Errorf("a client's text is in a span: %s", text)
		}
	}
	if len(c.spans) != 2 || reasons["allowed"] != "api shop allowed" || reasons["origin_not_allowed"] != "api  refused" {
		t.Errorf("%d spans, with %v", len(c.spans), reasons)
	}
}

// A collector that is not there holds up neither requests nor, for long, the stop.
func TestTracesWithoutCollector(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r := start(t, somePolicies, func(s *Settings) { s.OTLPEndpoint = "http://" + l.Addr().String(); s.DrainTimeout = time.Second })
	conn := r.connect()
	traced("https://shop.example.com").pay(t, conn)
	conn.Close()
	began := time.Now()
	r.signals <- syscall.SIGTERM
	if err := r.ended(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > flushMost+2*time.Second {
		t.Errorf("the stop took %v", took)
	}
	r.logged("the last traces are lost")
}

// TestTracingIsOff looks for goroutines of OpenTelemetry's where nobody asked for traces.
func TestTracingIsOff(t *testing.T) {
	r := start(t, somePolicies, nil)
	traced("https://shop.example.com").pay(t, r.connect())
	eventually(t, func() error { // those of earlier tests are on their way out
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
			if bytes.Contains(stack, []byte("go.opentelemetry.io/")) {
				return fmt.Errorf("a goroutine of OpenTelemetry's:\n%s", stack)
			}
		}
		return nil
	})
	if _, body := r.http("GET", "/metrics"); strings.Contains(body, "corsproc_trace") || strings.Contains(body, "trace_id") {
		t.Error("/metrics has traces")
	}
}

func TestTracesCannotStart(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
	s := Settings{Policies: "policies.yaml", Listen: []string{"127.0.0.1:0"}, OTLPEndpoint: "nowhere"}
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), `otlp-endpoint: "nowhere" is no address of a collector`) {
		t.Errorf("error %v", err)
	}
	p := newProcess(&Settings{Listen: []string{"127.0.0.1:0"}, OTLPEndpoint: "127.0.0.1:4317"}, Environment{Log: new(logtest.Buffer)})
	if err := p.startTracing(t.Context()); err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "http/json") {
		t.Errorf("error %v", err)
	}
}

// openMetrics returns /metrics in the form that has exemplars.
func (r *running) openMetrics() string {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+r.admin+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(body)
}
