package admin

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/corsproc/corsproc/policy"
)

var (
	decisionsDesc = prometheus.NewDesc("corsproc_decisions_total",
		"Decisions, by virtual host, the policy that decided (empty where none matched), kind of request and reason.",
		[]string{policy.FactVirtualHost, policy.FactPolicy, policy.FactKind, policy.FactReason}, nil)
	candidatesDesc = prometheus.NewDesc("corsproc_candidate_decisions_total",
		"Decisions of places that have candidates, by virtual host, verdict and what the candidates would have decided.",
		[]string{policy.FactVirtualHost, policy.FactVerdict, policy.FactCandidateVerdict, policy.FactCandidateReason}, nil)
)

// decisions counts decisions. A prometheus.CounterVec would hash four strings and take a lock for each request. It also could
// not forget the names that a reload removes without the counts of those that stay.
//
// Counting takes two look-ups without a lock: of the virtual host, in a map that a reload replaces, and of the series, in a
// map of the host that is copied for every new series. There are few series in a host, and a new one is rare. They exist
// only for names of the set in force, so no client can make one.
type decisions struct {
	inForce atomic.Pointer[names]

	mu sync.Mutex // held to add series and to replace names
}

// names is what a set calls its places and policies. It is immutable but for the series inside host.
type names struct {
	hosts    map[string]*host
	policies map[string]bool
}

// host holds the counts of a virtual host. It outlives reloads for as long as the sets have its name.
type host struct {
	decided   seriesOf[decided]
	candidate seriesOf[candidate]
}

type decided struct {
	policy string
	kind   policy.Kind
	reason policy.Reason
}

type candidate struct {
	verdict   policy.Verdict
	candidate policy.Outcome
}

// seriesOf is a map of counters that is read without a lock. It is changed by replacing it, under decisions.mu.
type seriesOf[K comparable] struct {
	counters atomic.Pointer[map[K]*atomic.Uint64]
}

func (s *seriesOf[K]) get(key K) *atomic.Uint64 {
	if m := s.counters.Load(); m != nil {
		return (*m)[key]
	}
	return nil
}

func (s *seriesOf[K]) all() map[K]*atomic.Uint64 {
	if m := s.counters.Load(); m != nil {
		return *m
	}
	return nil
}

// add returns the counter of key and makes it if it is not there.
func (s *seriesOf[K]) add(key K) *atomic.Uint64 {
	if c := s.get(key); c != nil {
		return c
	}
	next := maps.Clone(s.all())
	if next == nil {
		next = make(map[K]*atomic.Uint64)
	}
	c := new(atomic.Uint64)
	next[key] = c
	s.counters.Store(&next)
	return c
}

// keep removes all series but those whose keys please.
func (s *seriesOf[K]) keep(pleases func(K) bool) {
	if s.counters.Load() == nil {
		return
	}
	next := maps.Clone(s.all())
	maps.DeleteFunc(next, func(k K, _ *atomic.Uint64) bool { return !pleases(k) })
	s.counters.Store(&next)
}

// builtin are the policies that no file defines. Empty is the policy of a decision that none made.
var builtin = []string{"", "none", "passthrough"}

func newDecisions() *decisions {
	d := new(decisions)
	d.inForce.Store(&names{})
	return d
}

// adopt makes the names of set the ones that are counted. Counts of names that stay go on.
func (d *decisions) adopt(set *policy.Set) {
	next := &names{hosts: make(map[string]*host), policies: make(map[string]bool)}
	for _, name := range builtin {
		next.policies[name] = true
	}
	for name := range set.Policies() {
		next.policies[name] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	previous := d.inForce.Load()
	for name := range set.VirtualHosts() {
		h := previous.hosts[name]
		if h == nil {
			h = new(host)
		}
		next.hosts[name] = h
		h.decided.keep(func(k decided) bool { return next.policies[k.policy] })
	}
	d.inForce.Store(next)
}

// count counts a decision. It may be of an older set, if its stream began before a reload; names that the set in force does
// not have are not counted.
func (d *decisions) count(decision *policy.Decision) {
	h := d.inForce.Load().hosts[decision.VirtualHost]
	if h == nil {
		return
	}
	key := decided{decision.Policy, decision.Kind, decision.Reason}
	if c := h.decided.get(key); c != nil {
		c.Add(1)
	} else if c := d.newDecided(decision.VirtualHost, key); c != nil {
		c.Add(1)
	}
	if !decision.HasCandidate {
		return
	}
	other := candidate{decision.Verdict, decision.Candidate}
	if c := h.candidate.get(other); c != nil {
		c.Add(1)
	} else if c := d.newCandidate(decision.VirtualHost, other); c != nil {
		c.Add(1)
	}
}

// newDecided returns the counter of a series that was not there a moment ago, or nil if the set in force does not have
// its names.
func (d *decisions) newDecided(virtualHost string, key decided) *atomic.Uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.inForce.Load()
	h := now.hosts[virtualHost]
	if h == nil || !now.policies[key.policy] {
		return nil
	}
	return h.decided.add(key)
}

func (d *decisions) newCandidate(virtualHost string, key candidate) *atomic.Uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.inForce.Load().hosts[virtualHost]
	if h == nil {
		return nil
	}
	return h.candidate.add(key)
}

// Describe implements prometheus.Collector.
func (d *decisions) Describe(ch chan<- *prometheus.Desc) {
	ch <- decisionsDesc
	ch <- candidatesDesc
}

// Collect implements prometheus.Collector.
func (d *decisions) Collect(ch chan<- prometheus.Metric) {
	for name, h := range d.inForce.Load().hosts {
		for k, c := range h.decided.all() {
			ch <- prometheus.MustNewConstMetric(decisionsDesc, prometheus.CounterValue, float64(c.Load()),
				name, k.policy, k.kind.String(), k.reason.String())
		}
		for k, c := range h.candidate.all() {
			ch <- prometheus.MustNewConstMetric(candidatesDesc, prometheus.CounterValue, float64(c.Load()),
				name, k.verdict.String(), k.candidate.Verdict.String(), k.candidate.Reason.String())
		}
	}
}
