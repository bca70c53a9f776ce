package browser

import (
	"os"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestEnvoyPath runs the table of paths through the model. TestPaths of envoy/e2e sends them to a real Envoy.
func TestEnvoyPath(t *testing.T) {
	data, err := os.ReadFile("testdata/paths.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Path string `yaml:"path"`
		Want string `yaml:"want"`
	}
	if err := yaml.Load(data, &cases, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		got, ok := EnvoyPath(c.Path)
		if !ok {
			got = "400"
		}
		if got != c.Want {
			t.Errorf("%s: got %s, want %s", c.Path, got, c.Want)
		}
	}
	if len(cases) < 80 {
		t.Errorf("only %d paths", len(cases))
	}
}
