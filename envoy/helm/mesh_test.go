package helm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMeshManifests checks the manifests for Istio and Envoy Gateway, and those that stand in their pages, against the
// schemas of both projects and of Gateway API.
func TestMeshManifests(t *testing.T) {
	for _, pattern := range []string{"../istio/*.yaml", "../envoy-gateway/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, paths, err)
		}
		for _, path := range paths {
			t.Run(path, func(t *testing.T) { check(t, withoutComments(readText(t, path))) })
		}
	}
	for _, path := range []string{"../istio/README.md", "../envoy-gateway/README.md", "../gateway-api.md"} {
		t.Run(path, func(t *testing.T) {
			blocks := 0
			for _, part := range strings.Split(readText(t, path), "```yaml\n")[1:] {
				text, _, _ := strings.Cut(part, "\n```")
				if strings.HasPrefix(text, "apiVersion:") {
					blocks++
					check(t, text)
				}
			}
			if blocks == 0 {
				t.Error("no manifest in it")
			}
		})
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withoutComments returns a manifest without the lines that are comments from their first column on: before the first
// document they would be a document of their own.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}
