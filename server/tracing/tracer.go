package tracing

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/extproc"
)

// spanName is the gRPC method, as OpenTelemetry's conventions for RPC have it.
const spanName = "envoy.service.ext_proc.v3.ExternalProcessor/Process"

// common are the attributes that every span has.
var common = trace.WithAttributes(
	attribute.String("rpc.system", "grpc"),
	attribute.String("rpc.service", "envoy.service.ext_proc.v3.ExternalProcessor"),
	attribute.String("rpc.method", "Process"),
)

// Tracer makes spans.
type Tracer struct {
	gate     *gate
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	decided  func(took time.Duration, traceID, spanID string)
}

// Options are what [Start] is told beside the environment. The functions are called from several goroutines.
type Options struct {
	// Endpoint is the address of the collector, as [ParseEndpoint] reads it. Empty: the environment says.
	Endpoint string
	// Version is ours.
	Version string
	// Log takes what OpenTelemetry says of itself.
	Log *slog.Logger
	// Decided is called for every decision in a trace that is kept, with the identifiers in hexadecimal digits.
	Decided func(took time.Duration, traceID, spanID string)
	// Failed is called when spans could not be sent, and for other errors of OpenTelemetry's.
	Failed func(error)
}

// Start starts a tracer. Sampling, limits and the queue follow the standard OTEL_ variables. By default Envoy's decision about
// a trace holds, and a trace that begins here is kept. There may be one tracer at a time, because OpenTelemetry has one error
// handler for the whole process.
func Start(ctx context.Context, o Options) (*Tracer, error) {
	exporter, err := newExporter(ctx, o.Endpoint)
	if err != nil {
		return nil, err
	}
	// Later ones win: who runs this may name it otherwise.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "corsproc"), attribute.String("service.version", o.Version)),
		resource.WithFromEnv())
	if err != nil {
		_ = exporter.Shutdown(ctx)
		return nil, err
	}
	otel.SetLogger(logr.FromSlogHandler(o.Log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(o.Failed))
	t := &Tracer{gate: newGate(exporter), decided: o.Decided}
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSpanProcessor(t.gate))
	t.tracer = t.provider.Tracer("github.com/corsproc/corsproc", trace.WithInstrumentationVersion(o.Version))
	return t, nil
}

// Counts returns what became of the spans so far.
func (t *Tracer) Counts() Counts { return t.gate.counts() }

// Shutdown sends what is left and returns when that is done, or when ctx ends.
func (t *Tracer) Shutdown(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Observe begins the span of a stream that carries these headers of W3C Trace Context. Where they are not well-formed, the
// span begins a trace of its own.
func (t *Tracer) Observe(traceparent, tracestate string) *extproc.Observer {
	ctx := propagation.TraceContext{}.Extract(context.Background(),
		propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate})
	_, span := t.tracer.Start(ctx, spanName, trace.WithSpanKind(trace.SpanKindServer), common)
	if !span.IsRecording() {
		return nil
	}
	return &extproc.Observer{
		Decided: func(d *policy.Decision, took time.Duration) {
			span.SetAttributes(attributes(d)...)
			if c := span.SpanContext(); c.IsSampled() {
				t.decided(took, c.TraceID().String(), c.SpanID().String())
			}
		},
		Ended: func(code codes.Code) {
			span.SetAttributes(attribute.Int("rpc.grpc.status_code", int(code)))
			if code != codes.OK {
				span.SetStatus(otelcodes.Error, code.String())
			}
			span.End()
		},
	}
}

// attributes are the facts of a decision.
func attributes(d *policy.Decision) []attribute.KeyValue {
	var scratch [policy.MaxFacts]policy.Fact
	facts := d.AppendFacts(scratch[:0])
	all := make([]attribute.KeyValue, len(facts))
	for i, fact := range facts {
		all[i] = attribute.String("corsproc."+fact.Name, fact.Text)
	}
	return all
}
