package admin

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/grpc/codes"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/server/extproc"
)

var update = flag.Bool("update", false, "write testdata/metrics.txt")

// everything returns metrics in which each has a series.
func everything(t *testing.T) *Metrics {
	t.Helper()
	m := NewMetrics(Build{Version: "v1", Commit: "c", Go: "go"})
	r := compile(t, twoHosts)
	m.InForce(r.Set, r.Hash)
	m.Attempted(time.Unix(1e9, 0), true)
	m.WatchConnections(10, func() int64 { return 3 }, func() int64 { return 2 })
	m.TLS().Loaded(time.Unix(2e9, 0), time.Unix(3e9, 0))
	m.WatchTraces(func() (uint64, uint64, uint64) { return 3, 2, 1 })
	m.StreamStarted()
	m.MessageReceived(extproc.PhaseRequestHeaders)
	d := r.Set.Decide(request("docs.example.com", "https://desk.example.com"))
	m.Decided(&d, time.Microsecond)
	m.Traced(time.Microsecond, "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
	m.StreamEnded(codes.OK)
	return m
}

// TestMetricNames holds the names, kinds and labels of all metrics, which dashboards and alerts build on: those in envoy/
// are tested against the same file.
func TestMetricNames(t *testing.T) {
	families, err := everything(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		// Of what the Go runtime and the system tell, what is used here is enough to hold.
		if !strings.HasPrefix(f.GetName(), "corsproc_") && !slices.Contains(usedOfOthers, f.GetName()) {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		fmt.Fprintf(&b, "%s %s {%s}\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ","))
	}
	const golden = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the metrics are not those of %s (-update writes it):\n%s", golden, diff)
	}
}

var usedOfOthers = []string{
	"go_goroutines", "go_gc_duration_seconds", "go_memstats_heap_inuse_bytes", "process_cpu_seconds_total", "process_open_fds", "process_max_fds",
	"process_resident_memory_bytes", "process_start_time_seconds",
}

// TestMetricsLint holds the metrics against what `promtool check metrics` says of them: it is the same library.
func TestMetricsLint(t *testing.T) {
	families, err := everything(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	// The linter speaks up at all.
	bad := "counts"
	kind := dto.MetricType_COUNTER
	if problems, _ := promlint.NewWithMetricFamilies([]*dto.MetricFamily{{Name: &bad, Type: &kind, Metric: []*dto.Metric{{Counter: &dto.Counter{}}}}}).Lint(); len(problems) == 0 {
		t.Error("a counter without _total and help pleases the linter")
	}
}

// TestMetricFamilies holds that no two metrics are one metric family to OpenMetrics, which leaves _total out of the names of
// counters. envoy/alerting reads what a process answers, with Prometheus' own parsers.
func TestMetricFamilies(t *testing.T) {
	families, err := everything(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, f := range families {
		family := f.GetName()
		if f.GetType() == dto.MetricType_COUNTER {
			family = strings.TrimSuffix(family, "_total")
		}
		if other := seen[family]; other != "" {
			t.Errorf("%s and %s are one family", other, f.GetName())
		}
		seen[family] = f.GetName()
	}
}

// TestMetricFormats reads /metrics in every form that it can have.
func TestMetricFormats(t *testing.T) {
	source := newSource(t, policydir.Attempt{})
	source.Metrics = everything(t)
	handler := Handler(source)
	exemplar := `# {span_id="b7ad6b7169203331",trace_id="0af7651916cd43dd8448eb211c80319c"} 1e-06`
	for _, test := range []struct {
		accept, contentType string
		has, lacks          []string
	}{
		{"", "text/plain; version=0.0.4", []string{"# TYPE corsproc_streams_total counter\n", `corsproc_decision_duration_seconds_bucket{le="+Inf"} 1` + "\n"}, []string{"# EOF", exemplar}},
		{"application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0",
			[]string{"# TYPE corsproc_streams counter\n", exemplar, "\n# EOF\n"}, []string{"_created"}},
	} {
		resp := do(handler, "GET", "/metrics", "127.0.0.1", "Accept", test.accept)
		body, _ := io.ReadAll(resp.Body)
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), test.contentType) {
			t.Errorf("%q: content type %q", test.accept, resp.Header.Get("Content-Type"))
		}
		for _, s := range test.has {
			if !strings.Contains(string(body), s) {
				t.Errorf("%q: lacks %q:\n%s", test.accept, s, body)
			}
		}
		for _, s := range test.lacks {
			if strings.Contains(string(body), s) {
				t.Errorf("%q: has %q", test.accept, s)
			}
		}
	}

	resp := do(handler, "GET", "/metrics", "127.0.0.1", "Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	decoder := expfmt.NewDecoder(resp.Body, expfmt.ResponseFormat(resp.Header))
	for {
		var f dto.MetricFamily
		if err := decoder.Decode(&f); err != nil {
			t.Fatalf("no corsproc_decision_duration_seconds in the protobuf form: %v", err)
		}
		if f.GetName() != "corsproc_decision_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if h.GetSchema() != nativeSchema || len(h.GetPositiveDelta()) != 1 || len(h.GetBucket()) == 0 || len(h.GetExemplars()) != 1 || h.GetCreatedTimestamp() == nil {
			t.Errorf("the histogram is %v, want a native and a classic one, with an exemplar", h)
		}
		return
	}
}

// TestCountingAllocatesNothing is about all that is counted for every request.
func TestCountingAllocatesNothing(t *testing.T) {
	m := everything(t)
	d := policy.Decision{VirtualHost: "api", Policy: "shop"}
	count := func() {
		m.StreamStarted()
		m.MessageReceived(extproc.PhaseRequestHeaders)
		m.Decided(&d, 700*time.Nanosecond)
		m.MessageReceived(extproc.PhaseResponseHeaders)
		m.StreamEnded(codes.OK)
	}
	if n := testing.AllocsPerRun(1000, count); n > 0 {
		t.Errorf("counting a request allocates %v times", n)
	}
}
