// Package tracing makes an OpenTelemetry span of every ext_proc stream, with the decision as its attributes, as a part of
// the trace that Envoy has begun. It is started only where it is configured: without that, nothing of OpenTelemetry runs.
//
// It knows streams by [extproc.Observer] alone, and neither policies nor files. What it says of a request are names of the
// policy set, never text of a client's.
//
// Start reading at [Start]; config.go says when tracing is on and where spans go, gate.go bounds what waits to go there.
package tracing
