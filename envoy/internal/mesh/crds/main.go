// Command crds copies the CustomResourceDefinitions of Istio, Envoy Gateway and Gateway API that our manifests are checked
// against out of the projects' own Go modules into envoy/helm/testdata/crds/. `make mesh-golden` runs it.
//
// Descriptions are left out, which are most of the bytes and change nothing of what is allowed. The Go command checks
// what it downloads against the checksum database.
package main

// Tested by envoy/helm/custom_test.go.

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/envoy/internal/mesh"
)

// source is a file of a module.
type source struct {
	module, version string
	file            string
	kinds           []string // the CustomResourceDefinitions in it that are copied; nil: all
}

var sources = []source{
	{"istio.io/istio", mesh.Istio, "manifests/charts/base/files/crd-all.gen.yaml", []string{
		"destinationrules.networking.istio.io", "envoyfilters.networking.istio.io", "gateways.networking.istio.io",
		"serviceentries.networking.istio.io", "virtualservices.networking.istio.io", "workloadentries.networking.istio.io",
		"authorizationpolicies.security.istio.io", "requestauthentications.security.istio.io",
	}},
	{"github.com/envoyproxy/gateway", mesh.EnvoyGateway, "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_envoyextensionpolicies.yaml", nil},
	{"github.com/envoyproxy/gateway", mesh.EnvoyGateway, "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_envoyproxies.yaml", nil},
	{"github.com/envoyproxy/gateway", mesh.EnvoyGateway, "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_securitypolicies.yaml", nil},
	{"sigs.k8s.io/gateway-api", mesh.GatewayAPI, "config/crd/standard/gateway.networking.k8s.io_backendtlspolicies.yaml", nil},
	{"sigs.k8s.io/gateway-api", mesh.GatewayAPI, "config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml", nil},
	{"sigs.k8s.io/gateway-api", mesh.GatewayAPI, "config/crd/standard/gateway.networking.k8s.io_gateways.yaml", nil},
	{"sigs.k8s.io/gateway-api", mesh.GatewayAPI, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml", nil},
	{"sigs.k8s.io/gateway-api", mesh.GatewayAPI, "config/crd/standard/gateway.networking.k8s.io_referencegrants.yaml", nil},
}

func main() {
	out := flag.String("out", "envoy/helm/testdata/crds", "the folder that is written to")
	flag.Parse()
	for _, s := range sources {
		if err := s.copy(*out); err != nil {
			fmt.Fprintf(os.Stderr, "crds: %s: %v\n", s.module, err)
			os.Exit(1)
		}
	}
}

func (s source) copy(out string) error {
	folder, err := download(s.module + "@" + s.version)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(folder, s.file))
	if err != nil {
		return err
	}
	copied := 0
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var crd map[string]any
		if err := decoder.Decode(&crd); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("%s: %w", s.file, err)
		}
		if crd["kind"] != "CustomResourceDefinition" {
			continue
		}
		name := crd["metadata"].(map[string]any)["name"].(string)
		if s.kinds != nil && !slices.Contains(s.kinds, name) {
			continue
		}
		crd["metadata"] = map[string]any{"name": name}
		text, err := yaml.Dump(withoutDescriptions(crd), yaml.WithIndent(2), yaml.WithCompactSeqIndent(true))
		if err != nil {
			return err
		}
		head := fmt.Sprintf("# %s %s, %s, without descriptions. Written by make mesh-golden.\n", s.module, s.version, s.file)
		if err := os.WriteFile(filepath.Join(out, name+".yaml"), append([]byte(head), text...), 0o644); err != nil {
			return err
		}
		copied++
	}
	if copied == 0 || s.kinds != nil && copied != len(s.kinds) {
		return fmt.Errorf("%s: copied %d definitions", s.file, copied)
	}
	return nil
}

// download returns the folder of a module.
func download(module string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	var answer struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(output, &answer); jsonErr != nil {
		return "", errors.Join(err, jsonErr)
	}
	if answer.Error != "" {
		return "", errors.New(answer.Error)
	}
	return answer.Dir, err
}

// withoutDescriptions returns a definition without the descriptions in its schemas. A property that is itself called
// description is a map and stays.
func withoutDescriptions(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, inner := range v {
			if _, text := inner.(string); key != "description" || !text {
				kept[key] = withoutDescriptions(inner)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i := range v {
			kept[i] = withoutDescriptions(v[i])
		}
		return kept
	}
	return value
}
