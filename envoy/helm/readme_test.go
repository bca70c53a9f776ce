package helm

import (
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"
)

// TestReadme installs what the chart's page shows: value files, and lines of somebody else's chart, which have to stand in
// testdata/sidecar.
func TestReadme(t *testing.T) {
	c := load(t, chartDir)
	installed, looked := 0, 0
	for _, part := range strings.Split(readText(t, filepath.Join(chartDir, "README.md")), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(part, "\n```")
		title, rest, _ := strings.Cut(text, "\n")
		switch title {
		case "# values.yaml":
			installed++
			values, err := common.ReadValues([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			manifests, _, err := render(c, values)
			if err != nil {
				t.Errorf("%v\n%s", err, text)
				continue
			}
			check(t, manifests)
		case "# values.yaml of your chart", "# templates/deployment.yaml of your chart":
			name, _, _ := strings.Cut(strings.TrimPrefix(title, "# "), " ")
			known := readText(t, filepath.Join("testdata/sidecar", name))
			for line := range strings.Lines(rest) {
				looked++
				if !strings.Contains(known, strings.TrimSpace(line)) {
					t.Errorf("testdata/sidecar/%s has no line %q", name, line)
				}
			}
		case "# Chart.yaml":
			var parent chart.Metadata
			if err := yaml.UnmarshalStrict([]byte(rest), &parent); err != nil {
				t.Fatal(err)
			}
			for _, d := range parent.Dependencies {
				if d.Name != c.Metadata.Name || d.Version != c.Metadata.Version {
					t.Errorf("the chart is %s %s", c.Metadata.Name, c.Metadata.Version)
				}
			}
		case "# prometheus-adapter":
			values, err := common.ReadValuesFile(filepath.Join(chartDir, "values.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			metric, err := values.PathValue("autoscaling.streamRate.metric")
			if err != nil || !strings.Contains(rest, "name: { as: "+metric.(string)+" }") {
				t.Errorf("the metric is %v (%v)", metric, err)
			}
			if err := yaml.UnmarshalStrict([]byte(rest), &struct {
				Rules []struct {
					SeriesQuery string `json:"seriesQuery"`
					Resources   any    `json:"resources"`
					Name        any    `json:"name"`
					Query       string `json:"metricsQuery"`
				} `json:"rules"`
			}{}); err != nil {
				t.Error(err)
			}
		default:
			t.Errorf("nothing holds the block %q", title)
		}
	}
	if installed == 0 || looked == 0 {
		t.Errorf("%d value files, %d lines of another chart", installed, looked)
	}
}
