package policydir_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/corsproc/corsproc/policy/policydir"
)

// Two good contents and a bad one.
const (
	good1 = "policies: {one: {}}\n"
	good2 = "policies: {two: {}}\n"
	bad   = "policies: {one: {colour: red}}\n"
)

// TestLoad goes through the changes of a file, one load after each.
func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policies.yaml")
	applied := 0
	loader := policydir.NewLoader(path, nil)
	for i, step := range []struct {
		write     string // "-" removes the file
		good      bool
		unchanged bool
		applied   int
	}{
		{"-", false, false, 0},
		{"-", false, true, 0},
		{good1, true, false, 1},
		{good1, true, true, 1},
		{bad, false, false, 1},
		{bad, false, true, 1},
		{"", false, false, 1},
		{good1, true, false, 2}, // returns to what is in force: the fault is over
		{good2, true, false, 3},
		{"-", false, false, 3},
		{good2, true, false, 4},
	} {
		if step.write == "-" {
			_ = os.Remove(path)
		} else {
			write(t, path, step.write)
		}
		a := loader.Load()
		if a.Good() && !a.Unchanged {
			applied++
		}
		if a.Good() != step.good || a.Unchanged != step.unchanged || applied != step.applied || a.Time.IsZero() {
			t.Errorf("step %d: good %v, unchanged %v, applied %d: %v", i, a.Good(), a.Unchanged, applied, a.Err)
		}
		if (a.Err != nil) != (step.write == "-") || (a.Result == nil) != (a.Err != nil) {
			t.Errorf("step %d: %v, %v", i, a.Result, a.Err)
		}
	}
}

// TestLoadPipe: what is loaded again and again is no pipe and no device, also where it was a file before.
func TestLoadPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policies.yaml")
	loader := policydir.NewLoader(path, nil)
	for _, c := range []struct {
		make func() error
		want string
	}{
		{func() error { return os.WriteFile(path, []byte(good1), 0o644) }, ""},
		{func() error { return syscall.Mkfifo(path, 0o644) }, path + " is not a regular file"},
		{func() error { return os.Symlink(os.DevNull, path) }, path + " is not a regular file"},
		{func() error { return os.WriteFile(path, []byte(good1), 0o644) }, ""},
	} {
		_ = os.Remove(path)
		do(t, c.make())
		a := loader.Load()
		if got := a.Err; (got == nil) != (c.want == "") || got != nil && got.Error() != c.want {
			t.Errorf("%v, want %q", got, c.want)
		}
	}
}
