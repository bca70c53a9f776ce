package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestReproducible builds the sources in two folders and compares the bytes.
func TestReproducible(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("SKIPPED, not tested: there is no make")
	}
	built := map[string][2][]byte{}
	for i := range 2 {
		folder := t.TempDir()
		copySources(t, filepath.Join("..", ".."), folder)
		cmd := exec.Command("make", "build")
		cmd.Dir = folder
		// Nothing of Git is there, whatever repository the temporary folder may be in.
		cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(folder))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make build: %v\n%s", err, out)
		}
		for _, name := range []string{"corsproc", "demo"} {
			data, err := os.ReadFile(filepath.Join(folder, "bin", name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte(folder)) {
				t.Errorf("%s knows where it was built", name)
			}
			both := built[name]
			both[i] = data
			built[name] = both
		}
	}
	for name, both := range built {
		if !bytes.Equal(both[0], both[1]) {
			t.Errorf("%s: two builds of the same sources differ", name)
		}
	}
}

// copySources copies what a build needs, and what Git has no say in.
func copySources(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && slices.Contains([]string{".git", ".tools", "bin", "testdata"}, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
