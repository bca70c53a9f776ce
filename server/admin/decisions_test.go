package admin

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/corsproc/corsproc/policy"
)

// series returns the lines of the metrics whose names begin with prefix.
func series(t *testing.T, m *Metrics, prefix string) (lines []string) {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatal(w.Body)
	}
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func wantSeries(t *testing.T, m *Metrics, prefix string, want ...string) {
	t.Helper()
	got := series(t, m, prefix)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("series are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const twoHosts = `
policies:
  shop: {allow_origins: [https://shop.example.com]}
  desk: {allow_origins: [https://desk.example.com]}
virtual_hosts:
  - {name: api, domains: [api.example.com], policies: [shop, desk]}
  - {domains: [docs.example.com], policies: [desk], candidates: [shop]}
`

func request(host, origin string) *policy.Request {
	return &policy.Request{Method: "GET", Scheme: "https", Authority: host, Path: "/", Origin: policy.Line(origin)}
}

func TestDecisions(t *testing.T) {
	m := NewMetrics(Build{})
	old := compile(t, twoHosts)
	m.InForce(old.Set, old.Hash)
	wantSeries(t, m, "corsproc_decisions_total")

	decide := func(set *policy.Set, host, origin string) {
		d := set.Decide(request(host, origin))
		m.Decided(&d, time.Microsecond)
	}
	decide(old.Set, "api.example.com", "https://shop.example.com")
	decide(old.Set, "api.example.com", "https://shop.example.com")
	decide(old.Set, "api.example.com", "https://desk.example.com")
	decide(old.Set, "docs.example.com", "https://desk.example.com")
	decide(old.Set, "docs.example.com", "https://evil.example")
	decide(old.Set, "docs.example.com", "https://shop.example.com")
	decide(old.Set, "other.example.com", "https://evil.example")
	wantSeries(t, m, "corsproc_decisions_total",
		`corsproc_decisions_total{kind="actual",policy="",reason="origin_not_allowed",virtual_host="docs.example.com"} 2`,
		`corsproc_decisions_total{kind="actual",policy="desk",reason="allowed",virtual_host="api"} 1`,
		`corsproc_decisions_total{kind="actual",policy="desk",reason="allowed",virtual_host="docs.example.com"} 1`,
		`corsproc_decisions_total{kind="actual",policy="passthrough",reason="passthrough",virtual_host="default"} 1`,
		`corsproc_decisions_total{kind="actual",policy="shop",reason="allowed",virtual_host="api"} 2`,
	)
	// Every decision of a place with candidates counts, also where they agree.
	wantSeries(t, m, "corsproc_candidate_decisions_total",
		`corsproc_candidate_decisions_total{candidate_reason="allowed",candidate_verdict="allowed",verdict="refused",virtual_host="docs.example.com"} 1`,
		`corsproc_candidate_decisions_total{candidate_reason="origin_not_allowed",candidate_verdict="refused",verdict="allowed",virtual_host="docs.example.com"} 1`,
		`corsproc_candidate_decisions_total{candidate_reason="origin_not_allowed",candidate_verdict="refused",verdict="refused",virtual_host="docs.example.com"} 1`,
	)
	wantSeries(t, m, "corsproc_policy_info", `corsproc_policy_info{hash="abc"} 1`)

	// A reload that removes a virtual host and a policy removes their series. Those that stay go on.
	next := compile(t, `policies:
  shop: {allow_origins: [https://shop.example.com]}
virtual_hosts:
  - {name: api, domains: [api.example.com], policies: [shop]}
`)
	m.InForce(next.Set, "def")
	decide(next.Set, "api.example.com", "https://shop.example.com")
	// Streams that began with the old set end after the reload.
	decide(old.Set, "api.example.com", "https://shop.example.com")
	decide(old.Set, "api.example.com", "https://desk.example.com")
	decide(old.Set, "docs.example.com", "https://desk.example.com")
	wantSeries(t, m, "corsproc_decisions_total",
		`corsproc_decisions_total{kind="actual",policy="passthrough",reason="passthrough",virtual_host="default"} 1`,
		`corsproc_decisions_total{kind="actual",policy="shop",reason="allowed",virtual_host="api"} 4`,
	)
	wantSeries(t, m, "corsproc_candidate_decisions_total")
	wantSeries(t, m, "corsproc_policy_info", `corsproc_policy_info{hash="def"} 1`)
}

// No value that a client sends can create a series.
func TestDecisionsOfStrangers(t *testing.T) {
	m := NewMetrics(Build{})
	r := compile(t, twoHosts)
	m.InForce(r.Set, r.Hash)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		odd := fmt.Sprintf("%d-%x", i, random.Uint64())
		req := request(odd+".example.com", "https://"+odd+".example")
		switch i % 5 {
		case 0:
			req.Authority = "api.example.com"
		case 1:
			req.VirtualHost, req.Route = odd, odd
		case 2:
			req.Method, req.RequestMethod = "OPTIONS", policy.Line(odd)
			req.RequestHeaders = []string{odd}
		case 3:
			req.Authority, req.Named = "docs.example.com", policy.Line(odd)
		case 4:
			req.Method, req.Path, req.Origin = odd, "/%2e%2e/"+odd, policy.Line("not an origin "+odd)
		}
		d := r.Set.Decide(req)
		m.Decided(&d, time.Microsecond)
	}
	all := series(t, m, "corsproc_")
	if got := len(series(t, m, "corsproc_decisions_total")) + len(series(t, m, "corsproc_candidate_decisions_total")); got == 0 || got > 20 {
		t.Errorf("%d series of decisions, want a handful:\n%s", got, strings.Join(all, "\n"))
	}
	if got := series(t, m, "corsproc_decision_duration_seconds_count"); got[0] != "corsproc_decision_duration_seconds_count 5000" {
		t.Errorf("counted %v", got)
	}
}

func TestDecidedAllocatesNothing(t *testing.T) {
	m := NewMetrics(Build{})
	r := compile(t, twoHosts)
	m.InForce(r.Set, r.Hash)
	d := r.Set.Decide(request("docs.example.com", "https://desk.example.com"))
	if !d.HasCandidate {
		t.Fatal("the decision has no candidate")
	}
	if n := testing.AllocsPerRun(100, func() { m.Decided(&d, time.Microsecond) }); n > 0 {
		t.Errorf("counting a decision allocates %v times", n)
	}
}

// Counts stay exact while sets change under them.
func TestDecisionsConcurrently(t *testing.T) {
	m := NewMetrics(Build{})
	r := compile(t, twoHosts)
	m.InForce(r.Set, r.Hash)
	const workers, each = 4, 2000
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				origin := "https://shop.example.com"
				if (i+w)%2 == 0 {
					origin = "https://desk.example.com"
				}
				d := r.Set.Decide(request("api.example.com", origin))
				m.Decided(&d, time.Microsecond)
			}
		})
	}
	wg.Go(func() {
		for range 100 {
			m.InForce(r.Set, r.Hash)
			series(t, m, "corsproc_")
		}
	})
	wg.Wait()
	wantSeries(t, m, "corsproc_decisions_total",
		fmt.Sprintf(`corsproc_decisions_total{kind="actual",policy="desk",reason="allowed",virtual_host="api"} %d`, workers*each/2),
		fmt.Sprintf(`corsproc_decisions_total{kind="actual",policy="shop",reason="allowed",virtual_host="api"} %d`, workers*each/2),
	)
}
