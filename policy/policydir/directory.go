package policydir

// Tested by read_test.go, rest_test.go and bounds_test.go.

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/internal/disk"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// atRest reads a directory again if a file in it was replaced meanwhile, as all are when a ConfigMap's link is swapped:
// old and new files together would be a set that nobody wrote. A directory that never rests is taken as it is; what
// changed last is seen by the next load.
func atRest(run *disk.Run, dir string, read func(*disk.Run, string, []dirEntry) (found, error)) (f found, err error) {
	for range 3 {
		before, err := statDirectory(run, dir)
		if err != nil {
			return f, err
		}
		if f, err = read(run, dir, before); err != nil {
			return f, err
		}
		if after, err := statDirectory(run, dir); err == nil && slices.EqualFunc(before, after, sameState) && isSame(run, f.seen) {
			break
		}
	}
	return f, nil
}

// A dirEntry is a policy file in a directory, and the state that it is in.
type dirEntry struct {
	name string // joined with the directory's
	info fs.FileInfo
}

// statDirectory returns the policy files in a directory, sorted by name; if they are too many, one more than there may be.
func statDirectory(run *disk.Run, dir string) ([]dirEntry, error) {
	if err := run.At(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, unreadable(dir, err)
	}
	var files []dirEntry
	for _, e := range entries {
		if !isPolicyFileName(e.Name()) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if err := run.At(name); err != nil {
			return nil, err
		}
		switch info, err := os.Stat(name); {
		case err != nil:
			return nil, unreadable(name, err)
		case info.IsDir():
		default:
			files = append(files, dirEntry{name, info})
		}
		if len(files) > MaxDirectoryFiles {
			break
		}
	}
	return files, nil
}

func sameState(a, b dirEntry) bool {
	return os.SameFile(a.info, b.info) && a.name == b.name && a.info.Size() == b.info.Size() && a.info.ModTime().Equal(b.info.ModTime())
}

func (r *reader) readDirectory(run *disk.Run, dir string, entries []dirEntry) (found, error) {
	if len(entries) == 0 {
		return found{}, fmt.Errorf("%s is a directory without policy files (*.yaml, *.yml or *.json)", dir)
	}
	bounds := boundsOf(dir)
	if len(r.folders) > 0 {
		bounds = boundsOf(r.folders...)
	}
	var all found
	room := int64(MaxDirectoryBytes)
	for i, e := range entries {
		if i == MaxDirectoryFiles {
			all.files = append(all.files, policyfile.File{Name: e.name})
			all.tooLarge = fmt.Sprintf("the directory has more than %d policy files", MaxDirectoryFiles)
			break
		}
		data, info, err := readRegular(run, e.name, min(policyfile.MaxFileBytes, room))
		if err != nil {
			return found{}, unreadable(e.name, err)
		}
		all.files = append(all.files, policyfile.File{Name: e.name, Data: data, Outside: bounds.exclude(e.name, info)})
		if room -= int64(len(data)); room < 0 {
			all.tooLarge = fmt.Sprintf("the policy files of the directory are larger than %d MiB together", MaxDirectoryBytes>>20)
			return all, nil
		}
	}
	if all.tooLarge != "" {
		return all, nil
	}
	return all, r.readOrigins(run, &all, dir)
}

func readRegular(run *disk.Run, name string, limit int64) ([]byte, fs.FileInfo, error) {
	f, info, err := run.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if !info.Mode().IsRegular() {
		return nil, nil, disk.ErrNotRegular
	}
	data, err := run.Read(f, info, limit)
	return data, info, err
}

func isPolicyFileName(name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}
