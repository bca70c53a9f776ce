package admin

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/corsproc/corsproc/policy"
)

// TestHostileRequestsMakeNoSeries decides about 5,000 requests that differ in everything that a client can choose.
func TestHostileRequestsMakeNoSeries(t *testing.T) {
	set := compile(t, twoPolicies).Set
	d := newDecisions()
	d.adopt(set)
	for i := range 5_000 {
		for _, method := range []string{"GET", fmt.Sprintf("M%d", i)} {
			decision := set.Decide(&policy.Request{
				VirtualHost: fmt.Sprintf("vh%d", i), Authority: fmt.Sprintf("h%d.example", i), Path: fmt.Sprintf("/%d", i), Method: method,
				Origin: policy.Line(fmt.Sprintf("https://o%d.example", i)),
			})
			d.count(&decision)
		}
	}
	if n := testutil.CollectAndCount(d); n != 1 {
		t.Errorf("%d series", n)
	}
}

// TestSeriesGoWithTheirNames: a reload that removes a name removes its series, also when streams of the old set still
// count, and leaves the others' counts alone.
func TestSeriesGoWithTheirNames(t *testing.T) {
	before := compile(t, `
policies: {p: {allow_origins: ["https://a.example"]}, q: {allow_origins: ["https://b.example"]}}
virtual_hosts: [{name: stays, policies: [p, q]}, {name: goes, policies: [p]}]
`).Set
	after := compile(t, `
policies: {p: {allow_origins: ["https://a.example"]}}
virtual_hosts: [{name: stays, policies: [p]}]
`).Set
	d := newDecisions()
	d.adopt(before)
	count := func(host, origin string) {
		decision := before.Decide(&policy.Request{VirtualHost: host, Method: "GET", Origin: policy.Line(origin)})
		d.count(&decision)
	}
	count("stays", "https://a.example")
	count("stays", "https://b.example")
	count("goes", "https://a.example")
	d.adopt(after)
	count("stays", "https://a.example")
	count("stays", "https://b.example")
	count("goes", "https://a.example")
	want := `
# HELP corsproc_decisions_total Decisions, by virtual host, the policy that decided (empty where none matched), kind of request and reason.
# TYPE corsproc_decisions_total counter
corsproc_decisions_total{kind="actual",policy="p",reason="allowed",virtual_host="stays"} 2
`
	if err := testutil.CollectAndCompare(d, strings.NewReader(want), "corsproc_decisions_total"); err != nil {
		t.Error(err)
	}
}

func TestCandidatesAreCounted(t *testing.T) {
	set := compile(t, `
policies: {p: {allow_origins: ["https://a.example"]}, q: {allow_origins: ["https://b.example"]}}
virtual_hosts: [{name: trial, policies: [p], candidates: [q]}]
`).Set
	d := newDecisions()
	d.adopt(set)
	for _, origin := range []string{"https://a.example", "https://b.example", "https://b.example", "https://c.example"} {
		decision := set.Decide(&policy.Request{VirtualHost: "trial", Method: "GET", Origin: policy.Line(origin)})
		d.count(&decision)
	}
	want := `
# HELP corsproc_candidate_decisions_total Decisions of places that have candidates, by virtual host, verdict and what the candidates would have decided.
# TYPE corsproc_candidate_decisions_total counter
corsproc_candidate_decisions_total{candidate_reason="allowed",candidate_verdict="allowed",verdict="refused",virtual_host="trial"} 2
corsproc_candidate_decisions_total{candidate_reason="origin_not_allowed",candidate_verdict="refused",verdict="allowed",virtual_host="trial"} 1
corsproc_candidate_decisions_total{candidate_reason="origin_not_allowed",candidate_verdict="refused",verdict="refused",virtual_host="trial"} 1
`
	if err := testutil.CollectAndCompare(d, strings.NewReader(want), "corsproc_candidate_decisions_total"); err != nil {
		t.Error(err)
	}
}

// TestCountingAllocatesNothing once a series is there, and loses nothing while sets change.
func TestCountingAllocatesNothing(t *testing.T) {
	set := compile(t, twoPolicies).Set
	m := NewMetrics(Build{})
	m.InForce(set, "abc")
	decision := set.Decide(&policy.Request{Authority: "api.example.com", Method: "GET", Origin: policy.Line("https://shop.example.com")})
	if n := testing.AllocsPerRun(100, func() { m.Decided(&decision, time.Microsecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	d := newDecisions()
	d.adopt(set)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 1_000 {
				d.count(&decision)
			}
		})
	}
	for range 100 {
		d.adopt(set)
	}
	wait.Wait()
	want := `
# HELP corsproc_decisions_total Decisions, by virtual host, the policy that decided (empty where none matched), kind of request and reason.
# TYPE corsproc_decisions_total counter
corsproc_decisions_total{kind="actual",policy="shop",reason="allowed",virtual_host="api<b>"} 4000
`
	if err := testutil.CollectAndCompare(d, strings.NewReader(want), "corsproc_decisions_total"); err != nil {
		t.Error(err)
	}
}
