package helm

import (
	"os"
	"path/filepath"
	"testing"
)

// TestManifests checks the manifests that are copied as they are.
func TestManifests(t *testing.T) {
	paths, err := filepath.Glob("../kubernetes/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			check(t, string(text))
		})
	}
}
