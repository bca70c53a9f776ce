//go:build unix

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	modulev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_modules/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
	"github.com/corsproc/corsproc/policy/casetable"
)

// module reports whether corsproc is to run inside Envoy.
func (s *setup) module() bool { return strings.HasSuffix(s.config, moduleRecipe) }

// findModule builds libcorsproc.so, once, lets Envoy find it, and returns its path. Without a C compiler the test is skipped.
func findModule(t *testing.T) string {
	t.Helper()
	path, err := buildModule()
	if errors.Is(err, launch.ErrNoCompiler) {
		need(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildModule = sync.OnceValues(func() (string, error) {
	dir := filepath.Dir(binary) // which TestMain removes
	path, err := launch.BuildModule(dir)
	return path, errors.Join(err, os.Setenv("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", dir))
})

// loadPolicies has the module read a policy file, with more settings of the test's. What the virtual hosts' metadata names is
// put where a module sees it.
func (s *setup) loadPolicies(t *testing.T, c *bootstrap.Config, policies string) {
	t.Helper()
	settings, err := structpb.NewStruct(s.settings)
	if err != nil {
		t.Fatal(err)
	}
	c.Module.Settings.Fields["policies"] = structpb.NewStringValue(policies)
	for name, value := range settings.GetFields() {
		c.Module.Settings.Fields[name] = value
	}
	for _, host := range c.Manager.GetRouteConfig().GetVirtualHosts() {
		if named, ok := host.GetMetadata().GetFilterMetadata()[bootstrap.ModuleName].GetFields()["policies"]; ok {
			host.Metadata = nil
			host.TypedPerFilterConfig = map[string]*anypb.Any{bootstrap.ModuleName: perRoute(t, c, wrapperspb.String(named.GetStringValue()))}
		}
	}
}

// perRoute returns the module's configuration for a route or a virtual host.
func perRoute(t *testing.T, c *bootstrap.Config, config proto.Message) *anypb.Any {
	t.Helper()
	return pack(t, &modulev3.DynamicModuleFilterPerRoute{
		DynamicModuleConfig: c.Module.GetDynamicModuleConfig(), FilterName: bootstrap.ModuleName, FilterConfig: pack(t, config),
	})
}

// TestModuleCases is TestCases with corsproc inside Envoy.
func TestModuleCases(t *testing.T) {
	for _, table := range casetable.Load(t) {
		t.Run(table.File, func(t *testing.T) { runCases(t, moduleRecipe, &table) })
	}
}
