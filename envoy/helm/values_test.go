package helm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
)

// TestRefusedValues: what is misspelt or cannot work is refused before anything is installed, and says where.
func TestRefusedValues(t *testing.T) {
	c := load(t, chartDir)
	for values, want := range map[string]string{
		"replicas: 3":                                      "'replicas' not allowed",
		"policies: {file: {}}":                             "'file' not allowed",
		"policies: {files: {policies.txt: a}}":             "/policies/files",
		"policies: {files: {policies.yaml: {default: a}}}": "/policies/files/policies.yaml",
		"policies: {existingConfigMaps: a}":                "/policies/existingConfigMaps",
		"replicaCount: '2'":                                "/replicaCount",
		"mode: daemonset":                                  "/mode",
		"image: {tag: 1.5}":                                "/image/tag",
		"image: {digest: abc}":                             "/image/digest",
		"drain: {delaySeconds: 5s}":                        "/drain/delaySeconds",
		"tls: {source: cert-manager}":                      "/tls/source",
		"tls: {client: {names: ['a,b']}}":                  "/tls/client/names",
		"log: {level: verbose}":                            "/log/level",
		"extraArgs: [--max-connections, '4096']":           "/extraArgs/1",
		"service: {port: 0}":                               "/service/port",
		"admin: {hosts: ['https://a']}":                    "/admin/hosts",
		"networkPolicy: {envoys: {}}":                      "/networkPolicy/envoys",
		"topologySpread: [{topologyKey: a}]":               "/topologySpread/0",
		"sidecar: {socketMode: 660}":                       "/sidecar/socketMode",
		"sidecar: {socketDir: run}":                        "/sidecar/socketDir",

		"tls: {source: secret}":                                           "tls.secretName",
		"tls: {source: certManager}":                                      "tls.certManager.issuerRef.name",
		"tls: {client: {enabled: true}}":                                  "tls.client.enabled needs tls.source",
		"autoscaling: {enabled: true, targetCPUUtilizationPercentage: 0}": "autoscaling.enabled needs",
		"{autoscaling: {enabled: true}, resources: {requests: null}}":     "needs resources.requests.cpu",
	} {
		parsed, err := common.ReadValues([]byte(values))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := render(c, parsed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", values, err, want)
		}
	}
}

// TestSchemaIsWhole holds the schema and values.yaml to name the same values: each has a default, and none is let through
// that no template knows.
func TestSchemaIsWhole(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema node
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	values, err := common.ReadValuesFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	delete(schema.Properties, "global") // Helm's own
	sameNames(t, "", &schema, values)
}

// node is what of a JSON schema says which names there are.
type node struct {
	Properties map[string]*node `json:"properties"`
}

func sameNames(t *testing.T, at string, schema *node, values map[string]any) {
	t.Helper()
	for name, value := range values {
		inner, ok := schema.Properties[name]
		if !ok {
			t.Errorf("values.schema.json has no %s", at+name)
			continue
		}
		if m, ok := value.(map[string]any); ok && inner.Properties != nil {
			sameNames(t, at+name+".", inner, m)
		}
	}
	for name := range schema.Properties {
		// Kubernetes' own objects, of which a default need not say everything.
		if _, ok := values[name]; !ok && at != "resources." && at != "autoscaling.behavior." {
			t.Errorf("values.yaml has no %s", at+name)
		}
	}
}
