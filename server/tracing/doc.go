// Package tracing makes an OpenTelemetry span of every ext_proc stream, in the trace that Envoy has begun. The facts of the
// decision are its attributes. Nothing of OpenTelemetry runs unless it is configured.
//
// It knows streams by [extproc.Observer] alone, and neither policies nor files. What it says of a request are names of the
// policy set, never text of a client's.
//
// Start reading at [Start]; config.go says when tracing is on and where spans go, gate.go bounds what waits to go there.
package tracing
