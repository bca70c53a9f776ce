//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/policy/casetable"
)

// xdsDir is where the files of envoy/xds say that they lie.
const xdsDir = "/etc/envoy/xds"

// xds is what the files of envoy/xds hold.
type xds struct {
	bootstrap *bootstrapv3.Bootstrap
	listener  *listenerv3.Listener
	clusters  []*clusterv3.Cluster
	extension *corev3.TypedExtensionConfig
	discovery *hcmv3.HttpFilter_ConfigDiscovery // how the listener finds the extension
}

// readXDS reads the files, with dir in place of where they say that they lie.
func readXDS(t *testing.T, dir string) *xds {
	t.Helper()
	x := &xds{bootstrap: &bootstrapv3.Bootstrap{}, listener: &listenerv3.Listener{}, extension: &corev3.TypedExtensionConfig{}}
	parse := func(name string, into proto.Message) {
		t.Helper()
		var value any
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(read(t, "envoy/xds/"+name), xdsDir, dir)), &value); err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := protojson.Unmarshal(asJSON, into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var lds, cds, ecds discoveryv3.DiscoveryResponse
	parse("bootstrap.yaml", x.bootstrap)
	parse("lds.yaml", &lds)
	parse("cds.yaml", &cds)
	parse("ecds.yaml", &ecds)
	if len(lds.GetResources()) != 1 || len(ecds.GetResources()) != 1 {
		t.Fatal("want one listener and one extension")
	}
	unpack(t, lds.GetResources()[0], x.listener)
	unpack(t, ecds.GetResources()[0], x.extension)
	for _, resource := range cds.GetResources() {
		cluster := &clusterv3.Cluster{}
		unpack(t, resource, cluster)
		x.clusters = append(x.clusters, cluster)
	}
	manager := x.manager(t)
	discovery, ok := manager.GetHttpFilters()[0].GetConfigType().(*hcmv3.HttpFilter_ConfigDiscovery)
	if !ok || manager.GetHttpFilters()[0].GetName() != x.extension.GetName() {
		t.Fatal("the first filter is not the extension")
	}
	x.discovery = discovery
	return x
}

func unpack(t *testing.T, from *anypb.Any, into proto.Message) {
	t.Helper()
	if err := from.UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
}

func pack(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func (x *xds) manager(t *testing.T) *hcmv3.HttpConnectionManager {
	t.Helper()
	manager := &hcmv3.HttpConnectionManager{}
	unpack(t, x.listener.GetFilterChains()[0].GetFilters()[0].GetTypedConfig(), manager)
	return manager
}

func (x *xds) setManager(t *testing.T, manager *hcmv3.HttpConnectionManager) {
	t.Helper()
	x.listener.GetFilterChains()[0].GetFilters()[0].ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(t, manager)}
}

// static is the same configuration with everything in one place.
func (x *xds) static(t *testing.T) *bootstrapv3.Bootstrap {
	t.Helper()
	whole := &xds{listener: proto.CloneOf(x.listener)}
	manager := whole.manager(t)
	manager.HttpFilters[0].ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: x.extension.GetTypedConfig()}
	whole.setManager(t, manager)
	b := proto.CloneOf(x.bootstrap)
	b.Node, b.DynamicResources = nil, nil
	b.StaticResources = &bootstrapv3.Bootstrap_StaticResources{Listeners: []*listenerv3.Listener{whole.listener}, Clusters: x.clusters}
	return b
}

// TestXDSInStep holds the files to be envoy.yaml in pieces.
func TestXDSInStep(t *testing.T) {
	reference := load(t, "envoy.yaml")
	if _, err := reference.JSON(); err != nil { // packs the filter
		t.Fatal(err)
	}
	if got := readXDS(t, xdsDir).static(t); !proto.Equal(got, reference.Bootstrap) {
		t.Errorf("put together, they are not envoy.yaml:\n%s", protojson.Format(got))
	}
}

// discovered returns a setup with which Envoy takes listener, filter and clusters from files in dir, which are those of
// envoy/xds but for what the harness changes in every configuration.
func discovered(t *testing.T, dir string) setup {
	t.Helper()
	x := readXDS(t, dir)
	data, err := bootstrap.Marshal(x.static(t))
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "static.json")
	if err := os.WriteFile(config, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return setup{config: config, edit: func(c *bootstrap.Config) {
		if _, err := c.JSON(); err != nil { // packs what was changed
			t.Fatal(err)
		}
		static := c.Bootstrap.GetStaticResources()
		changed := &xds{listener: proto.CloneOf(static.GetListeners()[0])}
		manager := changed.manager(t)
		for _, filter := range manager.GetHttpFilters() {
			if filter.GetName() == x.extension.GetName() {
				filter.ConfigType = x.discovery
			}
		}
		changed.setManager(t, manager)
		var clusters []proto.Message
		for _, cluster := range static.GetClusters() {
			clusters = append(clusters, cluster)
		}
		deliver(t, dir, "lds.yaml", changed.listener)
		deliver(t, dir, "cds.yaml", clusters...)
		deliver(t, dir, "ecds.yaml", x.extension)
		c.Bootstrap.Node, c.Bootstrap.DynamicResources, c.Bootstrap.StaticResources = x.bootstrap.GetNode(), x.bootstrap.GetDynamicResources(), nil
	}}
}

// deliver writes resources to a file as bootstrap.yaml says: beside it, and renamed over it.
func deliver(t *testing.T, dir, name string, resources ...proto.Message) {
	t.Helper()
	response := &discoveryv3.DiscoveryResponse{}
	for _, resource := range resources {
		response.Resources = append(response.Resources, pack(t, resource))
	}
	data, err := protojson.Marshal(response) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	replace(t, filepath.Join(dir, name), data)
}

func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestXDSCases runs every case table through an Envoy that discovers its listener, the filter and the clusters.
func TestXDSCases(t *testing.T) {
	for _, table := range casetable.Load(t) {
		t.Run(table.File, func(t *testing.T) {
			s := discovered(t, t.TempDir())
			s.policies, s.virtualHosts, s.before = table.Policies, virtualHosts(t, &table), denyFilter
			runCasesAt(t, &table, s)
		})
	}
}

// TestXDSChange delivers the filter anew: it is taken up while the listener stays, and what does not parse changes
// nothing.
func TestXDSChange(t *testing.T) {
	dir := t.TempDir()
	s := discovered(t, dir)
	s.policies = shopPolicies
	g := start(t, s)
	get := func() int { return g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com").status }
	g.service.Stop(syscall.SIGINT, patience)
	if got := get(); got != http.StatusOK {
		t.Errorf("with failure_mode_allow and without corsproc: status %d", got)
	}

	enforcing := load(t, "enforcing.yaml")
	extension := &corev3.TypedExtensionConfig{Name: "corsproc", TypedConfig: pack(t, enforcing.Processors[0].ExternalProcessor)}
	deliver(t, dir, "ecds.yaml", extension)
	eventually(t, "the filter of enforcing.yaml is in force", func() bool { return get() == http.StatusInternalServerError })

	replace(t, filepath.Join(dir, "ecds.yaml"), []byte("resources: [{}]\n"))
	const discovery = "extension_config_discovery.http_filter.corsproc."
	eventually(t, "the broken file was seen", func() bool { return g.stat(t, discovery+"update_rejected") > 0 })
	if got := get(); got != http.StatusInternalServerError {
		t.Errorf("after a broken file: status %d", got)
	}
	if n := g.stat(t, "listener_manager.listener_modified"); n != 0 {
		t.Errorf("the listener was replaced %d times", n)
	}
}

// stat returns a counter of Envoy's.
func (g *gateway) stat(t *testing.T, name string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := g.envoy.Get(ctx, "/stats?filter="+name+"$")
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(strings.TrimSpace(string(answer)), ": ")
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("%s: %q", name, answer)
	}
	return n
}
