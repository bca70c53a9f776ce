//go:build linux

package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "draw the committed results anew, from results.json, and what the pages say of them")

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
	readme, performance := filepath.Join(root, "README.md"), filepath.Join(root, "docs/performance.md")
	if *update {
		rewrite(t, performance, `(?s)\| as a share of a service that does nothing \|.*?\n\n`, r.summary()+"\n")
		rewrite(t, readme, `(?s)In CPU time, its own and what Envoy does more, .*? \(\[more\]`, wrapped(r.sentence()+" ([more]"))
	}
	if !strings.Contains(text(t, performance), r.summary()) {
		t.Errorf("the table of docs/performance.md is another one:\n%s", r.summary())
	}
	if words := strings.Join(strings.Fields(text(t, readme)), " "); !strings.Contains(words, r.sentence()) {
		t.Errorf("the README does not say %q", r.sentence())
	}
	// What was missed is not hidden: the page says so, and what a profile shows of it.
	for _, target := range allTargets {
		if measured, ok := target.value(&r, inModule); ok && measured > target.most && !strings.Contains(text(t, performance), "Missed: "+target.what) {
			t.Errorf("%s: %.2f, want at most %.2f, and docs/performance.md does not say %q", target.what, measured, target.most, "Missed: "+target.what)
		}
	}
	if r.Rounds.OthersMedian > 0.1 || r.Settings.OthersLimit > 0.4 || r.Rounds.Closed < 5 || r.Rounds.Open < 5 {
		t.Errorf("this is not to be published: %+v, %+v", r.Rounds, r.Settings)
	}
}

// rewrite replaces the one place of a page that is like an expression.
func rewrite(t *testing.T, path, expression, by string) {
	t.Helper()
	old, like := text(t, path), regexp.MustCompile(expression)
	if n := len(like.FindAllString(old, -1)); n != 1 {
		t.Fatalf("%s: %d places are like %s", path, n, expression)
	}
	if err := os.WriteFile(path, []byte(like.ReplaceAllLiteralString(old, by)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wrapped breaks a sentence into lines.
func wrapped(s string) string {
	const most = 170
	var b strings.Builder
	at := 0
	for _, word := range strings.Fields(s) {
		switch {
		case at == 0:
		case at+1+len(word) > most:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
