//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// dynamicModule is module.yaml in pieces: an Envoy that takes its listeners from a file, and filters from another.
type dynamicModule struct {
	*gateway
	dir       string
	recipe    *bootstrap.Config
	discovery *hcmv3.HttpFilter_ConfigDiscovery
}

// startDynamicModule starts one whose only listener is "static", with the policies of that file.
func startDynamicModule(t *testing.T, static string) *dynamicModule {
	t.Helper()
	d := &dynamicModule{dir: t.TempDir()}
	x := readXDS(t, d.dir)
	d.discovery = x.discovery
	s := setup{config: moduleRecipe, policyDir: static, launch: []string{"--concurrency", "2", "--disable-hot-restart", "--drain-time-s", "1"}}
	s.edit = func(c *bootstrap.Config) {
		d.recipe = c
		d.discovery.ConfigDiscovery.TypeUrls = []string{"type.googleapis.com/" + string(c.Module.DynamicModuleFilter.ProtoReflect().Descriptor().FullName())}
		d.deliverListeners(t, map[string]string{})
		c.Listener.Name = "static"
		c.Bootstrap.Node = x.bootstrap.GetNode()
		c.Bootstrap.DynamicResources = &bootstrapv3.Bootstrap_DynamicResources{LdsConfig: x.bootstrap.GetDynamicResources().GetLdsConfig()}
	}
	d.gateway = start(t, s)
	return d
}

// filter returns the module with a policy file, or with more settings that are given as key and value.
func (d *dynamicModule) filter(t *testing.T, policies string, more ...string) *anypb.Any {
	t.Helper()
	m := proto.CloneOf(d.recipe.Module.DynamicModuleFilter)
	settings := proto.CloneOf(d.recipe.Module.Settings)
	settings.Fields["policies"] = structpb.NewStringValue(policies)
	for i := 0; i < len(more); i += 2 {
		settings.Fields[more[i]] = structpb.NewStringValue(more[i+1])
	}
	m.FilterConfig = pack(t, settings)
	return pack(t, m)
}

// deliverListeners puts listeners in place: each name with its policy file; an empty one stands for the filter that is
// delivered by itself.
func (d *dynamicModule) deliverListeners(t *testing.T, policies map[string]string) {
	t.Helper()
	var all []proto.Message
	for name, file := range policies {
		l := proto.CloneOf(d.recipe.Listener)
		l.Name = name
		manager := proto.CloneOf(d.recipe.Manager)
		if file == "" {
			manager.HttpFilters[0].ConfigType = d.discovery
		} else {
			manager.HttpFilters[0].ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: d.filter(t, file)}
		}
		l.FilterChains[0].Filters[0].ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(t, manager)}
		all = append(all, l)
	}
	deliver(t, d.dir, "lds.yaml", all...)
}

// granted reports whether the listener of that name is there and grants the origin.
func (d *dynamicModule) granted(listener, origin string) bool {
	d.t.Helper()
	if err := d.envoy.FindListeners(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	address, ok := d.envoy.Listeners[listener]
	if !ok {
		return false
	}
	a, err := send(address, "GET", "api.example.com", "/", "Origin: "+origin)
	return err == nil && a.status == 200 && a.joined["access-control-allow-origin"] == origin
}

// watches returns how many watches of files Envoy's process has: the module has one for each path of policies.
func (d *dynamicModule) watches() (n int) {
	d.t.Helper()
	folder := fmt.Sprintf("/proc/%d/fd", d.envoy.PID())
	files, err := os.ReadDir(folder)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(folder, f.Name())); err == nil && strings.Contains(to, "inotify") {
			n++
		}
	}
	return n
}

// TestModuleChanges delivers listeners and filters anew while requests flow: each listener has the policies that its filter
// names, those that name one path share a watch, and what nobody names any more is not watched. No request fails.
func TestModuleChanges(t *testing.T) {
	dir := t.TempDir()
	policies := func(origin string) string {
		return "policies: {p: {allow_origins: [" + origin + "], allow_methods: [POST]}}\ndefault: {policies: [p]}\n"
	}
	const shop, a, b, c = "https://shop.example.com", "https://a.example", "https://b.example", "https://c.example"
	file := map[string]string{}
	for name, origin := range map[string]string{"static": shop, "one": a, "two": b} {
		file[name] = filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file[name], []byte(policies(origin)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := startDynamicModule(t, file["static"])
	traffic := d.startTraffic()
	least := d.watches()
	step := func(what string, holds func() bool) {
		t.Helper()
		began := time.Now()
		eventually(t, what, holds)
		t.Logf("%s: %s", what, time.Since(began).Round(time.Millisecond))
	}

	d.deliverListeners(t, map[string]string{"first": file["one"], "second": file["two"], "third": file["one"]})
	step("two listeners have one file, and one another", func() bool {
		return d.granted("first", a) && !d.granted("first", b) && d.granted("second", b) && !d.granted("second", a) && d.granted("third", a)
	})
	if n := d.watches() - least; n != 2 {
		t.Errorf("%d watches for two files that three filters name", n)
	}
	if err := os.WriteFile(file["one"], []byte(policies(c)), 0o600); err != nil {
		t.Fatal(err)
	}
	step("both have the edit of their file", func() bool { return d.granted("first", c) && d.granted("third", c) })
	if !d.granted("second", b) {
		t.Error("the listener of the other file has lost its policies")
	}

	d.deliverListeners(t, map[string]string{"second": file["one"]})
	step("a listener has another file", func() bool { return d.granted("second", c) && !d.granted("second", b) && !d.granted("first", c) })
	step("what nobody names is not watched any more", func() bool { return d.watches() == least+1 })

	d.deliverListeners(t, map[string]string{})
	step("every listener has gone", func() bool { return !d.granted("second", c) && d.watches() == least })
	for range 3 {
		d.deliverListeners(t, map[string]string{"second": file["two"]})
		step("a listener is back", func() bool { return d.granted("second", b) })
		d.deliverListeners(t, map[string]string{})
		step("a listener has gone", func() bool { return !d.granted("second", b) })
	}

	// The filter by itself.
	extension := func(typed *anypb.Any) {
		t.Helper()
		deliver(t, d.dir, "ecds.yaml", &corev3.TypedExtensionConfig{Name: bootstrap.ModuleName, TypedConfig: typed})
	}
	extension(d.filter(t, file["one"]))
	d.deliverListeners(t, map[string]string{"discovered": ""})
	step("the listener has the filter", func() bool { return d.granted("discovered", c) })
	extension(d.filter(t, file["two"]))
	step("the filter has other policies", func() bool { return d.granted("discovered", b) && !d.granted("discovered", c) })
	const rejected = "extension_config_discovery.http_filter.corsproc."
	for i, bad := range []*anypb.Any{d.filter(t, filepath.Join(dir, "missing.yaml")), d.filter(t, file["two"], "reload_interval", "1s")} {
		before := d.stat(t, rejected+"config_fail")
		extension(bad)
		step("the filter is rejected", func() bool { return d.stat(t, rejected+"config_fail") > before })
		if !d.granted("discovered", b) {
			t.Errorf("after the bad filter %d the last good one is not in force", i)
		}
	}
	extension(d.filter(t, file["one"]))
	step("a good one is taken up after bad ones", func() bool { return d.granted("discovered", c) })
	step("and only its file is watched", func() bool { return d.watches() == least+2 }) // the other watch is Envoy's, of ecds.yaml

	if failed := traffic.end(); len(failed) > 0 {
		t.Errorf("of %d requests to the listener that stayed went wrong: %v", traffic.requests.Load(), failed)
	}
	t.Logf("%d requests meanwhile", traffic.requests.Load())
}
