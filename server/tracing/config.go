package tracing

// Tested by tracer_test.go.

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// ParseEndpoint reads where a collector is: host:port, which is plaintext, or a URL of http or https. It returns the URL.
func ParseEndpoint(text string) (string, error) {
	if host, port, err := net.SplitHostPort(text); err == nil && host != "" && port != "" && !strings.Contains(text, "/") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no address of a collector; write host:port, http://host:port or https://host:port", text)
	}
	return u.String(), nil
}

// Enabled reports whether there is anything to start: an endpoint is given, or the environment has one, and it does not
// switch traces off.
func Enabled(endpoint string) bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return endpoint != "" || first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") != "" ||
		os.Getenv("OTEL_TRACES_EXPORTER") == "otlp"
}

// first returns the first of the environment variables that is not empty. OpenTelemetry takes an empty one for none.
func first(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// newExporter returns what sends spans to the collector. Everything but the endpoint (headers, certificates, compression,
// timeout) it reads from the standard variables itself. It does not wait for a connection.
func newExporter(ctx context.Context, endpoint string) (sdktrace.SpanExporter, error) {
	if v := os.Getenv("OTEL_TRACES_EXPORTER"); v != "" && v != "otlp" {
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q; there are otlp and none", v)
	}
	if endpoint != "" {
		var err error
		if endpoint, err = ParseEndpoint(endpoint); err != nil {
			return nil, err
		}
	}
	switch protocol := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol {
	case "", "grpc":
		var options []otlptracegrpc.Option
		if endpoint != "" {
			options = append(options, otlptracegrpc.WithEndpointURL(endpoint))
		}
		return otlptracegrpc.New(ctx, options...)
	case "http/protobuf":
		var options []otlptracehttp.Option
		if endpoint != "" {
			options = append(options, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
		}
		return otlptracehttp.New(ctx, options...)
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q; there are grpc and http/protobuf", protocol)
	}
}
