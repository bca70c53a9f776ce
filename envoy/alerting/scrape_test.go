package alerting

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// startCorsproc builds corsproc, runs it with the policies of the demo, and returns the address of its metrics.
func startCorsproc(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "corsproc")
	build := exec.Command("go", "build", "-o", binary, "./cmd/corsproc")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Nobody listens at the collector's address: the metrics of traces are there all the same.
	c := exec.Command(binary, "serve", "--policies", "../demo/policies.yaml", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--log-format", "json", "--otlp-endpoint", "http://127.0.0.1:1")
	log, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	})
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var record struct{ Msg, Admin string }
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Msg == "ready" {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return "http://" + record.Admin + "/metrics"
		}
	}
	t.Fatal("corsproc ends before it is ready")
	return ""
}

// scrapeFormats are the forms that Prometheus asks for.
var scrapeFormats = map[string]string{
	"text":            "text/plain;version=0.0.4",
	"text, UTF-8":     "text/plain;version=1.0.0;escaping=allow-utf-8",
	"OpenMetrics 0.0": "application/openmetrics-text;version=0.0.1",
	"OpenMetrics":     "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
	"protobuf":        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
}

// TestScrape reads the metrics of a running corsproc with Prometheus' own parsers, and holds what they let pass and
// OpenMetrics (1.0, "MetricFamily") does not: each family stands once, and each series in its family and once.
func TestScrape(t *testing.T) {
	address := startCorsproc(t)
	all := known(t)
	for name, accept := range scrapeFormats {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest("GET", address, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", accept)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			data, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			kind := resp.Header.Get("Content-Type")
			if want, _, _ := strings.Cut(accept, ";"); !strings.HasPrefix(kind, want) {
				t.Fatalf("%s is answered with %s", accept, kind)
			}
			families, faults := readScrape(data, kind)
			for _, f := range faults {
				t.Error(f)
			}
			for name := range all {
				if of, _, _ := strings.Cut(name, "_"); of != "go" && of != "process" {
					continue
				}
				if !slices.Contains(families, name) && !slices.Contains(families, strings.TrimSuffix(name, "_total")) {
					t.Errorf("%s is not there, and the dashboard or an alert uses it", name)
				}
			}
		})
	}
}

// TestScrapeFaults holds that faults are found at all.
func TestScrapeFaults(t *testing.T) {
	const openMetrics = "application/openmetrics-text; version=1.0.0"
	for _, c := range []struct{ text, kind, want string }{
		{"# TYPE a gauge\na 1\n# TYPE a counter\na_total 2\n# EOF\n", openMetrics, "the family a stands twice"},
		{"# TYPE a gauge\na 1\n# TYPE b gauge\na 2\n# EOF\n", openMetrics, "the series a stands in the family b"},
		{"# TYPE a gauge\na 1\na 2\n# EOF\n", openMetrics, "the series a stands twice"},
		{"# TYPE a gauge\na 1\n", openMetrics, "EOF"},
		{"a{\n", "text/plain", "expected label name"},
	} {
		if _, faults := readScrape([]byte(c.text), c.kind); !strings.Contains(strings.Join(faults, "\n"), c.want) {
			t.Errorf("%q: %q, want %q", c.text, faults, c.want)
		}
	}
}

// suffixes are what names of series have behind that of their family (OpenMetrics 1.0, "Suffixes").
var suffixes = map[model.MetricType][]string{
	model.MetricTypeCounter:   {"", "_total", "_created"},
	model.MetricTypeHistogram: {"", "_bucket", "_count", "_sum", "_created"},
	model.MetricTypeSummary:   {"", "_count", "_sum", "_created"},
}

// readScrape returns the names of the families of an exposition, and what is wrong with it.
func readScrape(data []byte, contentType string) (families, faults []string) {
	p, err := textparse.New(data, contentType, labels.NewSymbolTable(), textparse.ParserOptions{KeepClassicOnClassicAndNativeHistograms: true})
	if err != nil {
		return nil, []string{err.Error()}
	}
	seen := map[string]bool{}
	family, kind := "", model.MetricTypeUnknown
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return families, faults
		}
		if err != nil {
			return families, append(faults, err.Error())
		}
		switch entry {
		case textparse.EntryType:
			var name []byte
			name, kind = p.Type()
			family = string(name)
			if slices.Contains(families, family) {
				faults = append(faults, "the family "+family+" stands twice")
			}
			families = append(families, family)
		case textparse.EntrySeries, textparse.EntryHistogram:
			var series labels.Labels
			p.Labels(&series)
			if key := series.String(); entry == textparse.EntrySeries && seen[key] {
				faults = append(faults, "the series "+series.Get(model.MetricNameLabel)+" stands twice")
			} else {
				seen[key] = true
			}
			rest, of := strings.CutPrefix(series.Get(model.MetricNameLabel), family)
			if ends := suffixes[kind]; !of || !slices.Contains(ends, rest) && rest != "" {
				faults = append(faults, "the series "+series.Get(model.MetricNameLabel)+" stands in the family "+family)
			}
			for e := new(exemplar.Exemplar); p.Exemplar(e); {
			}
		}
	}
}
