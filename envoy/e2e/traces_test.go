package e2e

import (
	"context"
	"encoding/hex"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// spanCollector takes the spans of Envoy and of corsproc.
type spanCollector struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans map[string][]*tracev1.Span // by service
}

func (c *spanCollector) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range r.GetResourceSpans() {
		service := ""
		for _, a := range of.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, s := range of.GetScopeSpans() {
			c.spans[service] = append(c.spans[service], s.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// of returns the spans of a service in a trace, by their identifiers.
func (c *spanCollector) of(service, trace string) map[string]*tracev1.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*tracev1.Span{}
	for _, s := range c.spans[service] {
		if hex.EncodeToString(s.GetTraceId()) == trace {
			all[hex.EncodeToString(s.GetSpanId())] = s
		}
	}
	return all
}

func startSpanCollector(t *testing.T) (*spanCollector, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &spanCollector{spans: map[string][]*tracev1.Span{}}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return c, l.Addr().String()
}

// trace switches Envoy's tracing on.
func trace(t *testing.T, c *bootstrap.Config, address string) {
	t.Helper()
	driver, err := anypb.New(&tracev3.OpenTelemetryConfig{
		ServiceName: "envoy",
		GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: "collector"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Manager.Tracing = &hcmv3.HttpConnectionManager_Tracing{Provider: &tracev3.Tracing_Http{
		Name: "envoy.tracers.opentelemetry", ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: driver},
	}}
	// A cluster that speaks HTTP/2, as corsproc's does.
	like, err := c.Cluster(bootstrap.ClusterName)
	if err != nil {
		t.Fatal(err)
	}
	own := proto.Clone(like).(*clusterv3.Cluster)
	own.Name, own.LoadAssignment.ClusterName, own.HealthChecks = "collector", "collector", nil
	c.Bootstrap.StaticResources.Clusters = append(c.Bootstrap.StaticResources.Clusters, own)
	if err := c.SetEndpoint("collector", addressOf(t, address)); err != nil {
		t.Fatal(err)
	}
}

// TestTraces follows requests of a page through Envoy into corsproc: both tell of them in the trace that the page began.
func TestTraces(t *testing.T) {
	spans, address := startSpanCollector(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10") // of corsproc, in milliseconds
	g := start(t, setup{
		policies: everybody, args: []string{"--otlp-endpoint", address},
		edit: func(c *bootstrap.Config) { trace(t, c, address) },
	})
	tests := []struct{ trace, method, origin, reason string }{
		{"0af7651916cd43dd8448eb211c803101", "GET", "https://shop.example.com", "allowed"},
		{"0af7651916cd43dd8448eb211c803102", "GET", "https://evil.example", "origin_not_allowed"},
		{"0af7651916cd43dd8448eb211c803103", "OPTIONS", "https://shop.example.com", "allowed"},
	}
	for _, test := range tests {
		g.do(test.method, "api.example.com", "/", "Origin: "+test.origin, "Access-Control-Request-Method: PUT",
			"traceparent: 00-"+test.trace+"-b7ad6b7169203331-01", "tracestate: shop=1")
	}
	deadline := time.Now().Add(patience) // Envoy sends its spans every five seconds
	for _, test := range tests {
		var ours, envoys map[string]*tracev1.Span
		for len(ours) == 0 || len(envoys) == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d spans of corsproc, %d of Envoy", test.reason, len(ours), len(envoys))
			}
			time.Sleep(10 * time.Millisecond)
			ours, envoys = spans.of("corsproc", test.trace), spans.of("envoy", test.trace)
		}
		if len(ours) != 1 {
			t.Fatalf("%s: %d spans of corsproc, want 1", test.reason, len(ours))
		}
		for _, s := range ours {
			if envoys[hex.EncodeToString(s.GetParentSpanId())] == nil {
				t.Errorf("%s: the span is below %x, which is none of Envoy's: %v", test.reason, s.GetParentSpanId(), envoys)
			}
			if s.GetTraceState() != "shop=1" || !strings.Contains(s.String(), `"`+test.reason+`"`) || strings.Contains(s.String(), "evil") {
				t.Errorf("span %v, want one with reason %s", s, test.reason)
			}
		}
	}
}
