// Package extproc speaks Envoy's external-processing protocol (envoy.service.ext_proc.v3): it carries the facts of a
// request to package policy and the decision back to Envoy.
//
// The package knows neither files nor settings nor metrics. It is handed a compiled set and tells its [Hooks] what
// happened; it decides nothing itself.
//
// Start reading at stream.go, the state machine of one stream, which is one HTTP request. inbound.go, facts.go and
// attributes.go read the two messages about headers straight from Envoy's bytes; reply.go and metadata.go write bytes.
// unusual.go uses the generated types for all else. docs/performance.md says what that saves.
package extproc
