//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/envoy/internal/launch"
)

const root = "../.."

// TestSmoke measures for a moment: every variant answers rightly, which the benchmark itself checks, and nothing is
// missing from what it writes. The figures mean nothing.
func TestSmoke(t *testing.T) {
	if _, err := launch.FindEnvoy(root); err != nil {
		if os.Getenv("CORSPROC_REQUIRE_E2E") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, not tested: %v", err)
	}
	dir := t.TempDir()
	module := builtModule(t, dir)
	args := []string{"-root", root, "-module", module, "-corsproc", built(t, dir, "cmd/corsproc"), "-stock", built(t, dir, "envoy/bench/stock"),
		"-rounds", "1", "-load", "150ms", "-open-rounds", "1", "-open-load", "150ms", "-streams", "50", "-settle", "50ms", "-reload-rounds", "1", "-reload-load", "1200ms", "-others", "10", "-out", filepath.Join(dir, "results")}
	var out, errOut bytes.Buffer
	if code := run(t.Context(), args, &out, &errOut); code != 0 {
		t.Fatalf("exit status %d\n%s", code, &errOut)
	}
	data, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r results
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	variants := allVariants(module != "", nil)
	var want []string
	asked := map[string]bool{}
	for _, kind := range kinds {
		for _, v := range measuredIn(variants, kind) {
			want, asked[v.name] = append(want, v.name+", "+kind), v.service != ""
		}
	}
	var got []string
	for _, row := range r.Rows {
		got = append(got, row.Variant+", "+row.Kind)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	for _, row := range r.Rows {
		if row.Envoy.median() <= 0 || row.P50.median() <= 0 || row.P99.Median < row.P50.Median {
			t.Errorf("%s, %s: %+v", row.Variant, row.Kind, row)
		}
		if asked[row.Variant] != (row.Service != nil) || row.Messages > 0 && row.Service.median() <= 0 {
			t.Errorf("%s, %s: service %v", row.Variant, row.Kind, row.Service)
		}
	}
	streams := map[string]int{stock: 50, "corsproc, envoy.yaml": 50}
	for i, m := range r.Memory {
		if m.Streams != streams[m.Variant] || m.EnvoyWith <= m.EnvoyBefore || (m.Before > 0) != asked[m.Variant] || i == 0 && m.Variant != alone {
			t.Errorf("memory %+v", m)
		}
	}
	if len(r.Memory) != len(variants)-1 { // that of one-message.yaml is told once
		t.Errorf("memory %+v", r.Memory)
	}
	reloaded := 1
	if module != "" {
		reloaded++
		if strings.Count(r.targets(), "\n") != len(allTargets)+3 {
			t.Errorf("targets:\n%s", r.targets())
		}
	}
	for _, row := range r.Reloads {
		if row.Reloads < 1 || row.Quiet.median() <= 0 || row.Reloading.median() <= 0 {
			t.Errorf("reloads %+v", row)
		}
	}
	if len(r.Reloads) != reloaded {
		t.Errorf("reloads %+v", r.Reloads)
	}
	for _, v := range variants {
		if strings.Count(out.String(), "| "+v.name+" | ") < len(v.expect) {
			t.Errorf("%s is missing from:\n%s", v.name, &out)
		}
	}
	chart, err := os.ReadFile(filepath.Join(dir, "results.svg"))
	if err != nil {
		t.Fatal(err)
	}
	checkChart(t, string(chart), variants)
}

// built builds one of our programs.
func built(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.Base(name))
	if out, err := exec.Command("go", "build", "-o", path, "github.com/corsproc/corsproc/"+name).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return path
}

// builtModule builds corsproc as a module, where there is a C compiler; otherwise it returns nothing, and says so.
func builtModule(t *testing.T, dir string) string {
	t.Helper()
	module, err := launch.BuildModule(dir)
	if errors.Is(err, launch.ErrNoCompiler) && os.Getenv("CORSPROC_REQUIRE_E2E") == "" {
		t.Logf("NOT TESTED: the module as a variant: %v", err)
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func checkChart(t *testing.T, chart string, variants []variant) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(chart))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the chart is no XML: %v", err)
		}
	}
	for _, v := range variants {
		want := len(charted)
		if v.name == alone {
			want = 0 // it is what the others are compared with
		}
		if got := strings.Count(chart, ">"+v.name+"</text>"); got != want {
			t.Errorf("%s is %d times in the chart, want %d", v.name, got, want)
		}
	}
}

// TestWrongAnswers: an answer that is not as it has to be stops the benchmark.
func TestWrongAnswers(t *testing.T) {
	want := expectation{status: "200", lines: []string{"vary: Origin"}}
	granted := want
	granted.granted = true
	for name, c := range map[string]struct {
		answer string
		want   expectation
		fault  string
	}{
		"right":           {"HTTP/1.1 200 OK\r\nvary: Origin\r\ncontent-length: 2\r\n\r\nok", want, ""},
		"right and empty": {"HTTP/1.1 204 No Content\r\nvary: Origin\r\n\r\n", expectation{status: "204"}, ""},
		"status":          {"HTTP/1.1 500 Internal Server Error\r\nvary: Origin\r\ncontent-length: 0\r\n\r\n", want, "want status 200"},
		"line":            {"HTTP/1.1 200 OK\r\nvary: Origin, X\r\ncontent-length: 0\r\n\r\n", want, `want the line "vary: Origin"`},
		"no grant":        {"HTTP/1.1 200 OK\r\nvary: Origin\r\naccess-control-allow-origin: *\r\ncontent-length: 0\r\n\r\n", want, "want no grant"},
		"grant":           {"HTTP/1.1 200 OK\r\nvary: Origin\r\naccess-control-allow-origin: *\r\ncontent-length: 0\r\n\r\n", granted, ""},
		"length":          {"HTTP/1.1 200 OK\r\nvary: Origin\r\n\r\n", want, "unknown length"},
		"too much":        {"HTTP/1.1 200 OK\r\nvary: Origin\r\ncontent-length: 1\r\n\r\nok", want, "1 bytes too many"},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096)) // the request, whatever it is
				_, _ = conn.Write([]byte(c.answer))
			}()
			one, err := dial(listener.Addr().String(), c.want)
			if err != nil {
				t.Fatal(err)
			}
			defer one.conn.Close()
			one.requests = requestsOf[actual]
			err = one.do()
			if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("%v, want %q", err, c.fault)
			}
		})
	}
}

// TestShares computes rows from rounds whose figures are known: shares are taken within a round, before the median.
func TestShares(t *testing.T) {
	measured := map[string]expectation{actual: {}}
	variants := []variant{{name: alone, expect: measured}, {name: stock, service: stock, expect: measured}, {name: "lean", service: "lean", expect: measured}}
	fast := round[costs]{alone: {envoy: 10}, stock: {service: 40, envoy: 50}, "lean": {service: 10, envoy: 20}}
	slow := round[costs]{alone: {envoy: 100}, stock: {service: 400, envoy: 500}, "lean": {service: 200, envoy: 300}}
	late := round[delays]{alone: {p50: 100, p99: 200}, stock: {p50: 300, p99: 900}, "lean": {p50: 200, p99: 400}}
	cpu := &series[costs]{rounds: 3, kept: map[string][]round[costs]{actual: {fast, slow, fast}}, others: []float64{0.1, 0.3, 0.2}, dropped: 1}
	latency := &series[delays]{rounds: 1, kept: map[string][]round[delays]{actual: {late}}}
	r := &results{}
	r.fill(variants, cpu, latency)
	got := r.Rows[2]
	for name, c := range map[string]struct {
		got  *spread
		want spread
	}{
		"service":       {got.Service, spread{10, 10, 200}},
		"service share": {got.ServiceShare, spread{0.25, 0.25, 0.5}},
		"Envoy":         {got.EnvoyOver, spread{10, 10, 200}},
		"× alone":       {got.EnvoyShare, spread{2, 2, 3}},
		"both":          {got.BothShare, spread{0.25, 0.25, 0.5}},
		"p50":           {got.AddedP50, spread{100, 100, 100}},
		"p50 share":     {got.P50Share, spread{0.5, 0.5, 0.5}},
		"p99":           {got.AddedP99, spread{200, 200, 200}},
	} {
		if c.got == nil || *c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if want := (rounds{Closed: 3, Open: 1, Dropped: 1, OthersMedian: 0.2, OthersHighest: 0.3}); r.Rounds != want {
		t.Errorf("rounds %+v, want %+v", r.Rounds, want)
	}
}

// TestBusyMachine: rounds in which others used too much are dropped, and without a quiet one there is no figure.
func TestBusyMachine(t *testing.T) {
	s := &series[costs]{variants: allVariants(true, nil), limit: -1, progress: io.Discard, what: "test", rounds: 2}
	s.sample = func(context.Context, variant, string) (costs, error) { return costs{}, nil }
	s.pids = func() []int { return []int{os.Getpid()} }
	if err := s.run(t.Context()); err != nil || s.missing() == nil || s.dropped != 3*len(kinds) {
		t.Errorf("%v, %v, %d rounds dropped", err, s.missing(), s.dropped)
	}
	r := &results{}
	r.fill(s.variants, s, &series[delays]{})
	if r.Rows[0].Envoy != nil {
		t.Errorf("a figure without a round: %+v", r.Rows[0])
	}
}

// TestLargePolicies: the file that is written while a load is measured takes next to nothing of the machine to make, and every
// edition is another.
func TestLargePolicies(t *testing.T) {
	first, second := largePolicies(1), largePolicies(2)
	if first == second || strings.Count(first, "\n      - https://app-") != manyOrigins {
		t.Error("two editions are the same, or have not all origins")
	}
	edition := 0
	if n := testing.AllocsPerRun(10, func() { edition++; largePolicies(edition) }); n > 20 {
		t.Errorf("an edition is made of %v pieces", n)
	}
}

// TestPercentile: of what was sorted, the value that so many do not exceed.
func TestPercentile(t *testing.T) {
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(i))
	}
	if p50, p99 := percentile(all, 0.5), percentile(all, 0.99); p50 != 50 || p99 != 99 {
		t.Errorf("%d and %d", p50, p99)
	}
	if percentile(nil, 0.5) != 0 {
		t.Error("a percentile of nothing")
	}
}
