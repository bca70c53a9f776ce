package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// metricsOfEnvoy returns what Prometheus gets of an Envoy that has decided about a request, with candidates and without.
func metricsOfEnvoy(t *testing.T, config string) string {
	t.Helper()
	g := start(t, setup{config: config, policies: everybody})
	g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com")
	g.do("GET", "api.example.com", "/public/", "Origin: https://shop.example.com")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stats, err := g.envoy.Get(ctx, "/stats/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	return string(stats)
}

// TestMetricsOfEnvoy looks for the metrics of Envoy that the alerts and the dashboard build on, in a real one: those of the filter
// that asks corsproc, and those of the module.
func TestMetricsOfEnvoy(t *testing.T) {
	stats, ofModule := metricsOfEnvoy(t, "envoy.yaml"), metricsOfEnvoy(t, moduleRecipe)
	const modules = "envoy_corsproc_"
	// Longer names end with a bucket's or with none: what follows a name is a label.
	names := regexp.MustCompile(`\benvoy_[a-z_0-9]+\{?`)
	count := 0
	for _, file := range []string{"envoy/alerts.yaml", "envoy/dashboard.json"} {
		for _, use := range slices.Compact(slices.Sorted(slices.Values(names.FindAllString(read(t, file), -1)))) {
			name := strings.TrimSuffix(use, "{")
			if name == "envoy_http_ext_proc_cors_" || name == modules || name == "envoy_cluster_name" || name == "envoy_http_conn_manager_prefix" {
				continue // a comment, and labels
			}
			count++
			from := stats
			if strings.HasPrefix(name, modules) {
				from = ofModule
			}
			if !strings.Contains(from, "\n"+name+"{") {
				t.Errorf("%s: Envoy has no metric %s", file, name)
			}
		}
	}
	for _, series := range []string{
		`decisions{kind="actual",reason="allowed"} 2`, `policy_reloads{result="success"} 1`, `policy_reloads{result="failure"} 0`,
		`candidates{verdict="allowed",candidate_verdict="allowed",candidate_reason="allowed"} 1`, "panics{} 0", "policy_last_reload_successful{} 1",
	} {
		if !strings.Contains(ofModule, "\n"+modules+series+"\n") {
			t.Errorf("the module has no series %s", series)
		}
	}
	shown := regexp.MustCompile("(?m)^\\| `corsproc\\.(\\w+)(?:\\{(\\S+)\\})?` \\| ").FindAllStringSubmatch(read(t, "docs/module.md"), -1)
	has := strings.Count(ofModule, "\n# TYPE "+modules)
	if len(shown) != has {
		t.Errorf("docs/module.md shows %d statistics of the module, and Envoy has %d", len(shown), has)
	}
	for _, s := range shown {
		labels := strings.Join(strings.FieldsFunc(s[2], func(r rune) bool { return r == ',' }), `="\w+",`)
		if labels != "" {
			labels += `="\w+"`
		}
		if series := modules + s[1] + `\{` + labels + `\} \d`; !regexp.MustCompile(`(?m)^` + series).MatchString(ofModule) {
			t.Errorf("docs/module.md: Envoy has no series like %s", series)
		}
	}
	if count < 12 {
		t.Errorf("only %d names were looked at", count)
	}
	for _, label := range []string{`envoy_cluster_name="corsproc"`, `envoy_http_conn_manager_prefix="admin"`} {
		if !strings.Contains(stats, label) {
			t.Errorf("Envoy has no label %s", label)
		}
	}
}

const everybody = `
policies:
  public: {allow_origins: ["*"]}
  shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT]}
virtual_hosts: [{name: local, policies: [shop], routes: [{prefix: /public/, policies: [public], candidates: [shop]}]}]
`

// TestSeriesBehindEnvoy sends 5,000 distinct Origins, hosts, paths and methods through Envoy and looks for new series.
// server/series_test.go does so with everything that Envoy may send, one by one.
func TestSeriesBehindEnvoy(t *testing.T) {
	const many = 5000
	g := start(t, setup{policies: everybody})
	client := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	visit := func(i int) {
		odd := fmt.Sprintf("odd%dx%x", i, i*7919)
		r, err := http.NewRequestWithContext(t.Context(), []string{"GET", "OPTIONS", "PUT"}[i%3], "http://"+g.address+"/"+odd+"/..%2f"+odd, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = odd + ".example.com"
		r.Header.Set("Origin", "https://"+odd+".example")
		if i%2 == 0 { // otherwise the method would never be looked at
			r.Header.Set("Origin", "https://shop.example.com")
		}
		r.Header.Set("Access-Control-Request-Method", strings.ToUpper(odd))
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	series := func() (names []string, decided string) {
		resp, err := client.Get("http://" + g.service.Admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(body)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if strings.HasPrefix(name, "corsproc_") {
				names = append(names, name)
			}
			if name == "corsproc_decision_duration_seconds_count" {
				decided = value
			}
		}
		slices.Sort(names)
		return names, decided
	}
	const first = 12 // each mixture of method and origin
	for i := range first {
		visit(i)
	}
	before, _ := series()
	started := time.Now()
	for i := range many {
		visit(first + i)
	}
	after, decided := series()
	t.Logf("%d requests in %s", many, time.Since(started))
	if !slices.Equal(before, after) {
		t.Errorf("new series:\n%s", strings.Join(slices.DeleteFunc(after, func(s string) bool { return slices.Contains(before, s) }), "\n"))
	}
	if decided != fmt.Sprint(first+many) {
		t.Errorf("%s decisions, want %d", decided, first+many)
	}
}
