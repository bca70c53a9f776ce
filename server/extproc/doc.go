// Package extproc speaks Envoy's external-processing protocol (envoy.service.ext_proc.v3): it carries the facts of a
// request to package policy and the decision back to Envoy.
//
// The package knows neither files nor settings nor metrics. It is handed a compiled set and tells its [Hooks] what
// happened; it decides nothing itself.
//
// Start reading at stream.go, the state machine of one stream, which is one HTTP request. The two messages that every
// request costs are read by inbound.go, facts.go and attributes.go straight from the bytes that Envoy wrote, and answered
// by reply.go and metadata.go with bytes; unusual.go has the generated types for everything else. docs/performance.md says
// what that is good for.
package extproc
