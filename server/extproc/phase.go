package extproc

// Tested by server_test.go and server/admin/metrics_test.go.

// Phase is the phase of an HTTP request that a message of Envoy's is about.
type Phase uint8

const (
	PhaseOther           Phase = iota // a body, trailers, or nothing
	PhaseRequestHeaders               // request_headers
	PhaseResponseHeaders              // response_headers
	Phases                            // how many are told apart
)

// String returns the phase as it stands in metrics.
func (p Phase) String() string {
	return [Phases]string{"other", "request_headers", "response_headers"}[p]
}
