// Command envoygateway asks Envoy Gateway's own translator (egctl x translate) what it makes of the manifests in
// envoy/envoy-gateway/, and writes it down: the golden files that envoy/e2e/testdata/envoy-gateway.yaml is held against.
// It also asks what becomes of the fixtures of corsproc import (imported.go). `make mesh-golden` runs it after its sister
// for Istio.
//
// The translator also validates every resource against the schemas of Envoy Gateway and Gateway API, rules in CEL
// included, and says of every policy whether it was accepted; one that was not is an error here.
package main

// Tested by envoy/e2e/platformgolden_test.go.

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/envoy/internal/mesh"
)

func main() {
	root := flag.String("root", ".", "where the repository is")
	egctl := flag.String("egctl", "", "the translator; default: the version that package mesh names, which takes minutes to build")
	only := flag.String("imported", "", "ask only about these fixtures of corsproc import (kind/name, with commas); default: about everything")
	flag.Parse()
	translator := []string{"go", "run", "github.com/envoyproxy/gateway/cmd/egctl@" + mesh.EnvoyGateway}
	if *egctl != "" {
		translator = []string{*egctl}
	}
	if err := run(*root, translator, *only); err != nil {
		fmt.Fprintln(os.Stderr, "envoygateway:", err)
		os.Exit(1)
	}
}

// scenarios are what is translated together, by the names of their golden files.
var scenarios = []struct {
	name      string
	manifests []string
}{
	{"envoy-gateway", manifests},
	{"envoy-gateway-tls", slices.Concat(manifests, []string{"internal/mesh/world/envoy-gateway-tls.yaml", "envoy-gateway/backend-tls.yaml"})},
}

var manifests = []string{"internal/mesh/world/envoy-gateway.yaml", "envoy-gateway/extension-policy.yaml", "envoy-gateway/filter-order.yaml"}

// golden is a golden file: the part of the configuration that a request passes.
type golden struct {
	Listeners []any `yaml:"listeners"`
	Routes    []any `yaml:"routes"`
	Clusters  []any `yaml:"clusters"`
}

func run(root string, translator []string, only string) error {
	if only != "" {
		if err := writeImported(root, translator, strings.Split(only, ",")); err != nil {
			return err
		}
		return writeInputs(root)
	}
	for _, s := range scenarios {
		g, err := translate(root, translator, s.manifests)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		data, err := yaml.Marshal(g)
		if err != nil {
			return err
		}
		const head = "# What Envoy Gateway makes of envoy/envoy-gateway/ in envoy/internal/mesh/world/. Written by make mesh-golden.\n"
		if err := os.WriteFile(filepath.Join(root, mesh.Golden, s.name+".yaml"), append([]byte(head), data...), 0o644); err != nil {
			return err
		}
	}
	if err := writeImported(root, translator, nil); err != nil {
		return err
	}
	return writeInputs(root)
}

func translate(root string, translator, manifests []string) (g golden, err error) {
	var documents [][]byte
	for _, name := range manifests {
		data, err := os.ReadFile(filepath.Join(root, "envoy", name))
		if err != nil {
			return g, err
		}
		documents = append(documents, data)
	}
	answer, err := ask(translator, documents, "--to", "gateway-api,xds", "-t", "all")
	if err != nil {
		return g, err
	}
	if refused := findRefused(answer); len(refused) > 0 {
		return g, fmt.Errorf("not accepted: %s", strings.Join(refused, "; "))
	}
	return extract(answer)
}

// ask asks the translator what it makes of some documents.
func ask(translator []string, documents [][]byte, args ...string) (answer map[string]any, err error) {
	input, err := os.CreateTemp("", "envoygateway-*.yaml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(input.Name())
	_, err = input.Write(bytes.Join(documents, []byte("\n---\n")))
	if err := errors.Join(err, input.Close()); err != nil {
		return nil, err
	}
	command := slices.Concat(translator, []string{"x", "translate", "--from", "gateway-api", "-o", "yaml", "-f", input.Name()}, args)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", translator, err, output)
	}
	return answer, yaml.Unmarshal(output, &answer)
}

// writeInputs notes what the golden files, those of Istio too, were made of. It comes last.
func writeInputs(root string) error {
	hashes, err := mesh.Inputs(root)
	if err != nil {
		return err
	}
	data, err := yaml.Marshal(hashes)
	if err != nil {
		return err
	}
	const head = "# What the golden files here were made of: versions, and hashes without comments. Written by make mesh-golden.\n"
	return os.WriteFile(filepath.Join(root, mesh.Golden, "inputs.yaml"), append([]byte(head), data...), 0o644)
}

// findRefused returns what the status of resources complains of, anywhere in the answer.
func findRefused(value any) (refused []string) {
	switch v := value.(type) {
	case map[string]any:
		if v["status"] == "False" && v["reason"] != "Pending" {
			if reason, ok := v["reason"].(string); ok && !expected(reason) {
				refused = append(refused, fmt.Sprintf("%v: %v", reason, v["message"]))
			}
		}
		for _, inner := range v {
			refused = append(refused, findRefused(inner)...)
		}
	case []any:
		for _, inner := range v {
			refused = append(refused, findRefused(inner)...)
		}
	}
	return refused
}

// expected are the reasons for a status of "False" that a translator without a cluster always gives.
func expected(reason string) bool {
	return slices.Contains([]string{"AddressNotAssigned", "NoResources", "NoConflicts"}, reason)
}

// extract finds the resources in the dump of the proxy's configuration.
func extract(answer map[string]any) (g golden, err error) {
	walk(answer["xds"], func(m map[string]any) {
		switch {
		case m["listener"] != nil:
			if l := m["listener"].(map[string]any); l["name"] == "shop/web/http" {
				g.Listeners = append(g.Listeners, l)
			}
		case m["routeConfig"] != nil:
			if r, ok := m["routeConfig"].(map[string]any); ok && r["name"] == "shop/web/http" {
				g.Routes = append(g.Routes, r)
			}
		case m["cluster"] != nil:
			if c, ok := m["cluster"].(map[string]any); ok {
				if name := fmt.Sprint(c["name"]); strings.HasPrefix(name, "envoyextensionpolicy/") || strings.HasPrefix(name, "httproute/") {
					g.Clusters = append(g.Clusters, c)
				}
			}
		}
	})
	if len(g.Listeners) != 1 || len(g.Routes) != 1 || len(g.Clusters) == 0 {
		return g, fmt.Errorf("found %d listeners, %d route configurations and %d clusters", len(g.Listeners), len(g.Routes), len(g.Clusters))
	}
	slices.SortFunc(g.Clusters, func(a, b any) int {
		name := func(c any) string { return fmt.Sprint(c.(map[string]any)["name"]) }
		return strings.Compare(name(a), name(b))
	})
	return g, nil
}

// walk calls visit for every map inside a value.
func walk(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, inner := range v {
			walk(inner, visit)
		}
	case []any:
		for _, inner := range v {
			walk(inner, visit)
		}
	}
}
