package policydir_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestClockJumps: a change is taken up whatever the clocks say that wrote it, or that we had when it was written: another
// machine's file system, a clock that was set, an archive that was unpacked.
func TestClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{"ahead": 48 * time.Hour, "behind": -48 * time.Hour, "a moment ahead": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "policies.yaml")
			write := func(text string, at time.Time) {
				t.Helper()
				beside := path + ".new"
				if err := os.WriteFile(beside, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(beside, at, at); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(beside, path); err != nil {
					t.Fatal(err)
				}
			}
			write(good1, time.Now())
			w := watch(t, path, 0)
			write(good2, time.Now().Add(jump))
			w.expect("two")
			write(good1, time.Now().Add(-jump))
			w.expect("one")
		})
	}
}
