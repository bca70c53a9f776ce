package admin

// Tested by status_test.go.

import (
	"slices"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// What the status tells of a set at most. Larger sets are read at /config.
const (
	maxNames   = 500
	maxRoutes  = 100
	maxEntries = 100     // of a list
	maxUses    = 20      // of a policy
	maxEntry   = 300     // characters of an entry
	maxRoom    = 2 << 20 // bytes, for what policies grant and again for what holds at places
)

// room is what is left for the texts of a part of the status: sets within the bounds above may still be large.
type room int

// has takes bytes, and reports whether there were as many.
func (r *room) has(bytes int) bool {
	*r -= room(bytes)
	return *r >= 0
}

// take returns the entries for which there is room, each cut where it is long.
func (r *room) take(entries []string) (taken []string) {
	for _, e := range entries {
		if e = beginning(e); !r.has(len(e) + 8) {
			break
		}
		taken = append(taken, e)
	}
	return taken
}

// beginning returns the beginning of a text that may be long.
func beginning(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxEntry {
			return s[:i] + "…"
		}
	}
	return s
}

// take returns the policies and places of a set. The message's other fields are not set.
func take(r *policyfile.Result) *corsprocv1.PoliciesInForce {
	files := r.FileNames()
	m := &corsprocv1.PoliciesInForce{Files: files[:min(len(files), maxNames)]}
	names := slices.Sorted(r.Set.Policies())
	m.PoliciesTotal = int32(len(names))
	left := room(maxRoom)
	for _, p := range r.Set.SurveyPolicies(names[:min(len(names), maxNames)], maxEntries) {
		m.Policies = append(m.Policies, policyMessage(r, &p, &left))
	}
	left = maxRoom
	for range r.Set.VirtualHosts() {
		m.VirtualHostsTotal++
	}
	for h := range r.Set.Hosts(maxEntries) {
		if len(m.VirtualHosts) == maxNames {
			break
		}
		host := &corsprocv1.VirtualHostSummary{Name: h.Label, Place: placeMessage(r, h.Survey, &left), RoutesTotal: int32(h.Len())}
		for route := range h.Routes() {
			match := beginning(route.Match)
			if len(host.Routes) == maxRoutes || !left.has(len(match)+100) {
				break
			}
			host.Routes = append(host.Routes, &corsprocv1.RouteSummary{
				Kind: route.Kind, Match: match, Place: placeMessage(r, route.Survey, &left),
			})
		}
		m.VirtualHosts = append(m.VirtualHosts, host)
	}
	return m
}

func placeMessage(r *policyfile.Result, s policy.Survey, left *room) *corsprocv1.PlaceSummary {
	return &corsprocv1.PlaceSummary{
		At: r.Location(s.At), Policies: left.take(s.Policies.First), PoliciesTotal: int32(s.Policies.Total), PoliciesAt: r.Location(s.PoliciesAt),
		Candidates: left.take(s.Candidates.First), CandidatesTotal: int32(s.Candidates.Total), Reject: s.Reject,
	}
}

func policyMessage(r *policyfile.Result, p *policy.PolicySurvey, left *room) *corsprocv1.PolicySummary {
	list := func(e policy.Entries) *corsprocv1.EntryList {
		if e.Total == 0 {
			return nil
		}
		return &corsprocv1.EntryList{Entries: left.take(e.First), Total: int32(e.Total)}
	}
	m := &corsprocv1.PolicySummary{
		Name: p.Name, At: r.Location(p.At),
		AllowOrigins: list(p.AllowOrigins), AllowOriginRegexes: list(p.AllowOriginRegexes), DenyOrigins: list(p.DenyOrigins),
		AllowMethods: list(p.AllowMethods), AllowHeaders: list(p.AllowHeaders), ExposeHeaders: list(p.ExposeHeaders),
		AllowCredentials: p.AllowCredentials, PreflightStatus: int32(p.PreflightStatus), AllowPrivateNetwork: p.AllowPrivateNetwork,
		FixedOrigin: p.FixedOrigin, ExposeUpstream: p.ExposeUpstream,
		UsesTotal: int32(p.Uses.Total),
	}
	if p.MaxAge != "" {
		m.MaxAge = p.MaxAge + "s"
	}
	for _, u := range p.Uses.First[:min(len(p.Uses.First), maxUses)] {
		match := beginning(u.Match)
		if !left.has(len(u.Host) + len(match) + 100) {
			break
		}
		m.Uses = append(m.Uses, &corsprocv1.PolicyUse{
			VirtualHost: u.Host, Kind: u.Kind, Match: match, At: r.Location(u.At), Candidate: u.Candidate, Inherited: int32(u.Inherited),
		})
	}
	return m
}
