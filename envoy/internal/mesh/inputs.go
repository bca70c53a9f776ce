// Package mesh knows of what the golden files of control planes were made, so that a test can tell when they are stale.
// It knows the versions of the control planes, and neither their code nor what their output means. The programs below it make the golden files.
package mesh

// Tested by envoy/internal/mesh/istio/golden_test.go.

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// Golden is the folder of the golden files, in the repository.
const Golden = "envoy/e2e/testdata/golden"

// What corsproc import is held against, in the repository: its fixtures, and which routes Envoy Gateway makes of them.
const (
	Fixtures = "policy/convert/testdata"
	Imported = "envoy/e2e/testdata/imported"
)

// ImportedKinds are the kinds of fixtures of which Envoy Gateway makes something.
var ImportedKinds = []string{"gateway-api", "envoy-gateway"}

// Untranslated are fixtures that Envoy Gateway's translator on the command line does not read as its controller does: it
// knows no ListenerSets, no Lists, no targetSelectors and no creationTimestamp. Of others there are no routes.
var Untranslated = []string{
	"gateway-api/kubectl", "gateway-api/listener-set", "gateway-api/no-gateway", "gateway-api/same-path",
	"envoy-gateway/conflict", "envoy-gateway/listener-set", "envoy-gateway/namespaces", "envoy-gateway/no-routes", "envoy-gateway/selectors",
}

// The versions of the projects whose code and CustomResourceDefinitions count, as Go modules. Istio has no tags there:
// this is its main branch when it called itself 1.31. Gateway API's is the one that Envoy Gateway's comes with.
const (
	Istio        = "v0.0.0-20260827124520-eed52ebb66ad"
	EnvoyGateway = "v1.9.1"
	GatewayAPI   = "v1.6.1"
)

// inputs are the files that the control planes read, in the repository.
var inputs = []string{"envoy/internal/mesh/world/*.yaml", "envoy/istio/*.yaml", "envoy/envoy-gateway/*.yaml", Fixtures + "/gateway-api/*.yaml", Fixtures + "/envoy-gateway/*.yaml"}

// Inputs returns for every input, in the repository at root, a hash of what it says, and the versions of the control
// planes. Comments and empty lines do not count.
func Inputs(root string) (map[string]string, error) {
	hashes := map[string]string{"istio.io/istio": Istio, "github.com/envoyproxy/gateway": EnvoyGateway}
	for _, pattern := range inputs {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				return nil, err
			}
			hashes[filepath.ToSlash(name)] = hash(string(data))
		}
	}
	return hashes, nil
}

func hash(text string) string {
	h := sha256.New()
	for line := range strings.Lines(text) {
		if trimmed := strings.TrimSpace(line); trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			h.Write([]byte(strings.TrimRight(line, " \r\n") + "\n"))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
