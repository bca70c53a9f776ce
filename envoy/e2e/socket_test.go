//go:build unix

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// besides are the pages of those who run corsproc beside Envoy, and where each says that the settings of corsproc stand.
var besides = map[string]func(t *testing.T) []string{
	"envoy/systemd/README.md":    unitArguments,
	"envoy/kubernetes/README.md": sidecarArguments,
}

// TestMeshSocketDocs does what the pages show: the policies, the settings of corsproc, the endpoint of Envoy's cluster, and
// what curl is told. Only paths are others.
func TestMeshSocketDocs(t *testing.T) {
	for page, arguments := range besides {
		t.Run(filepath.Base(filepath.Dir(page)), func(t *testing.T) {
			// A short path: one of a socket has at most 107 bytes.
			dir, err := os.MkdirTemp("", "corsproc-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			moved := strings.NewReplacer("/run/corsproc", dir)
			s := setup{virtualHosts: `[{name: api, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: echo}}]}]`}
			for _, argument := range arguments(t) {
				if !strings.HasPrefix(argument, "--policies=") && !strings.HasPrefix(argument, "--admin-listen=") {
					s.args = append(s.args, moved.Replace(argument))
				}
			}
			var endpoint *endpointv3.LbEndpoint
			asked := 0
			for _, block := range docBlock.FindAllStringSubmatch(read(t, page), -1) {
				switch language, text := block[1], block[2]; {
				case language == "yaml" && strings.HasPrefix(text, "# policies.yaml\n"):
					s.policies = text
				case language == "yaml":
					endpoint = readEndpoint(t, moved.Replace(text))
				case language == "console":
					s.edit = func(c *bootstrap.Config) {
						cluster, err := c.Cluster(bootstrap.ClusterName)
						if err != nil {
							t.Fatal(err)
						}
						cluster.GetLoadAssignment().GetEndpoints()[0].LbEndpoints = []*endpointv3.LbEndpoint{endpoint}
					}
					asked += start(t, s).console(t, text)
				}
			}
			if asked == 0 {
				t.Error("the page asks nothing")
			}
		})
	}
}

// readEndpoint reads the line of Envoy's configuration that a page shows.
func readEndpoint(t *testing.T, text string) *endpointv3.LbEndpoint {
	t.Helper()
	var lines []any
	if err := yaml.Unmarshal([]byte(text), &lines); err != nil || len(lines) != 1 {
		t.Fatalf("%q: %v", text, err)
	}
	asJSON, err := json.Marshal(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	e := &endpointv3.LbEndpoint{}
	if err := protojson.Unmarshal(asJSON, e); err != nil || e.GetEndpoint().GetAddress().GetPipe() == nil {
		t.Fatalf("%q is no endpoint on a socket: %v", text, err)
	}
	return e
}

// sidecarArguments are the arguments of the container corsproc in envoy/kubernetes/sidecar.yaml.
func sidecarArguments(t *testing.T) []string {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(read(t, "envoy/kubernetes/sidecar.yaml")))
	for {
		var object struct {
			Spec struct {
				Template struct {
					Spec struct {
						InitContainers []struct {
							Name string
							Args []string
						} `yaml:"initContainers"`
					}
				}
			}
		}
		if err := decoder.Decode(&object); err != nil {
			t.Fatalf("no container corsproc: %v", err)
		}
		for _, c := range object.Spec.Template.Spec.InitContainers {
			if c.Name == "corsproc" && c.Args[0] == "serve" {
				return c.Args[1:]
			}
		}
	}
}
