package extproc

import "github.com/corsproc/corsproc/policy"

// namespace is where Envoy keeps our dynamic metadata, if its configuration lists it in receiving_namespaces; if not,
// Envoy drops it.
const namespace = "corsproc"

const (
	valueStruct = 5
)

// appendMetadata says in Envoy's dynamic metadata what was decided, for access logs and later filters. It holds words of
// ours and names of the set, nothing that a client sent.
func appendMetadata(out []byte, d *policy.Decision) []byte {
	out, metadata := begin(out, replyMetadata)
	out, field := begin(out, structFields)
	out = appendText(out, entryKey, namespace)
	// The values of namespaces have to be structs themselves.
	out, value := begin(out, entryValue)
	out, own := begin(out, valueStruct)
	out = appendFact(out, "virtual_host", d.VirtualHost)
	out = appendFact(out, "policy", d.Policy)
	out = appendFact(out, "kind", d.Kind.String())
	out = appendFact(out, "verdict", d.Verdict.String())
	out = appendFact(out, "reason", d.Reason.String())
	if d.CandidateDiffers() {
		out = appendFact(out, "candidate_verdict", d.Candidate.Verdict.String())
		out = appendFact(out, "candidate_reason", d.Candidate.Reason.String())
	}
	return finish(finish(finish(finish(out, own), value), field), metadata)
}

// appendFact appends a field of a Struct that is a text.
func appendFact(out []byte, name, text string) []byte {
	out, field := begin(out, structFields)
	out = appendText(out, entryKey, name)
	out, value := begin(out, entryValue)
	out = appendText(out, valueText, text)
	return finish(finish(out, value), field)
}
