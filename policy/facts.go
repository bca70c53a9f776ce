package policy

// A Fact is something that a decision says of itself: words of ours and names of the set, nothing that a client sent.
type Fact struct{ Name, Text string }

// The names of the facts. They are the same wherever a decision is told: in dynamic metadata, logs, spans, the labels of
// metrics, and the fields of corsproc.v1.Decision.
const (
	FactVirtualHost      = "virtual_host"
	FactPolicy           = "policy"
	FactKind             = "kind"
	FactVerdict          = "verdict"
	FactReason           = "reason"
	FactCandidateVerdict = "candidate_verdict"
	FactCandidateReason  = "candidate_reason"
)

// MaxFacts is how many facts a decision has at most.
const MaxFacts = 7

// AppendFacts appends the facts of the decision, in the order above. What candidates would have decided is one only where
// that differs ([Decision.CandidateDiffers]).
func (d *Decision) AppendFacts(to []Fact) []Fact {
	to = append(to,
		Fact{FactVirtualHost, d.VirtualHost}, Fact{FactPolicy, d.Policy}, Fact{FactKind, d.Kind.String()},
		Fact{FactVerdict, d.Verdict.String()}, Fact{FactReason, d.Reason.String()})
	if d.CandidateDiffers() {
		to = append(to, Fact{FactCandidateVerdict, d.Candidate.Verdict.String()}, Fact{FactCandidateReason, d.Candidate.Reason.String()})
	}
	return to
}
