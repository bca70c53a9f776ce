package extproc

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/policy"
)

// namespace is where Envoy keeps our dynamic metadata, if its configuration lists it in receiving_namespaces; if not,
// Envoy drops it.
const namespace = "corsproc"

// metadata says in Envoy's dynamic metadata what was decided, for access logs and later filters. It holds words of ours
// and names of the set, nothing that a client sent.
func (p *Prepared) metadata(d *policy.Decision) *structpb.Struct {
	fields := map[string]*structpb.Value{
		"virtual_host": p.name(d.VirtualHost),
		"policy":       p.name(d.Policy),
		"kind":         structpb.NewStringValue(d.Kind.String()),
		"verdict":      structpb.NewStringValue(d.Verdict.String()),
		"reason":       structpb.NewStringValue(d.Reason.String()),
	}
	if d.CandidateDiffers() {
		fields["candidate_verdict"] = structpb.NewStringValue(d.Candidate.Verdict.String())
		fields["candidate_reason"] = structpb.NewStringValue(d.Candidate.Reason.String())
	}
	// The values of namespaces have to be structs themselves.
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		namespace: structpb.NewStructValue(&structpb.Struct{Fields: fields}),
	}}
}
