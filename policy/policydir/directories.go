package policydir

// Tested by watch_test.go.

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// directories keeps the watch on the directories that tell of changes of a path: the one that holds the policy files,
// and the one around it, which tells when the first is replaced. While they do not exist, it is the nearest two that do.
type directories struct {
	path    string
	target  string            // the directory of the file that path leads to, if path is a symbolic link to a file elsewhere
	watcher *fsnotify.Watcher // nil: there is none, and nothing is watched
	watched map[string]os.FileInfo
	also    []string // files of origins, as they are named
	around  []string // the directories in which these are, and those that links among them lead to
}

func newDirectories(path string, w *fsnotify.Watcher) *directories {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs // "." has no directory around it
	}
	return &directories{path: path, watcher: w, watched: map[string]os.FileInfo{}}
}

func (d *directories) clone() *directories {
	c := *d
	c.watched = maps.Clone(d.watched)
	return &c
}

// follow brings the watch to the directories that are there now. A directory that was replaced under its name, or is
// reached by a symbolic link that now leads elsewhere, is a new one.
func (d *directories) follow() error {
	if d.watcher == nil {
		return nil
	}
	// A directory may be made after it was looked for and before the one around it is watched: what is watched anew is
	// looked at again. The number of rounds bounds what a directory that never rests can cost.
	for range 5 {
		if again, err := d.adjust(); err != nil || !again {
			return err
		}
	}
	return nil
}

// adjust reports whether it has to be called again: something was added, or went while it was to be added.
func (d *directories) adjust() (again bool, err error) {
	wanted := d.nearest()
	for name := range d.watched {
		if _, ok := wanted[name]; !ok {
			d.drop(name)
		}
	}
	alive := d.watcher.WatchList()
	for name, info := range wanted {
		if old, ok := d.watched[name]; ok && os.SameFile(old, info) && slices.Contains(alive, name) {
			continue
		}
		d.drop(name)
		switch e := d.watcher.Add(name); {
		case e == nil:
			d.watched[name], again = info, true
		case errors.Is(e, fs.ErrNotExist):
			again = true
		default:
			err = errors.Join(err, e)
		}
	}
	return again, err
}

// nearest returns the two nearest directories at or above the path that exist.
func (d *directories) nearest() map[string]os.FileInfo {
	found := map[string]os.FileInfo{}
	for name := d.path; len(found) < 2; name = filepath.Dir(name) {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			found[name] = info
		}
		if name == filepath.Dir(name) {
			break
		}
	}
	d.target = ""
	if target, err := filepath.EvalSymlinks(d.path); err == nil && target != d.path {
		dir := filepath.Dir(target)
		// A directory that is found by another name already is not watched twice: the end of one watch would end both.
		if info, err := os.Stat(dir); err == nil && !containsFile(found, info) {
			d.target, found[dir] = dir, info
		}
	}
	d.addAlso(found)
	return found
}

// addAlso adds the directories of files of origins, other than those that are found already: of each the nearest one that
// exists, and the one that a link leads to.
func (d *directories) addAlso(found map[string]os.FileInfo) {
	d.around = nil
	add := func(dir string) bool {
		if _, ok := found[dir]; ok {
			d.around = append(d.around, dir)
			return true
		}
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			return false
		}
		if !containsFile(found, info) && len(d.around) < maxAround {
			found[dir] = info
			d.around = append(d.around, dir)
		}
		return true
	}
	for _, name := range d.also {
		if abs, err := filepath.Abs(name); err == nil {
			name = abs
		}
		for dir := filepath.Dir(name); !add(dir) && dir != filepath.Dir(dir); {
			dir = filepath.Dir(dir)
		}
		if target, err := filepath.EvalSymlinks(name); err == nil && target != name {
			add(filepath.Dir(target))
		}
	}
}

// maxAround bounds how many directories are watched for files of origins: a system has not many watches to give. What is in
// others is seen by the look every interval.
const maxAround = 100

func containsFile(found map[string]os.FileInfo, file os.FileInfo) bool {
	for _, info := range found {
		if os.SameFile(info, file) {
			return true
		}
	}
	return false
}

func (d *directories) drop(name string) {
	delete(d.watched, name)
	_ = d.watcher.Remove(name) // it may be gone by itself
}

// concerns reports whether an event can be about the policy files: any event in the directory that holds them, because
// mounts and editors replace files by way of others; of the directory around it only those that name it.
func (d *directories) concerns(e fsnotify.Event) bool {
	if _, ok := d.watched[e.Name]; ok && e.Has(fsnotify.Remove|fsnotify.Rename) {
		delete(d.watched, e.Name) // the watch went with the directory
		return true
	}
	if slices.Contains(d.around, filepath.Dir(e.Name)) {
		return true
	}
	if dir := filepath.Dir(e.Name); dir == d.path || d.target != "" && dir == d.target || dir == filepath.Dir(d.path) && !d.isDirectory() {
		return true
	}
	return d.leadsTo(e.Name)
}

// isDirectory reports whether the path is a watched directory.
func (d *directories) isDirectory() bool { _, ok := d.watched[d.path]; return ok }

// leadsTo reports whether name is the path or a directory above it.
func (d *directories) leadsTo(name string) bool {
	for p := d.path; ; p = filepath.Dir(p) {
		if p == name {
			return true
		}
		if p == filepath.Dir(p) {
			return false
		}
	}
}
