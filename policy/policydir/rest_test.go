package policydir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/corsproc/corsproc/internal/disk"
)

// TestAtRest swaps the files of a directory while they are read, a number of times.
func TestAtRest(t *testing.T) {
	for _, c := range []struct {
		swaps, reads int
	}{{0, 1}, {1, 2}, {2, 3}, {9, 3}} {
		dir := t.TempDir()
		current := filepath.Join(dir, "current")
		err := os.Symlink("0", current)
		for _, version := range []string{"0", "1"} {
			err = errors.Join(err, os.Mkdir(filepath.Join(dir, version), 0o755),
				os.WriteFile(filepath.Join(dir, version, "a.yaml"), []byte(version), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
		reads := 0
		f, err := disk.Do(new(disk.Task), func(run *disk.Run) (found, error) {
			return atRest(run, current, func(run *disk.Run, d string, entries []dirEntry) (found, error) {
				f, err := new(reader).readDirectory(run, d, entries)
				if reads < c.swaps {
					target := []string{"1", "0"}[reads%2]
					err = errors.Join(err, os.Remove(current), os.Symlink(target, current))
				}
				reads++
				return f, err
			})
		})
		if err != nil || reads != c.reads || len(f.files) != 1 {
			t.Errorf("%d swaps: %d reads of %d files, %v", c.swaps, reads, len(f.files), err)
		}
	}
}
