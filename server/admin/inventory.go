package admin

import (
	"slices"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// What the status tells of a set at most. Sets of thousands of virtual hosts are read at /config.
const (
	maxNames  = 500
	maxRoutes = 100
)

// take returns the policies and places of a set. The message's other fields are not set.
func take(r *policyfile.Result) *corsprocv1.PoliciesInForce {
	files := r.FileNames()
	m := &corsprocv1.PoliciesInForce{Files: files[:min(len(files), maxNames)]}
	rules := map[string]policy.Rule{}
	var names []string
	for name, rule := range r.Set.PolicyRules() {
		names, rules[name] = append(names, name), rule
	}
	m.PoliciesTotal = int32(len(names))
	slices.Sort(names)
	for _, name := range names[:min(len(names), maxNames)] {
		m.Policies = append(m.Policies, &corsprocv1.PolicySummary{Name: name, At: r.Location(rules[name])})
	}
	for h := range r.Set.Hosts() {
		if m.VirtualHostsTotal++; m.VirtualHostsTotal > maxNames {
			continue
		}
		host := &corsprocv1.VirtualHostSummary{Name: h.Label, Place: placeMessage(r, h.Survey), RoutesTotal: int32(h.Len())}
		for route := range h.Routes() {
			if len(host.Routes) == maxRoutes {
				break
			}
			host.Routes = append(host.Routes, &corsprocv1.RouteSummary{
				Kind: route.Kind, Match: route.Match, Place: placeMessage(r, route.Survey),
			})
		}
		m.VirtualHosts = append(m.VirtualHosts, host)
	}
	return m
}

func placeMessage(r *policyfile.Result, s policy.Survey) *corsprocv1.PlaceSummary {
	return &corsprocv1.PlaceSummary{
		At: r.Location(s.At), Policies: s.Policies, PoliciesAt: r.Location(s.PoliciesAt), Candidates: s.Candidates, Reject: s.Reject,
	}
}
