package alerting

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// metricsFile lists the metrics that corsproc has: name, type, {labels}. The tests of server/admin hold it.
const metricsFile = "../../server/admin/testdata/metrics.txt"

// ofPrometheus are labels that Prometheus adds when it scrapes, in the way that the rules expect.
var ofPrometheus = []string{"namespace", "job", "instance"}

// known returns the labels of every series that there is.
func known(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(metricsFile)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{"up": nil}
	for line := range strings.Lines(string(data)) {
		parts := regexp.MustCompile(`^(\S+) (\S+) \{(.*)\}\n$`).FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("%s: %q", metricsFile, line)
		}
		own := strings.FieldsFunc(parts[3], func(r rune) bool { return r == ',' })
		all[parts[1]] = own // of a histogram it is the native one
		if parts[2] == "histogram" {
			all[parts[1]+"_bucket"] = append(slices.Clone(own), "le")
			all[parts[1]+"_sum"], all[parts[1]+"_count"] = own, own
		}
	}
	for _, r := range readRules(t).Groups[0].Rules {
		all[r.Record] = []string{"virtual_host", "policy"}
		if strings.HasPrefix(r.Record, "corsproc:module_") {
			all[r.Record] = []string{"reason"}
		}
	}
	addModule(t, all)
	return all
}

// addModule adds the statistics of the module in Envoy, as its page has them; envoy/e2e holds a real Envoy to that page.
func addModule(t *testing.T, all map[string][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/module.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile("(?m)^\\| `corsproc\\.(\\w+)(?:\\{(\\S+)\\})?` \\| ").FindAllStringSubmatch(string(page), -1)
	if len(lines) < 6 {
		t.Fatalf("docs/module.md has %d statistics", len(lines))
	}
	for _, line := range lines {
		all["envoy_corsproc_"+line[1]] = strings.FieldsFunc(line[2], func(r rune) bool { return r == ',' })
	}
}

// checkNames finds metrics in an expression that corsproc does not have, and labels that they do not have. What else Envoy
// has is held against a real one in envoy/e2e.
func checkNames(t *testing.T, where, expr string, known map[string][]string) {
	t.Helper()
	e, err := promParser.ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	selectors := 0
	parser.Inspect(e, func(n parser.Node, around []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		selectors++
		name := s.Name
		own, ok := known[name]
		if !ok && strings.HasPrefix(name, "envoy_") && !strings.HasPrefix(name, "envoy_corsproc_") {
			return nil
		}
		if !ok {
			t.Errorf("%s: there is no metric %s", where, name)
			return nil
		}
		used := []string{}
		for _, m := range s.LabelMatchers {
			used = append(used, m.Name)
		}
		for _, a := range around {
			if a, ok := a.(*parser.AggregateExpr); ok && !a.Without {
				used = append(used, a.Grouping...)
			}
		}
		for _, label := range used {
			if label != model.MetricNameLabel && !slices.Contains(own, label) && !slices.Contains(ofPrometheus, label) {
				t.Errorf("%s: %s has no label %s", where, name, label)
			}
		}
		return nil
	})
	if selectors == 0 {
		t.Errorf("%s: %s is about nothing", where, expr)
	}
}

func TestNamesInRules(t *testing.T) {
	all := known(t)
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			checkNames(t, r.Record+r.Alert, r.Expr, all)
		}
	}
}
