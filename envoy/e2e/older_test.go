//go:build unix

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/casetable"
)

// older is an Envoy older than the one that everything else is tested with.
type older struct {
	version string
	// silent: it asks nobody about what it answers itself, or its filters do.
	silent bool
}

// olderEnvoys are the newest of each minor version that `make` can fetch (tools/older-envoys has the same versions).
var olderEnvoys = []older{{version: "1.39.3"}, {version: "1.38.3"}, {version: "1.37.0"}, {version: "1.36.4", silent: true}}

// gap reports whether the Envoy asks nobody about a case with a configuration.
func (o *older) gap(config string) func(c *casetable.Case) bool {
	return func(c *casetable.Case) bool {
		// With one-message.yaml a handshake's answer is the first that corsproc would hear of it, and Envoy makes it itself
		// where the upstream refuses to switch.
		return o.silent && (c.Request.Answered || config == oneMessage && c.Name == "WEBSOCKETS stops a handshake")
	}
}

// TestOlderEnvoys runs the case tables through older Envoys, with both recipes. What is missing there is held to be missing,
// so that nobody is told of a gap that has been closed.
func TestOlderEnvoys(t *testing.T) {
	for _, o := range olderEnvoys {
		t.Run(o.version, func(t *testing.T) {
			envoy, err := exec.LookPath(filepath.Join(root, ".tools", "envoy-"+o.version, "bin", "envoy"))
			need(t, err)
			for _, recipe := range []struct {
				config string
				tables []casetable.Table
			}{{"envoy.yaml", casetable.Load(t)}, {oneMessage, oneMessageCases(t)}} {
				for _, table := range recipe.tables {
					t.Run(recipe.config+"/"+table.File, func(t *testing.T) {
						runCasesAt(t, &table, setup{envoy: envoy, config: recipe.config, policies: table.Policies,
							virtualHosts: virtualHosts(t, &table), before: denyFilter, gap: o.gap(recipe.config)})
					})
				}
				t.Run(recipe.config+"/what Envoy answers itself", func(t *testing.T) {
					g := start(t, setup{envoy: envoy, config: recipe.config, policies: shopPolicies,
						virtualHosts: `[{name: api, domains: ["*"], routes: [{match: {path: /down}, route: {cluster: nobody}}]}]`})
					for path, status := range map[string]int{"/down": 503, "/nothing": 404} {
						a := g.do("GET", "api.example.com", path, "Origin: https://shop.example.com")
						if readable := a.joined["access-control-allow-origin"] != ""; a.status != status || readable == o.silent {
							t.Errorf("%s: %d %v", path, a.status, a.header)
						}
					}
				})
			}
		})
	}
}

// TestOlderEnvoysNamed holds the script that fetches them, and the page about Envoy, to the same versions.
func TestOlderEnvoysNamed(t *testing.T) {
	script := regexp.MustCompile(`(?m)^versions='(.*)'$`).FindStringSubmatch(read(t, "tools/older-envoys"))
	var versions, whole []string
	silent := ""
	for _, o := range olderEnvoys {
		versions = append(versions, o.version)
		if o.silent {
			silent = o.version
		} else {
			whole = append(whole, o.version)
		}
	}
	if script == nil || script[1] != strings.Join(versions, " ") {
		t.Errorf("tools/older-envoys does not say versions='%s'", strings.Join(versions, " "))
	}
	last := len(whole) - 1
	sentence := fmt.Sprintf("with %s and %s all is the same; %s asks nobody", strings.Join(whole[:last], ", "), whole[last], silent)
	if words := strings.Join(strings.Fields(read(t, "docs/envoy.md")), " "); !strings.Contains(words, sentence) {
		t.Errorf("docs/envoy.md does not say %q", sentence)
	}
}
