//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/browser"
)

// pathCase is a line of the table: a path, and what Envoy makes of it.
type pathCase struct {
	Path string `yaml:"path"`
	Want string `yaml:"want"`
}

// randomPaths is how many paths are made up.
const randomPaths = 1000

// TestPaths holds the table of what the reference configuration makes of paths, which `corsproc explain` goes by, against
// a real Envoy: its access log says under which path it looked for a route.
func TestPaths(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "policy", "browser", "testdata", "paths.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []pathCase
	if err := yaml.Load(data, &cases, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 80 {
		t.Fatalf("only %d paths", len(cases))
	}
	// And some that nobody thought of, of which the model says what comes.
	random := rand.New(rand.NewPCG(12, 5))
	parts := []string{"/", "/", "//", ".", ".", "..", ";", "a", "B", "x=1", "%2e", "%2E", "%2f", "%5C", `\\`, "%", "%4", "%61", "%3b", "%25", "|", "~", "%7E", "%c3%A9", "?", "%00"}
	for range randomPaths {
		path := "/"
		for range 1 + random.IntN(12) {
			path += parts[random.IntN(len(parts))]
		}
		want, ok := browser.EnvoyPath(path)
		if !ok {
			want = "400"
		}
		cases = append(cases, pathCase{path, want})
	}
	g := start(t, setup{policies: "{}\n"})
	id := func(path string, i int) string { // in the query, which nothing is made of
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		return fmt.Sprintf("%scase=%d;", separator, i)
	}
	for i, c := range cases {
		g.do("GET", "api.example.com", c.Path+id(c.Path, i))
	}
	g.stopEnvoy()
	log := g.log.String()
	seen := map[int]bool{}
	for line := range strings.Lines(log) {
		var entry struct{ Path, Details string }
		at := -1
		if json.Unmarshal([]byte(line), &entry) == nil {
			at = strings.LastIndex(entry.Path, "case=")
		}
		if at < 0 {
			continue
		}
		var i int
		if _, err := fmt.Sscanf(entry.Path[at:], "case=%d;", &i); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		seen[i] = true
		c := cases[i]
		got := strings.TrimSuffix(entry.Path, id(c.Path, i))
		if entry.Details == "path_normalization_failed" {
			got = "400"
		}
		if got != c.Want {
			t.Errorf("%s: got %s, want %s (%s)", c.Path, got, c.Want, entry.Details)
		}
	}
	for i, c := range cases {
		if !seen[i] {
			t.Errorf("%s is not in the access log", c.Path)
		}
	}
}
