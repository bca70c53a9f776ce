//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/corsproc/corsproc/policy/policydir"
)

// stats returns the statistics of Envoy that an expression names, in the form of that path.
func (g *gateway) stats(path, filter string) string {
	g.t.Helper()
	all, err := g.envoy.Get(g.t.Context(), path)
	if err != nil {
		g.t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, filter) && !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// hash48 returns what Envoy's gauge has of the hash of a policy file.
func hash48(t *testing.T, path string) string {
	t.Helper()
	content, err := policydir.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var n uint64
	if _, err := fmt.Sscanf(content.Hash[:12], "%x", &n); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(n)
}

// TestModuleStats holds what operators see of the module: Envoy's statistics, its log, and what becomes of a broken edit.
func TestModuleStats(t *testing.T) {
	const policies = `
policies:
  shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT]}
  public: {allow_origins: ["*"]}
default: {policies: [shop], candidates: [public]}
`
	g := start(t, setup{config: moduleRecipe, policies: policies, launch: []string{"--concurrency", "2", "--disable-hot-restart", "--component-log-level", "dynamic_modules:info"}})
	first := hash48(t, g.policyFile)
	if got, want := g.stats("/stats/prometheus", "envoy_corsproc_policy_"), `envoy_corsproc_policy_reloads{result="failure"} 0
envoy_corsproc_policy_reloads{result="success"} 1
envoy_corsproc_policy_hash{} `+first+`
envoy_corsproc_policy_last_reload_successful{} 1
`; !sameLines(got, want) {
		t.Errorf("before the first request:\n%s\nwant\n%s", got, want)
	}

	const shop, evil = "Origin: https://shop.example.com", "Origin: https://evil.example"
	for range 3 {
		g.do("GET", "api.example.com", "/", shop)
	}
	g.do("GET", "api.example.com", "/")
	for range 5 { // logged once
		g.do("GET", "api.example.com", "/", evil)
	}
	g.do("OPTIONS", "api.example.com", "/", shop, "Access-Control-Request-Method: PUT")
	g.do("OPTIONS", "api.example.com", "/", shop, "Access-Control-Request-Method: DELETE")
	want := `envoy_corsproc_decisions{kind="actual",reason="allowed"} 3
envoy_corsproc_decisions{kind="not_cors",reason="not_cors"} 1
envoy_corsproc_decisions{kind="actual",reason="origin_not_allowed"} 5
envoy_corsproc_decisions{kind="preflight",reason="allowed"} 1
envoy_corsproc_decisions{kind="preflight",reason="method_not_allowed"} 1
`
	eventually(t, "every decision is counted", func() bool { // what workers count is added up now and then
		return sameLines(g.stats("/stats/prometheus", "envoy_corsproc_decisions{"), want)
	})
	if got := g.stats("/stats/prometheus", "envoy_corsproc_candidates"); !strings.Contains(got, `verdict="refused",candidate_verdict="allowed",candidate_reason="allowed"} 5`) {
		t.Errorf("of candidates:\n%s", got)
	}
	if got := g.stats("/stats", "corsproc.decisions"); !strings.Contains(got, "corsproc.decisions.kind.preflight.reason.method_not_allowed: 1\n") {
		t.Errorf("as Envoy's own page has them:\n%s", got)
	}
	refusals := func() int {
		return strings.Count(g.log.String(), "https://evil.example") - strings.Count(g.log.String(), `"origin":"https://evil.example"`)
	}
	if n := refusals(); n != 1 {
		t.Errorf("%d lines about a refused origin, want 1:\n%s", n, g.log)
	}
	if place := regexp.MustCompile(`corsproc: .*DELETE|corsproc: .*method_not_allowed.*policies\.yaml:3:\d+`); !place.MatchString(g.log.String()) {
		t.Errorf("the log does not say which rule refused:\n%s", g.log)
	}

	// A broken edit.
	replace(t, g.policyFile, []byte("policies:\n  shop: {allow_origins: [https://Evil.example/]}\n"))
	eventually(t, "the broken file was seen", func() bool {
		return strings.Contains(g.stats("/stats/prometheus", "policy_reloads"), `result="failure"} 1`)
	})
	if got := g.stats("/stats/prometheus", "envoy_corsproc_policy_"); !sameLines(got, `envoy_corsproc_policy_reloads{result="failure"} 1
envoy_corsproc_policy_reloads{result="success"} 1
envoy_corsproc_policy_hash{} `+first+`
envoy_corsproc_policy_last_reload_successful{} 0
`) {
		t.Errorf("after a broken edit:\n%s", got)
	}
	if a := g.do("GET", "api.example.com", "/", shop); a.joined["access-control-allow-origin"] != "https://shop.example.com" {
		t.Errorf("after a broken edit: %v", a.header)
	}
	finding := regexp.MustCompile(`corsproc: .*` + regexp.QuoteMeta(filepath.Base(g.policyFile)) + `:2:26\b.*https://evil\.example`)
	eventually(t, "the finding is in Envoy's log", func() bool { return finding.MatchString(g.log.String()) })

	// And a good one, in force within 200 ms on a quiet machine.
	replace(t, g.policyFile, []byte(strings.ReplaceAll(policies, "[PUT]", "[PUT, DELETE]")))
	began := time.Now()
	eventually(t, "the edit is in force", func() bool {
		return g.do("OPTIONS", "api.example.com", "/", shop, "Access-Control-Request-Method: DELETE").joined["access-control-allow-methods"] == "PUT, DELETE"
	})
	t.Logf("in force after %s", time.Since(began).Round(time.Millisecond))
	eventually(t, "the good edit is counted", func() bool {
		return sameLines(g.stats("/stats/prometheus", "envoy_corsproc_policy_"), `envoy_corsproc_policy_reloads{result="failure"} 1
envoy_corsproc_policy_reloads{result="success"} 2
envoy_corsproc_policy_hash{} `+hash48(t, g.policyFile)+`
envoy_corsproc_policy_last_reload_successful{} 1
`)
	})

	// A directory that goes, as with a broken mount.
	if err := os.Remove(g.policyFile); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file that has gone was missed", func() bool {
		return strings.Contains(g.stats("/stats/prometheus", "policy_last_reload_successful"), "} 0")
	})
	if a := g.do("GET", "api.example.com", "/", shop); a.joined["access-control-allow-origin"] != "https://shop.example.com" {
		t.Errorf("without the file: %v", a.header)
	}
}

// sameLines reports whether two texts are the same lines, in whatever order.
func sameLines(a, b string) bool {
	count := map[string]int{}
	for line := range strings.Lines(a) {
		count[line]++
	}
	for line := range strings.Lines(b) {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}
