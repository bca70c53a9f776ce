package helm

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
)

const chartDir = "corsproc"

var update = flag.Bool("update", false, "write the golden files, and the chart's copies of other files, anew")

// kubeVersion is the cluster that charts are rendered for.
const kubeVersion = "v1.37.2"

// valueFiles are the value files that the chart is rendered with, by their names without .yaml.
func valueFiles(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(paths) < 3 {
		t.Fatal(paths, err)
	}
	files := map[string]map[string]any{}
	for _, path := range paths {
		values, err := common.ReadValuesFile(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".yaml")] = values
	}
	return files
}

func load(t *testing.T, dir string) *chart.Chart {
	t.Helper()
	c, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render does what `helm template edge DIR --namespace cors` does, the check of the values by their schema with it. It
// returns the manifests, each with its template's path before it, and what NOTES.txt says.
func render(c *chart.Chart, values map[string]any) (manifests, notes string, err error) {
	version, err := common.ParseKubeVersion(kubeVersion)
	if err != nil {
		return "", "", err
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	release := common.ReleaseOptions{Name: "edge", Namespace: "cors", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c, values, release, capabilities)
	if err != nil {
		return "", "", err
	}
	e := engine.Engine{Strict: true}
	rendered, err := e.RenderWithContext(context.Background(), c, all)
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(rendered)) {
		text := strings.TrimSpace(rendered[path])
		switch {
		case strings.HasSuffix(path, "NOTES.txt"):
			notes += text + "\n"
		case text != "":
			fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", path, strings.TrimPrefix(text, "---\n"))
		}
	}
	return b.String(), notes, nil
}

// TestGolden renders the chart with every value file, and compares.
func TestGolden(t *testing.T) {
	c := load(t, chartDir)
	for name, values := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			manifests, notes, err := render(c, values)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join("testdata/golden", name+".yaml"), manifests)
			compare(t, filepath.Join("testdata/golden", name+".notes.txt"), notes)
			check(t, manifests)
		})
	}
}

// TestGoldenSidecar renders a chart of somebody else's that has ours as a dependency.
func TestGoldenSidecar(t *testing.T) {
	parent := load(t, "testdata/sidecar")
	parent.AddDependency(load(t, chartDir))
	manifests, _, err := render(parent, nil)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "testdata/golden/sidecar.yaml", manifests)
	check(t, manifests)
}

// compare compares with a golden file, or writes it.
func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); make mesh-golden writes it anew:\n%s", path, diff)
	}
}

// TestCopies holds the chart's copies to be what stands in envoy/: a chart can only hold what lies in it.
func TestCopies(t *testing.T) {
	for _, name := range []string{"alerts.yaml", "dashboard.json"} {
		original, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(chartDir, "files", name)
		if *update {
			if err := os.WriteFile(path, original, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		copied, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(original, copied) {
			t.Errorf("%s is not envoy/%s; make mesh-golden copies it", path, name)
		}
	}
}
