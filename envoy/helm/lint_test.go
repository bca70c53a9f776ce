package helm

import (
	"path/filepath"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// TestLint is `helm lint --strict` with every value file, and without one.
func TestLint(t *testing.T) {
	version, err := common.ParseKubeVersion(kubeVersion)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range valueFiles(t) {
		t.Run(name, func(t *testing.T) { checkLint(t, chartDir, values, version) })
	}
	// As `helm dependency build` leaves it.
	t.Run("sidecar", func(t *testing.T) {
		dir := t.TempDir()
		parent := load(t, "testdata/sidecar")
		parent.Metadata.Dependencies = []*chart.Dependency{{Name: "corsproc", Version: "0.1.0", Repository: "file://../corsproc"}}
		parent.AddDependency(load(t, chartDir))
		if err := chartutil.SaveDir(parent, dir); err != nil {
			t.Fatal(err)
		}
		checkLint(t, filepath.Join(dir, "edge"), nil, version)
	})
}

func checkLint(t *testing.T, dir string, values map[string]any, version *common.KubeVersion) {
	t.Helper()
	for _, m := range lint.RunAll(dir, values, "cors", lint.WithKubeVersion(version)).Messages {
		if m.Severity >= support.WarningSev {
			t.Error(m)
		} else {
			t.Log(m)
		}
	}
}
