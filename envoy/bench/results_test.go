//go:build linux

package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "draw the committed results anew, from results.json")

// TestResults holds the committed table and chart, and what the pages say, to the measurement beside them.
func TestResults(t *testing.T) {
	data, err := os.ReadFile("results.json")
	if err != nil {
		t.Fatal(err)
	}
	var r results
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	name := "results"
	if !*update {
		name = filepath.Join(t.TempDir(), name)
	}
	if err := r.write(name); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{".json", ".md", ".svg"} {
		if text(t, name+suffix) != text(t, "results"+suffix) {
			t.Errorf("results%s is not what results.json says: go test -run Results -update ./envoy/bench", suffix)
		}
	}
	if !strings.Contains(text(t, filepath.Join(root, "docs/performance.md")), r.summary()) {
		t.Errorf("the table of docs/performance.md is another one:\n%s", r.summary())
	}
	if words := strings.Join(strings.Fields(text(t, filepath.Join(root, "README.md"))), " "); !strings.Contains(words, r.sentence()) {
		t.Errorf("the README does not say %q", r.sentence())
	}
	if r.Rounds.OthersMedian > 0.1 || r.Settings.OthersLimit > 0.4 || r.Rounds.Closed < 5 || r.Rounds.Open < 5 {
		t.Errorf("this is not to be published: %+v, %+v", r.Rounds, r.Settings)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
