package helm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMeshManifests checks the manifests for Istio and Envoy Gateway against the schemas of both projects and of Gateway API,
// rules in CEL included.
func TestMeshManifests(t *testing.T) {
	for _, pattern := range []string{"../istio/*.yaml", "../istio/module/*.yaml", "../envoy-gateway/*.yaml", "../envoy-gateway/module/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, paths, err)
		}
		for _, path := range paths {
			t.Run(path, func(t *testing.T) { check(t, withoutComments(readText(t, path))) })
		}
	}
}

// TestCommentedTLS checks manifests with the lines about TLS in them that are comments.
func TestCommentedTLS(t *testing.T) {
	rule, commented, ok := strings.Cut(withoutComments(readText(t, "../istio/destination-rule.yaml")), "    # tls:\n")
	_, client, found := strings.Cut(readText(t, "../envoy-gateway/backend-tls.yaml"), "#   spec:\n#     backendTLS:\n")
	if !ok || !found {
		t.Fatal("there are no such comments")
	}
	check(t, rule+"    tls:\n"+strings.ReplaceAll(commented, "    # ", "    "))
	client, _, _ = strings.Cut(client, "\n")
	check(t, withoutComments(readText(t, "../envoy-gateway/filter-order.yaml"))+"  backendTLS:\n"+strings.TrimPrefix(client, "#   ")+"\n")
}

// TestPages checks the manifests that stand in the pages of the platforms: blocks of YAML that begin with an apiVersion.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("../*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Concat(pages, more, docs) {
		for _, part := range strings.Split(readText(t, path), "```yaml\n")[1:] {
			text, _, _ := strings.Cut(part, "\n```")
			if strings.HasPrefix(withoutComments(text), "apiVersion:") {
				t.Run(path, func(t *testing.T) { check(t, withoutComments(text)) })
			}
		}
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
