//go:build unix

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
)

// The configurations in testdata/ are what control planes wrote (testdata/golden/, by make mesh-golden), but for what
// follows here.
var (
	// leftOut are fields that are not compared, by what a static configuration on one machine cannot have.
	leftOut = []string{
		// Where things are: addresses, and the redirection of connections by iptables.
		"address", "eds_cluster_config", "load_assignment", "type", "filter_chain_match", "upstream_bind_config", "cleanup_interval",
		// Certificates, which come by SDS.
		"transport_socket_matches",
		// What only Istio's build of Envoy understands.
		"tracing",
	}

	// istioFilters are only in Istio's build of Envoy.
	istioFilters = []string{"istio.metadata_exchange", "istio.alpn", "waypoint_downstream_peer_metadata", "waypoint_upstream_peer_metadata"}

	// notIstios are listeners and clusters of a configuration that no control plane wrote; its comments say what for.
	notIstios = []string{"ztunnel", "waypoint"}

	// notHere are parts of the golden files that no request of a test passes: other filter chains, and the way from a
	// waypoint into a second tunnel.
	notHere = []string{
		"virtualInbound-blackhole", "virtualInbound-catchall-http", "virtualInbound", "direct-tcp", "direct-http", "connect_originate", "encap",
	}
)

// TestMeshGolden holds the configurations to be what the control planes wrote.
func TestMeshGolden(t *testing.T) {
	withPlatforms(t, func(t *testing.T, p *platform) {
		golden := object(t, filepath.Join("testdata", "golden", p.name+".yaml"))
		static := object(t, p.file())["static_resources"].(map[string]any)
		routes := byName(t, golden["routes"], nil)
		for _, kind := range []string{"listeners", "clusters"} {
			want, got := byName(t, golden[kind], routes), byName(t, static[kind], nil)
			for name := range want {
				if got[name] == nil && !slices.Contains(notHere, name) {
					t.Errorf("%s: %s is missing", kind, name)
				}
			}
			for name, resource := range got {
				switch {
				case slices.Contains(notIstios, name):
				case want[name] == nil:
					t.Errorf("%s: the control plane made no %s", kind, name)
				default:
					compare(t, kind, resource, want[name])
				}
			}
		}
	})
}

func object(t *testing.T, file string) (o map[string]any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// byName returns the resources of a list by their names, without what is not compared and with the route configurations
// inside them that they refer to.
func byName(t *testing.T, list any, routes map[string]map[string]any) map[string]map[string]any {
	t.Helper()
	all, _ := list.([]any)
	found := map[string]map[string]any{}
	for _, resource := range all {
		o := resource.(map[string]any)
		delete(o, "@type") // what Envoy Gateway's were wrapped in
		if o["type"] == "ORIGINAL_DST" {
			delete(o, "lb_policy") // goes with it
		}
		found[o["name"].(string)] = strip(o, routes).(map[string]any)
	}
	return found
}

// strip returns a value without what is not compared.
func strip(value any, routes map[string]map[string]any) any {
	switch v := value.(type) {
	case []any:
		kept := []any{}
		for _, inner := range v {
			if o, ok := inner.(map[string]any); !ok || !isLeftOut(o) {
				kept = append(kept, strip(inner, routes))
			}
		}
		return kept
	case map[string]any:
		kept := map[string]any{}
		for key, inner := range v {
			switch name := snake(key); {
			case slices.Contains(leftOut, name):
			case name == "transport_socket" && strings.Contains(inner.(map[string]any)["name"].(string), "tls"):
			case name == "rds":
				for rdsKey, config := range inner.(map[string]any) {
					if snake(rdsKey) == "route_config_name" {
						kept["route_config"] = routes[config.(string)]
					}
				}
			default:
				kept[key] = strip(inner, routes)
			}
		}
		return kept
	}
	return value
}

// isLeftOut reports whether an element of a list is not compared.
func isLeftOut(o map[string]any) bool {
	name, _ := o["name"].(string)
	match, _ := o["filter_chain_match"].(map[string]any)
	return slices.Contains(istioFilters, name) || slices.Contains(notHere, name) ||
		match["transport_protocol"] == "tls" || o["factory_key"] == "istio.hashable_string"
}

// snake returns a field's name as it stands in its .proto; Envoy Gateway writes the other form.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// compare holds two resources to be one message: spelling and defaults make no difference.
func compare(t *testing.T, kind string, got, want map[string]any) {
	t.Helper()
	messages := make([]*bootstrapv3.Bootstrap, 2)
	for i, resource := range []map[string]any{got, want} {
		data, err := json.Marshal(map[string]any{"static_resources": map[string]any{kind: []any{resource}}})
		if err != nil {
			t.Fatal(err)
		}
		messages[i] = &bootstrapv3.Bootstrap{}
		if err := protojson.Unmarshal(data, messages[i]); err != nil {
			t.Fatalf("%v: %v", resource["name"], err)
		}
	}
	if diff := cmp.Diff(messages[1], messages[0], protocmp.Transform()); diff != "" {
		t.Errorf("%s %v is not what the control plane wrote (-golden +file):\n%s", kind, got["name"], diff)
	}
}
