//go:build unix

package e2e

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// moduleRecipe is the reference configuration with corsproc as a dynamic module.
const moduleRecipe = "module.yaml"

// TestModuleRecipePromises holds the file to what the documentation says of it.
func TestModuleRecipePromises(t *testing.T) {
	c := load(t, moduleRecipe)
	if first := c.Manager.GetHttpFilters()[0].GetName(); first != bootstrap.ModuleName || c.Module == nil {
		t.Fatalf("the first filter is %s", first)
	}
	if len(c.Processors) > 0 {
		t.Error("it asks corsproc, too")
	}
	m := c.Module
	config := m.GetDynamicModuleConfig()
	if config.GetName() != bootstrap.ModuleName || !config.GetDoNotClose() || config.GetMetricsNamespace() != "corsproc" || m.GetFilterName() != bootstrap.ModuleName {
		t.Errorf("%v", m)
	}
	want := map[string]any{"policies": "/etc/corsproc/policies.yaml", "reload-interval": "30s", "log-level": "info"}
	if diff := cmp.Diff(want, m.Settings.AsMap()); diff != "" {
		t.Errorf("filter_config (-want +got):\n%s", diff)
	}
}

// TestModuleRecipeInStep holds module.yaml to be envoy.yaml but for the filter and the cluster that it asks.
func TestModuleRecipeInStep(t *testing.T) {
	service, module := load(t, "envoy.yaml"), load(t, moduleRecipe)
	service.Manager.HttpFilters = service.Manager.GetHttpFilters()[1:]
	module.Manager.HttpFilters = module.Manager.GetHttpFilters()[1:]
	if diff := cmp.Diff(service.Manager, module.Manager, protocmp.Transform()); diff != "" {
		t.Errorf("their connection managers differ in more than the filter:\n%s", diff)
	}
	var others []*clusterv3.Cluster
	for _, cluster := range service.Bootstrap.GetStaticResources().GetClusters() {
		if cluster.GetName() != bootstrap.ClusterName {
			others = append(others, cluster)
		}
	}
	service.Bootstrap.StaticResources.Clusters = others
	service.Bootstrap.StaticResources.Listeners, module.Bootstrap.StaticResources.Listeners = nil, nil
	if !proto.Equal(service.Bootstrap, module.Bootstrap) {
		t.Error("they differ in more than the cluster")
	}
}
