//go:build unix

package e2e

import (
	"context"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	dynamicv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/dynamic_modules/v3"
	modulev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_modules/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
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

// TestModuleRecipeValidates has Envoy check the file as it stands, but for the path of the policies: the module is found by its
// name, and what is wrong with the policies is told with its place.
func TestModuleRecipeValidates(t *testing.T) {
	envoy, err := launch.FindEnvoy(root)
	need(t, err)
	findModule(t)
	text := read(t, "envoy/"+moduleRecipe)
	const path = "/etc/corsproc/policies.yaml"
	if strings.Count(text, path) != 1 {
		t.Fatalf("%s is not there once", path)
	}
	for _, c := range []struct {
		name, policies string
		settings       string // in place of the last line of filter_config
		want           []string
	}{
		{name: "good", policies: shopPolicies},
		{name: "broken", policies: "policies:\n  shop: {allow_origins: [https://Shop.example.com/]}\n", want: []string{"policies.yaml:2:26", "https://shop.example.com"}},
		{name: "missing", want: []string{"policies.yaml", "does not exist"}},
		{name: "another key", policies: shopPolicies, settings: "log_level: info", want: []string{`"log_level": there is no such key`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			policies := filepath.Join(dir, "policies.yaml")
			changed := strings.Replace(text, path, policies, 1)
			if c.settings != "" {
				changed = strings.Replace(changed, "log-level: info", c.settings, 1)
			}
			if c.policies != "" {
				if err := os.WriteFile(policies, []byte(c.policies), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			config := filepath.Join(dir, moduleRecipe)
			if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			check := exec.Command(envoy, "--mode", "validate", "--log-level", "warning", "--config-path", config)
			out, err := check.CombinedOutput()
			if (err == nil) != (c.want == nil) {
				t.Errorf("%v\n%s", err, out)
			}
			if c.want == nil && strings.Contains(string(out), "[warning]") {
				t.Errorf("Envoy warns:\n%s", out)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is not said:\n%s", want, out)
				}
			}
		})
	}
}

// TestModuleImage holds the image that the Dockerfile makes: the Envoy that everything is tested with, the module as `make module`
// builds it, in the folder where Envoy is told to look for it.
func TestModuleImage(t *testing.T) {
	dockerfile, makefile := read(t, "Dockerfile"), read(t, "Makefile")
	one := func(text, expression string) string {
		t.Helper()
		found := regexp.MustCompile(`(?m)`+expression).FindAllStringSubmatch(text, -1)
		if len(found) != 1 {
			t.Fatalf("%d lines are like %s", len(found), expression)
		}
		return found[0][1]
	}
	if image, want := one(dockerfile, `^FROM (\S+) AS envoy-module$`), "envoyproxy/envoy:v"+one(makefile, `^ENVOY_VERSION := (.+)$`); image != want {
		t.Errorf("it is made of %s, and everything is tested with %s", image, want)
	}
	// Without --chmod, which only BuildKit knows: Docker without the plugin buildx would stop there.
	copied := one(dockerfile, `^COPY --from=build-module /out/libcorsproc.so (\S+)$`)
	if folder := one(dockerfile, `^ENV ENVOY_DYNAMIC_MODULES_SEARCH_PATH=(\S+)$`); path.Join(folder, "lib"+bootstrap.ModuleName+".so") != copied || copied != moduleFile {
		t.Errorf("Envoy looks in %s, and the module is %s", folder, copied)
	}
	built := one(dockerfile, `^RUN CGO_ENABLED=1 go build (.*) -o /out/libcorsproc.so ./envoy/module$`)
	made := one(makefile, `^\tCGO_ENABLED=1 go build (.*) -o bin/libcorsproc.so ./envoy/module$`)
	made = strings.Replace(made, "$(REPRODUCIBLE)", one(makefile, `^REPRODUCIBLE := (.+)$`), 1)
	if strings.ReplaceAll(built, `"`, "'") != made {
		t.Errorf("the image's is built with %s, make's with %s", built, made)
	}
	if plain, module := one(dockerfile, `^FROM (golang:\S+) AS build$`), one(dockerfile, `^FROM (golang:\S+) AS build-module$`); module != plain+"-bookworm" {
		t.Errorf("%s and %s", plain, module)
	}

	// What it asks of the C library is there in every image that Envoy has been in since Debian 12 and Ubuntu 22.04.
	file, err := elf.Open(findModule(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if newer := regexp.MustCompile(`^GLIBC_2\.(3[5-9]|[4-9]\d)$`); newer.MatchString(s.Version) {
			t.Errorf("%s needs %s", s.Name, s.Version)
		}
	}
	if libraries, err := file.ImportedLibraries(); err != nil || slices.ContainsFunc(libraries, func(l string) bool { return !strings.HasPrefix(l, "libc.so") && !strings.HasPrefix(l, "ld-linux") }) {
		t.Errorf("it needs %v (%v)", libraries, err)
	}
}

// manifest reads the spec of a Kubernetes object as a message, or part of it.
func manifest(t *testing.T, name string, find func(spec map[string]any) any, into proto.Message) {
	t.Helper()
	var object struct{ Spec map[string]any }
	if err := yaml.Unmarshal([]byte(read(t, name)), &object); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(find(object.Spec))
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// first returns the first element of a list.
func first(list any) map[string]any { return list.([]any)[0].(map[string]any) }

// moduleFile is where the image has the module.
const moduleFile = "/usr/local/lib/envoy/libcorsproc.so"

// TestModuleInIstio holds the EnvoyFilter to the filter of module.yaml, found by its path.
func TestModuleInIstio(t *testing.T) {
	var got hcmv3.HttpFilter
	manifest(t, "envoy/istio/module/gateway.yaml", func(spec map[string]any) any {
		patch := first(spec["configPatches"])["patch"].(map[string]any)
		if patch["operation"] != "INSERT_FIRST" {
			t.Errorf("operation %v", patch["operation"])
		}
		return patch["value"]
	}, &got)
	c := load(t, moduleRecipe)
	c.Module.Load(moduleFile, "/etc/corsproc/policies.yaml")
	if _, err := c.JSON(); err != nil { // packs the filter back
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Manager.GetHttpFilters()[0], &got, protocmp.Transform()); diff != "" {
		t.Errorf("(-module.yaml +Istio):\n%s", diff)
	}
}

// TestModuleInEnvoyGateway runs what Envoy Gateway's translator (1.9.1, internal/xds/translator/dynamicmodule.go) makes of the
// manifests: the settings as a text of JSON, no metrics_namespace, and a filter that is disabled but on routes that ask for it.
func TestModuleInEnvoyGateway(t *testing.T) {
	const folder = "envoy/envoy-gateway/module/"
	var entry, use structpb.Struct
	manifest(t, folder+"envoy-proxy.yaml", func(spec map[string]any) any { return first(spec["dynamicModules"]) }, &entry)
	manifest(t, folder+"extension-policy.yaml", func(spec map[string]any) any { return first(spec["dynamicModule"]) }, &use)
	settings := use.GetFields()["config"].GetStructValue()
	if diff := cmp.Diff(load(t, moduleRecipe).Module.Settings, settings, protocmp.Transform()); diff != "" {
		t.Errorf("(-module.yaml +Envoy Gateway):\n%s", diff)
	}
	name := entry.GetFields()["name"].GetStringValue()
	path := entry.GetFields()["source"].GetStructValue().GetFields()["local"].GetStructValue().GetFields()["path"].GetStringValue()
	if use.GetFields()["name"].GetStringValue() != name || path != moduleFile || !entry.GetFields()["doNotClose"].GetBoolValue() {
		t.Errorf("%v %v", &entry, &use)
	}

	const filter = "envoy.filters.http.dynamic_modules/envoyextensionpolicy/shop/corsproc-module/dynamic-module/0"
	g := start(t, setup{config: moduleRecipe, policies: shopPolicies, edit: func(c *bootstrap.Config) {
		settings.Fields["policies"] = c.Module.Settings.GetFields()["policies"]
		text, err := settings.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		c.Module = nil
		c.Manager.GetHttpFilters()[0].Name = filter
		c.Manager.GetHttpFilters()[0].Disabled = true
		c.Manager.GetHttpFilters()[0].ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(t, &modulev3.DynamicModuleFilter{
			DynamicModuleConfig: &dynamicv3.DynamicModuleConfig{DoNotClose: true, Module: &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{
				Local: &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: findModule(t)}},
			}}},
			FilterName: use.GetFields()["filterName"].GetStringValue(), FilterConfig: pack(t, wrapperspb.String(string(text))),
		})}
		for _, host := range c.Manager.GetRouteConfig().GetVirtualHosts() {
			for _, route := range host.GetRoutes() {
				route.TypedPerFilterConfig = map[string]*anypb.Any{filter: pack(t, &routev3.FilterConfig{Config: &anypb.Any{}})}
			}
		}
	}})
	a := g.do("OPTIONS", "api.example.com", "/orders", "Origin: https://shop.example.com", "Access-Control-Request-Method: POST")
	if a.status != 204 || a.joined["access-control-allow-origin"] != "https://shop.example.com" {
		t.Errorf("%d %v", a.status, a.header)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const series = `envoy_dynamicmodulescustom_decisions{kind="preflight",reason="allowed"} 1`
	if stats, err := g.envoy.Get(ctx, "/stats/prometheus"); err != nil || !strings.Contains(string(stats), series) {
		t.Errorf("there is no %s (%v)", series, err)
	}
}
