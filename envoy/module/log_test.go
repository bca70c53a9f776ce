//go:build cgo

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
	"github.com/corsproc/corsproc/internal/aside"
	"github.com/corsproc/corsproc/server/logs"
)

// checkPlace holds a line of the log to the place that Envoy shows beside it: a statement of ours that logs, in a file that is named
// as the repository has it.
func checkPlace(t *testing.T, l fakeenvoy.Line) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, l.File))
	if err != nil || filepath.IsAbs(l.File) {
		t.Fatalf("%s:%d: %v: %s", l.File, l.Number, err, l.Text)
	}
	lines := strings.Split(string(source), "\n")
	if l.Number < 1 || l.Number > len(lines) || !regexp.MustCompile(`(?i)\b(write|log)\w*[.(]`).MatchString(lines[l.Number-1]) {
		t.Errorf("%s:%d logs nothing: %s", l.File, l.Number, l.Text)
	}
}

func faulty() { panic("fault") }

// TestPanicked: a fault of ours is one line, with the stack of the goroutine that met it, wherever it was caught.
func TestPanicked(t *testing.T) {
	panics = logs.Throttle{Interval: panics.Interval} // an earlier test may have been logged just now
	fakeenvoy.Logged()
	if !faulted(func() { aside.Do(faulty) }) {
		t.Error("it is lost")
	}
	logged := fakeenvoy.Logged()
	if len(logged) != 1 || strings.Contains(logged[0].Text, "\n") || !strings.Contains(logged[0].Text, ".faulty(") {
		t.Errorf("logged %v", logged)
	}
}
