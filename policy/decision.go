package policy

// Tested by cases_test.go and cost_test.go.

// Kind is the kind of a request.
type Kind uint8

const (
	NotCORS   Kind = iota // no Origin
	Preflight             // OPTIONS with an Origin and Access-Control-Request-Method
	Actual                // an Origin and anything else
)

// String returns the kind as it stands in metrics, logs and metadata.
func (k Kind) String() string { return [...]string{"not_cors", "preflight", "actual"}[k] }

// Verdict is the outcome of a decision.
type Verdict uint8

const (
	None     Verdict = iota // there was nothing to decide: not CORS, same-origin, or passthrough
	Allowed                 // the page may read the answer, or send the request it asked for
	Refused                 // it may not
	Rejected                // it may not, and the request was stopped before it reached the upstream
)

// String returns the verdict as it stands in metadata and on the command line.
func (v Verdict) String() string { return [...]string{"none", "allowed", "refused", "rejected"}[v] }

// Reason is why a decision is what it is. There is exactly one, the first that applies in the order of decide.go.
type Reason uint8

const (
	ReasonNotCORS Reason = iota
	ReasonSameOrigin
	ReasonPassthrough
	ReasonAllowed
	ReasonOriginMalformed
	ReasonOriginNotAllowed
	ReasonOriginDenied
	ReasonMethodMalformed
	ReasonMethodNotAllowed
	ReasonHeaderMalformed
	ReasonHeaderNotAllowed
	ReasonPathAmbiguous
	ReasonPolicyUnknown
	ReasonPreflightUnanswered
)

var reasonNames = [...]string{
	ReasonNotCORS:             "not_cors",
	ReasonSameOrigin:          "same_origin",
	ReasonPassthrough:         "passthrough",
	ReasonAllowed:             "allowed",
	ReasonOriginMalformed:     "origin_malformed",
	ReasonOriginNotAllowed:    "origin_not_allowed",
	ReasonOriginDenied:        "origin_denied",
	ReasonMethodMalformed:     "method_malformed",
	ReasonMethodNotAllowed:    "method_not_allowed",
	ReasonHeaderMalformed:     "header_malformed",
	ReasonHeaderNotAllowed:    "header_not_allowed",
	ReasonPathAmbiguous:       "path_ambiguous",
	ReasonPolicyUnknown:       "policy_unknown",
	ReasonPreflightUnanswered: "preflight_unanswered",
}

// Reasons returns every reason, for tables that are made ahead.
func Reasons() []Reason {
	all := make([]Reason, len(reasonNames))
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// String returns the reason as it stands in metrics, logs, metadata and on the command line.
func (r Reason) String() string { return reasonNames[r] }

// Advice says what to do about requests that are refused for a reason that no policy can change; empty for every other.
func (r Reason) Advice() string {
	if r == ReasonPreflightUnanswered {
		return "no policy decided: another filter, or Envoy itself, answered this preflight before corsproc was asked; " +
			"put corsproc first in http_filters"
	}
	return ""
}

// Outcome is what a list of policies makes of a request.
type Outcome struct {
	Verdict Verdict
	Reason  Reason
}

// Action is what has to be done about a request.
type Action uint8

const (
	// Pass: nothing, in neither phase (passthrough).
	Pass Action = iota
	// Adjust: the request goes on unchanged; the response's headers are replaced by [Decision.AppendResponse].
	Adjust
	// Respond: the request is answered at once with [Decision.AppendImmediate] and does not reach the upstream.
	Respond
)

// Decision is everything that is decided about one request. It is a plain value: the phases of a request, metrics, logs
// and explanations all read this one. It refers to the [Set] that made it and keeps substrings of the [Request].
type Decision struct {
	Kind Kind
	Outcome
	HasCandidate bool    // the place has candidates, and Candidate is their outcome
	Candidate    Outcome // never applied

	VirtualHost string // the virtual host's name, else its first domain; "default" for requests in none
	Policy      string // the policy that decided, "none", "passthrough", or empty where none matched
	Rule        Rule   // what decided; [Set.Locate] knows where it stands

	answer answer
}

// Action returns what has to be done about the request.
func (d *Decision) Action() Action { return d.answer.action }

// Details returns the text for Envoy's response code details: cors_ and the reason.
func (d *Decision) Details() string { return detailNames[d.Reason] }

// CandidateDiffers reports whether the place has candidates that would have come to another outcome.
func (d *Decision) CandidateDiffers() bool { return d.HasCandidate && d.Candidate != d.Outcome }

var detailNames = func() (names [len(reasonNames)]string) {
	for i, n := range reasonNames {
		names[i] = "cors_" + n
	}
	return
}()
