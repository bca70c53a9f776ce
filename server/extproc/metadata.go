package extproc

// Tested by exchange_test.go.

import "github.com/corsproc/corsproc/policy"

// namespace is where Envoy keeps our dynamic metadata. It drops them unless its configuration lists this namespace in
// receiving_namespaces.
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
	var scratch [policy.MaxFacts]policy.Fact
	for _, fact := range d.AppendFacts(scratch[:0]) {
		out = appendFact(out, fact)
	}
	return finish(finish(finish(finish(out, own), value), field), metadata)
}

// appendFact appends a field of a Struct that is a text.
func appendFact(out []byte, fact policy.Fact) []byte {
	out, field := begin(out, structFields)
	out = appendText(out, entryKey, fact.Name)
	out, value := begin(out, entryValue)
	out = appendText(out, valueText, fact.Text)
	return finish(finish(out, value), field)
}
