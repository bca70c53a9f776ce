package tracing

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
)

const (
	traceID  = "0af7651916cd43dd8448eb211c80319c"
	parentID = "b7ad6b7169203331"
	sampled  = "00-" + traceID + "-" + parentID + "-01"
)

// clean takes away what the environment of the tests may say.
func clean(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
}

func startTracer(t *testing.T, o Options) *Tracer {
	t.Helper()
	o.Version = "v1"
	o.Log = slog.New(slog.DiscardHandler)
	if o.Decided == nil {
		o.Decided = func(time.Duration, string, string) {}
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	tracer, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shutdown(tracer, time.Second) })
	return tracer
}

func shutdown(t *Tracer, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return t.Shutdown(ctx)
}

// stream is a stream from beginning to end.
func stream(t *Tracer, traceparent, tracestate string, code codes.Code, d *policy.Decision) {
	o := t.Observe(traceparent, tracestate)
	if o == nil {
		return
	}
	if d != nil {
		o.Decided(d, time.Microsecond)
	}
	o.Ended(code)
}

func attributesOf(s *tracev1.Span) map[string]string {
	all := map[string]string{}
	for _, a := range s.GetAttributes() {
		all[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return all
}

func TestSpan(t *testing.T) {
	clean(t)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	c := startCollector(t)
	var examples []string
	tracer := startTracer(t, Options{Endpoint: c.address, Decided: func(took time.Duration, trace, span string) {
		examples = append(examples, took.String()+" "+trace)
	}})
	refused := &policy.Decision{Kind: policy.Actual, VirtualHost: "api", Policy: "shop", HasCandidate: true,
		Outcome:   policy.Outcome{Verdict: policy.Refused, Reason: policy.ReasonOriginNotAllowed},
		Candidate: policy.Outcome{Verdict: policy.Allowed, Reason: policy.ReasonAllowed}}
	stream(tracer, sampled, "vendor=1", codes.OK, refused)
	if err := shutdown(tracer, patience); err != nil {
		t.Fatal(err)
	}
	spans, resource := c.taken()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1", len(spans))
	}
	s := spans[0]
	if hex.EncodeToString(s.GetTraceId()) != traceID || hex.EncodeToString(s.GetParentSpanId()) != parentID || s.GetTraceState() != "vendor=1" {
		t.Errorf("the span is in trace %x, below %x, with state %q", s.GetTraceId(), s.GetParentSpanId(), s.GetTraceState())
	}
	if s.GetName() != spanName || s.GetKind() != tracev1.Span_SPAN_KIND_SERVER || s.GetStatus().GetCode() != tracev1.Status_STATUS_CODE_UNSET {
		t.Errorf("name %q, kind %v, status %v", s.GetName(), s.GetKind(), s.GetStatus())
	}
	want := map[string]string{
		"rpc.system": "grpc", "rpc.service": "envoy.service.ext_proc.v3.ExternalProcessor", "rpc.method": "Process", "rpc.grpc.status_code": "",
		"corsproc.virtual_host": "api", "corsproc.policy": "shop", "corsproc.kind": "actual", "corsproc.verdict": "refused",
		"corsproc.reason": "origin_not_allowed", "corsproc.candidate_verdict": "allowed", "corsproc.candidate_reason": "allowed",
	}
	if diff := cmp.Diff(want, attributesOf(s)); diff != "" {
		t.Error(diff)
	}
	if resource["service.name"] != "corsproc" || resource["service.version"] != "v1" || resource["deployment.environment.name"] != "test" {
		t.Errorf("sent by %v", resource)
	}
	if want := []string{"1µs " + traceID}; !cmp.Equal(examples, want) {
		t.Errorf("examples %v, want %v", examples, want)
	}
	if got := tracer.Counts(); got != (Counts{Exported: 1}) {
		t.Errorf("counts %+v", got)
	}
}

func TestParents(t *testing.T) {
	allowed := &policy.Decision{VirtualHost: "api"}
	for _, test := range []struct {
		name, traceparent string
		joined, kept      bool
	}{
		{"sampled", sampled, true, true},
		{"Envoy keeps none of it", "00-" + traceID + "-" + parentID + "-00", true, false},
		{"none", "", false, true},
		{"a later version", "cc-" + traceID + "-" + parentID + "-01-what", true, true},
		{"the version that is none", "ff-" + traceID + "-" + parentID + "-01", false, true},
		{"upper case", strings.ToUpper(sampled), false, true},
		{"zeros", "00-" + strings.Repeat("0", 32) + "-" + parentID + "-01", false, true},
		{"cut", sampled[:50], false, true},
		{"longer", sampled + "-00", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			clean(t)
			c := startCollector(t)
			tracer := startTracer(t, Options{Endpoint: "http://" + c.address})
			stream(tracer, test.traceparent, "", codes.Internal, allowed)
			if err := shutdown(tracer, patience); err != nil {
				t.Fatal(err)
			}
			spans, _ := c.taken()
			if len(spans) != 1 {
				if test.kept || len(spans) > 1 {
					t.Fatalf("%d spans", len(spans))
				}
				return
			}
			if joined := hex.EncodeToString(spans[0].GetTraceId()) == traceID; joined != test.joined || !test.kept {
				t.Errorf("joined %t, want %t; kept, want %t", joined, test.joined, test.kept)
			}
			if st := spans[0].GetStatus(); st.GetCode() != tracev1.Status_STATUS_CODE_ERROR || st.GetMessage() != "Internal" {
				t.Errorf("status %v", st)
			}
		})
	}
}

// A collector that hangs costs no more memory than the queue, and no request its time; a stop does not wait for it.
func TestCollectorHangs(t *testing.T) {
	clean(t)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
	c := startCollector(t)
	c.hangs = make(chan struct{})
	tracer := startTracer(t, Options{Endpoint: c.address})
	for range 1000 {
		stream(tracer, "", "", codes.OK, nil)
	}
	if got := tracer.Counts(); got != (Counts{Dropped: 900}) {
		t.Errorf("counts %+v, want 900 of 1000 dropped", got)
	}
	began := time.Now()
	if err := shutdown(tracer, 100*time.Millisecond); err == nil {
		t.Error("a stop that sent nothing says that it did")
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("the stop took %v", took)
	}
	close(c.hangs)
}

func TestCollectorRefuses(t *testing.T) {
	clean(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	c := startCollector(t)
	c.refuse(status.Error(codes.InvalidArgument, "no"))
	told := make(chan error, 10)
	tracer := startTracer(t, Options{Endpoint: c.address, Failed: func(err error) { told <- err }})
	stream(tracer, "", "", codes.OK, nil)
	for err := range told { // one of an earlier test's may come here, too
		if status.Code(err) == codes.InvalidArgument || strings.Contains(err.Error(), "InvalidArgument") {
			break
		}
	}
	if got := tracer.Counts(); got != (Counts{Failed: 1}) {
		t.Errorf("counts %+v, want one failed", got)
	}
	// There is room again.
	c.refuse(nil)
	stream(tracer, "", "", codes.OK, nil)
	if err := shutdown(tracer, patience); err != nil {
		t.Fatal(err)
	}
	if got := tracer.Counts(); got != (Counts{Failed: 1, Exported: 1}) {
		t.Errorf("counts %+v", got)
	}
}

// Spans also go where the environment alone says, and over HTTP.
func TestEnvironment(t *testing.T) {
	clean(t)
	paths := make(chan string, 10)
	spans := make(chan int, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		paths <- r.URL.Path + " " + r.Header.Get("X-Key")
		spans <- len(m.GetResourceSpans())
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret")
	for name, endpoint := range map[string]string{"the environment's": "", "the setting's": s.URL} {
		if endpoint == "" {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
		} else {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1") // the setting wins
		}
		if !Enabled(endpoint) {
			t.Errorf("%s endpoint does not switch tracing on", name)
		}
		tracer := startTracer(t, Options{Endpoint: endpoint})
		stream(tracer, "", "", codes.OK, nil)
		if err := shutdown(tracer, patience); err != nil {
			t.Fatalf("%s endpoint: %v", name, err)
		}
		if got := <-paths; got != "/v1/traces secret" || <-spans != 1 {
			t.Errorf("%s endpoint: spans came to %q", name, got)
		}
	}
}

func TestSampler(t *testing.T) {
	clean(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	c := startCollector(t)
	tracer := startTracer(t, Options{Endpoint: c.address})
	if tracer.Observe(sampled, "") != nil {
		t.Error("a stream of a trace that is not kept is observed")
	}
}

func TestEnabled(t *testing.T) {
	for _, test := range []struct {
		endpoint string
		env      []string
		want     bool
	}{
		{"", nil, false},
		{"127.0.0.1:4317", nil, true},
		{"", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"}, true},
		{"", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4317"}, true},
		{"", []string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:4317"}, false},
		{"", []string{"OTEL_TRACES_EXPORTER", "otlp"}, true},
		{"127.0.0.1:4317", []string{"OTEL_TRACES_EXPORTER", "none"}, false},
		{"127.0.0.1:4317", []string{"OTEL_SDK_DISABLED", "TRUE"}, false},
		{"127.0.0.1:4317", []string{"OTEL_SDK_DISABLED", "false"}, true},
	} {
		t.Run("", func(t *testing.T) {
			clean(t)
			for i := 0; i < len(test.env); i += 2 {
				t.Setenv(test.env[i], test.env[i+1])
			}
			if got := Enabled(test.endpoint); got != test.want {
				t.Errorf("%q, %v: %t, want %t", test.endpoint, test.env, got, test.want)
			}
		})
	}
}

func TestStartErrors(t *testing.T) {
	for name, env := range map[string][2]string{
		"a protocol that is not there":  {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
		"an exporter that is not there": {"OTEL_TRACES_EXPORTER", "zipkin"},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			t.Setenv(env[0], env[1])
			_, err := Start(t.Context(), Options{Endpoint: "127.0.0.1:4317", Log: slog.New(slog.DiscardHandler)})
			if err == nil || !strings.Contains(err.Error(), env[0]) || !strings.Contains(err.Error(), env[1]) {
				t.Errorf("error %v, want one about %v", err, env)
			}
		})
	}
	if _, err := Start(t.Context(), Options{Endpoint: "nowhere", Log: slog.New(slog.DiscardHandler)}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:4317": "http://127.0.0.1:4317", "[::1]:4317": "http://[::1]:4317", "collector:4317": "http://collector:4317",
		"http://collector:4317": "http://collector:4317", "https://collector/otlp": "https://collector/otlp",
		"": "", "collector": "", ":4317": "", "collector:": "", "grpc://collector:4317": "", "http://": "", "unix:///s": "", "http://u:p@c:1": "", "http://c:1?x=1": "", "c:1/x": "",
	} {
		got, err := ParseEndpoint(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}
