package admin

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

const (
	maxShownRefusals   = 100
	maxShownCandidates = 500
)

// status returns what Status answers. Of a set that the caller knows, the policies and places are left out.
func (h *handler) status(knownHash string) *corsprocv1.StatusResponse {
	s := &h.Source
	now := s.Status()
	refusals, dropped := s.Refusals.latest(maxShownRefusals)
	m := &corsprocv1.StatusResponse{
		Time: timestamppb.New(time.Now()), Version: s.Version, Ready: s.Ready(),
		InForce: &corsprocv1.PoliciesInForce{
			Hash: now.InForce.Hash, Since: timestamppb.New(now.Since), Path: s.Policies,
		},
		Reloads: s.Reloads.messages(), Decisions: s.Activity.message(),
		RefusalsDropped: dropped,
		Candidates:      s.Metrics.decisions.candidates(maxShownCandidates),
		Logging:         s.Logging(),
	}
	if s.Connections != nil {
		connections, most := s.Connections()
		m.Traffic = &corsprocv1.Traffic{Connections: int32(connections), ConnectionsMax: int32(most), Streams: int32(s.Metrics.streams.Load())}
	}
	for i := range refusals {
		m.Refusals = append(m.Refusals, refusals[i].message(now.InForce))
	}
	all := h.inventory.get(now.InForce)
	m.InForce.PoliciesTotal, m.InForce.VirtualHostsTotal = all.PoliciesTotal, all.VirtualHostsTotal
	if knownHash != now.InForce.Hash {
		m.InForce.Files, m.InForce.Policies, m.InForce.VirtualHosts = all.Files, all.Policies, all.VirtualHosts
	}
	return m
}

// candidates returns counts of what candidates would have decided: at most so many, those with another verdict first.
func (d *decisions) candidates(most int) []*corsprocv1.CandidateCount {
	var counts []*corsprocv1.CandidateCount
	for name, h := range d.inForce.Load().hosts {
		for k, c := range h.candidate.all() {
			counts = append(counts, &corsprocv1.CandidateCount{
				VirtualHost: name, Verdict: k.verdict.String(),
				CandidateVerdict: k.candidate.Verdict.String(), CandidateReason: k.candidate.Reason.String(), Count: c.Load(),
			})
		}
	}
	same := func(c *corsprocv1.CandidateCount) int {
		if c.Verdict == c.CandidateVerdict {
			return 1
		}
		return 0
	}
	slices.SortFunc(counts, func(a, b *corsprocv1.CandidateCount) int {
		return cmp.Or(same(a)-same(b), cmp.Compare(b.Count, a.Count), cmp.Compare(a.VirtualHost, b.VirtualHost),
			cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(a.CandidateVerdict, b.CandidateVerdict),
			cmp.Compare(a.CandidateReason, b.CandidateReason))
	})
	return counts[:min(len(counts), most)]
}
