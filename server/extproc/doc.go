// Package extproc speaks Envoy's external-processing protocol (envoy.service.ext_proc.v3): it carries the facts of a
// request to package policy and the decision back to Envoy.
//
// The package knows neither files nor settings nor metrics. It is handed a compiled set and tells its [Hooks] what
// happened; it decides nothing itself.
//
// Start reading at stream.go, the state machine of one stream, which is one HTTP request. Envoy's messages come in
// through codec.go, facts.go and attributes.go and go out through reply.go and metadata.go; nothing else touches the
// insides of the generated types.
package extproc
