//go:build unix

package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/envoy/internal/mesh"
)

// docs are the pages of the platforms, and what has to stand in each.
var docs = []struct {
	file      string
	platforms []*platform // the first for the whole page, the others for what it shows first
	versions  []string
}{
	{"envoy/istio/README.md", []*platform{istioGateway, istioSidecar, istioWaypoint}, []string{mesh.Istio}},
	{"envoy/envoy-gateway/README.md", []*platform{envoyGateway}, []string{mesh.EnvoyGateway, mesh.GatewayAPI}},
}

var docBlock = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// TestMeshDocs does what the pages of the platforms show, from top to bottom, with the configuration of each platform: a
// block of YAML that is called policies.yaml is the policy file from there on, and what curl is told is asked.
func TestMeshDocs(t *testing.T) {
	for _, d := range docs {
		for i, p := range d.platforms {
			t.Run(p.name, func(t *testing.T) {
				var g *gateway
				asked := 0
				for _, block := range docBlock.FindAllStringSubmatch(read(t, d.file), -1) {
					language, text := block[1], block[2]
					switch {
					case language == "yaml" && strings.HasPrefix(text, "# policies.yaml\n"):
						if i > 0 && g != nil {
							return
						}
						g = start(t, setup{platform: p, policies: text})
					case language == "console":
						asked += g.console(t, text)
					}
				}
				if asked == 0 {
					t.Error("the page asks nothing")
				}
			})
		}
		for _, version := range d.versions {
			if !strings.Contains(read(t, d.file), version) {
				t.Errorf("%s does not name version %s", d.file, version)
			}
		}
	}
}

// console asks the gateway what a block shows being asked, whatever host the URL names, and compares the answers.
func (g *gateway) console(t *testing.T, block string) (asked int) {
	t.Helper()
	client := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, g.address)
	}}
	defer client.CloseIdleConnections()
	for _, step := range strings.Split("\n"+block, "\n$ ")[1:] {
		command, want, _ := strings.Cut(step, "\n")
		if !strings.HasPrefix(command, "curl ") {
			t.Errorf("%s: nothing holds what this prints", command)
			continue
		}
		asked++
		if got, want := sorted(curlThrough(t, client, command)), sorted(want); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", command, got, want)
		}
	}
	return asked
}

// TestMeshDocsFiles looks for every file that the pages apply, delete or install, and that the pages apply all there are.
func TestMeshDocsFiles(t *testing.T) {
	for _, d := range docs {
		text := read(t, d.file)
		named := map[string]bool{}
		for _, name := range regexp.MustCompile(`\benvoy/[-a-z/]+(\.yaml)?`).FindAllString(text, -1) {
			named[name] = true
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("%s: %v", d.file, err)
			}
		}
		files, err := filepath.Glob(filepath.Join(root, filepath.Dir(d.file), "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if name := filepath.ToSlash(filepath.Join(filepath.Dir(d.file), filepath.Base(file))); !named[name] {
				t.Errorf("%s does not say what %s is for", d.file, name)
			}
		}
	}
}
