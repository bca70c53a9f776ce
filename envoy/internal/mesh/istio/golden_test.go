// Package istio asks Istio's own control plane what it makes of the manifests in envoy/istio/, and writes it down: the
// golden files that the configurations in envoy/e2e/testdata/ are held against. `make mesh-golden` runs it; it takes
// minutes to build, so nothing else does.
//
// It is a test because Istio's fake control plane needs one. It judges nothing: what is right is said by envoy/e2e.
package istio

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"istio.io/api/label"
	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/mesh"
	"sigs.k8s.io/yaml"
)

var (
	root = flag.String("root", "../../../..", "where the repository is")
	out  = flag.String("out", "", "the folder that the golden files are written to; empty: nothing is written")
)

// version is what the proxies say of theirs; EnvoyFilters can be limited by it.
const version = "1.31.0"

// Golden is a golden file: the part of a proxy's configuration that a request passes.
type Golden struct {
	Listeners []json.RawMessage `json:"listeners"`
	Routes    []json.RawMessage `json:"routes,omitempty"`
	Clusters  []json.RawMessage `json:"clusters"`
}

// scenarios are the kinds of proxy that envoy/istio/ has a manifest for.
var scenarios = []struct {
	name      string
	manifests []string
	proxy     *model.Proxy
	listeners []string // of them the golden file tells
	clusters  []string // prefixes of the names of those that it tells
}{
	{
		name:      "istio-gateway",
		manifests: []string{"gateway.yaml", "named-policies.yaml", "destination-rule.yaml"},
		proxy: &model.Proxy{
			Type: model.Router, ConfigNamespace: "istio-ingress", IPAddresses: []string{"10.0.0.3"}, Labels: map[string]string{"istio": "ingress"},
			Metadata: &model.NodeMetadata{Namespace: "istio-ingress", Labels: map[string]string{"istio": "ingress"}, IstioVersion: version},
		},
		listeners: []string{"0.0.0.0_8080"},
		clusters:  []string{"outbound|9002||corsproc.", "outbound|8080||api."},
	},
	{
		name:      "istio-sidecar",
		manifests: []string{"sidecar.yaml", "destination-rule.yaml"},
		proxy: &model.Proxy{
			Type: model.SidecarProxy, ConfigNamespace: "shop", IPAddresses: []string{"10.0.0.1"}, Labels: map[string]string{"app": "api"},
			Metadata: &model.NodeMetadata{Namespace: "shop", Labels: map[string]string{"app": "api"}, IstioVersion: version},
		},
		listeners: []string{model.VirtualInboundListenerName},
		clusters:  []string{"outbound|9002||corsproc.", "inbound|8080||"},
	},
	{
		name:      "istio-waypoint",
		manifests: []string{"waypoint.yaml", "destination-rule.yaml"},
		proxy: &model.Proxy{
			Type: model.Waypoint, ConfigNamespace: "shop", IPAddresses: []string{"10.0.0.4"},
			Labels: map[string]string{
				label.IoK8sNetworkingGatewayGatewayName.Name: "waypoint",
				label.GatewayManaged.Name:                    constants.ManagedGatewayMeshControllerLabel,
			},
			Metadata: &model.NodeMetadata{Namespace: "shop", IstioVersion: version},
		},
		listeners: []string{"connect_terminate", "main_internal", "connect_originate"},
		clusters:  []string{"outbound|9002||corsproc.", "inbound-vip|", "encap", "main_internal", "connect_originate"},
	},
}

func TestGolden(t *testing.T) {
	features.EnableAmbient = true
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			resources := []string{read(t, filepath.Join("envoy", "internal", "mesh", "world", "istio.yaml"))}
			for _, name := range s.manifests {
				resources = append(resources, read(t, filepath.Join("envoy", "istio", name)))
			}
			text := strings.Join(resources, "\n---\n")
			// The part of the control plane for ambient mode wants the same resources as Kubernetes objects.
			server := xds.NewFakeDiscoveryServer(t, xds.FakeOptions{ConfigString: text, KubernetesObjectString: text, MeshConfig: mesh.DefaultMeshConfig()})
			proxy := server.SetupProxy(s.proxy)

			var golden Golden
			listeners := server.Listeners(proxy)
			golden.Listeners = collect(t, listeners, (*listenerv3.Listener).GetName, func(name string) bool { return slices.Contains(s.listeners, name) })
			golden.Routes = collect(t, server.RoutesFromListeners(proxy, listeners), (*routev3.RouteConfiguration).GetName, func(name string) bool { return strings.HasPrefix(name, "http.") })
			golden.Clusters = collect(t, server.Clusters(proxy), (*clusterv3.Cluster).GetName, func(name string) bool {
				return slices.ContainsFunc(s.clusters, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
			})
			write(t, s.name, golden)
		})
	}
}

// collect returns the chosen ones of a kind of resource, in the order of their names.
func collect[T proto.Message](t *testing.T, all []T, name func(T) string, wanted func(string) bool) []json.RawMessage {
	t.Helper()
	all = slices.DeleteFunc(slices.Clone(all), func(m T) bool { return !wanted(name(m)) })
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(name(a), name(b)) })
	var raw []json.RawMessage
	for _, m := range all {
		data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, data)
	}
	return raw
}

func write(t *testing.T, name string, golden Golden) {
	t.Helper()
	data, err := yaml.Marshal(golden)
	if err != nil {
		t.Fatal(err)
	}
	if *out == "" {
		t.Logf("%s", data)
		return
	}
	const head = "# What Istio's control plane makes of envoy/istio/ in envoy/internal/mesh/world/istio.yaml. Written by make mesh-golden.\n"
	if err := os.WriteFile(filepath.Join(*out, name+".yaml"), append([]byte(head), data...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(*root, name))
	if err != nil {
		t.Fatal(err)
	}
	// Comments before the first document would be a document of their own to Istio's reader.
	var lines [][]byte
	for line := range bytes.Lines(data) {
		if !bytes.HasPrefix(line, []byte("#")) {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(string(bytes.Join(lines, nil)))
}
