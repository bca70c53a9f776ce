//go:build unix

package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// moduleConfig writes module.yaml with these settings of the module, beside those of the file, and returns where.
func moduleConfig(t *testing.T, settings map[string]any) string {
	t.Helper()
	findModule(t)
	c := (&setup{config: moduleRecipe}).configure(t, nil, addressOf(t, "127.0.0.1:1"))
	changes, err := structpb.NewStruct(settings)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range changes.GetFields() {
		if c.Module.Settings.Fields[key] = value; value.AsInterface() == nil {
			delete(c.Module.Settings.Fields, key)
		}
	}
	path, err := c.WriteTemp()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
	return path
}

// runEnvoy runs an Envoy that should end by itself, and returns what it printed.
func runEnvoy(t *testing.T, envoy, config string, args ...string) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, envoy, append([]string{"--config-path", config, "--log-level", "warning", "--disable-hot-restart", "--concurrency", "1"}, args...)...)
	cmd.WaitDelay = time.Second
	all, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Errorf("Envoy does not end:\n%s", all)
	}
	return string(all), err
}

// TestModuleConfigurations: what the module cannot use rejects the configuration, with everything that is wrong in Envoy's log,
// when Envoy starts (it ends with status 1) and under --mode validate, which is thereby a check of the policies.
func TestModuleConfigurations(t *testing.T) {
	envoy, err := launch.FindEnvoy(root)
	need(t, err)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// What Envoy shows between its level and a line of the module.
	place := regexp.MustCompile(`\] \[(envoy/module|server/logs)/[a-z]+\.go:[1-9]\d*\] corsproc: `)
	good := file("good.yaml", shopPolicies)
	broken := file("broken.yaml", "policies:\n  shop:\n    allow_origins: [https://Shop.example.com/]\n    allow_method: [PUT]\ndefault: {policies: [shp]}\n")
	teams := filepath.Join(dir, "teams")
	if err := os.Mkdir(teams, 0o700); err != nil {
		t.Fatal(err)
	}
	file("teams/a.yaml", "policies: {a: {allow_origins: [https://a.example]}}\nvirtual_hosts: [{domains: [a.example], policies: [a]}]\n")
	file("teams/b.yaml", "policies: {b: {allow_origins: [https://b.example]}}\nvirtual_hosts: [{domains: [a.example], policies: [b]}]\n")
	for _, c := range []struct {
		name     string
		settings map[string]any
		says     []string // expressions; empty: it is a good one
	}{
		{"good", map[string]any{"policies": good}, nil},
		{"broken policies", map[string]any{"policies": broken}, []string{`broken\.yaml:3:21\b.*https://shop\.example\.com`, `broken\.yaml:4:5\b.*allow_methods`, `broken\.yaml:5:22\b.*shp`}},
		{"two files of which one is wrong", map[string]any{"policies": teams}, []string{`b\.yaml:2:\d+\b.*a\.yaml`}},
		{"no policies there", map[string]any{"policies": filepath.Join(dir, "missing.yaml")}, []string{`missing\.yaml does not exist`}},
		{"an empty file", map[string]any{"policies": file("empty.yaml", "")}, []string{`empty\.yaml`}},
		{"no policies named", map[string]any{"policies": nil}, []string{`policies.* missing`}},
		{"an unknown key", map[string]any{"policies": good, "reload_interval": "1s"}, []string{`reload_interval`}},
		{"wrong values", map[string]any{"policies": good, "reload-interval": "soon", "log-level": "loud"}, []string{`reload-interval.*soon`, `log-level.*loud`}},
		{"wrong types", map[string]any{"policies": []any{good}, "log-level": 3}, []string{`policies`, `log-level`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := moduleConfig(t, c.settings)
			t.Parallel()
			modes := [][]string{{"--mode", "validate"}}
			if c.name == "broken policies" {
				modes = append(modes, nil)
			}
			for _, mode := range modes {
				out, err := runEnvoy(t, envoy, config, mode...)
				if (err == nil) != (c.says == nil) {
					t.Errorf("%v: %v\n%s", mode, err, out)
				}
				if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
					t.Errorf("%v: %v, want status 1", mode, err)
				}
				for line := range strings.Lines(out) {
					if strings.Contains(line, "corsproc: ") && !place.MatchString(line) {
						t.Errorf("%v: no place in the source: %s", mode, line)
					}
				}
				for _, says := range c.says {
					if !regexp.MustCompile(says).MatchString(out) {
						t.Errorf("%v: Envoy does not say %q:\n%s", mode, says, out)
					}
				}
				if c.says == nil && strings.Contains(out, "[warning]") {
					t.Errorf("Envoy warns:\n%s", out)
				}
			}
		})
	}
}

// TestOlderEnvoysRejectModule: an Envoy that is too old says so instead of deciding by the wrong place. Some do not even know
// all of the recipe's fields, which a control plane would leave out.
func TestOlderEnvoysRejectModule(t *testing.T) {
	policies := filepath.Join(t.TempDir(), "policies.yaml")
	if err := os.WriteFile(policies, []byte(shopPolicies), 0o600); err != nil {
		t.Fatal(err)
	}
	config := moduleConfig(t, map[string]any{"policies": policies})
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(t.TempDir(), "known.json")
	if err := os.WriteFile(known, regexp.MustCompile(`"metrics_namespace": *"[a-z]+",?`).ReplaceAll(text, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range olderEnvoys {
		t.Run(o.version, func(t *testing.T) {
			t.Parallel()
			envoy, err := exec.LookPath(filepath.Join(root, ".tools", "envoy-"+o.version, "bin", "envoy"))
			need(t, err)
			if out, err := runEnvoy(t, envoy, config); err == nil || !strings.Contains(out, "needs Envoy 1.40 or later") && !strings.Contains(out, "metrics_namespace") {
				t.Errorf("the recipe: %v\n%s", err, out)
			}
			if out, err := runEnvoy(t, envoy, known); err == nil || !strings.Contains(out, "needs Envoy 1.40 or later") {
				t.Errorf("without what it does not know: %v\n%s", err, out)
			}
		})
	}
}
