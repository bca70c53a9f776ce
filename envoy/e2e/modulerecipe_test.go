//go:build unix

package e2e

import (
	"debug/elf"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

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
	copied := one(dockerfile, `^COPY --from=build-module --chmod=0644 /out/libcorsproc.so (\S+)$`)
	if folder := one(dockerfile, `^ENV ENVOY_DYNAMIC_MODULES_SEARCH_PATH=(\S+)$`); path.Join(folder, "lib"+bootstrap.ModuleName+".so") != copied {
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
