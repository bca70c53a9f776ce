package policydir

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/corsproc/corsproc/internal/disk"
)

// Watch calls changed whenever the path may have changed and is to be loaded, until ctx is done, and then returns nil. It
// goes on when changed returns. It calls it once when it starts, so that nothing is missed that changed since the last
// load. Standard input cannot change.
//
// also returns the files of origins that the policy files name, as they are known after the last call of changed
// ([Loader.Origins]); nil: nobody knows any. It is called between calls of changed.
//
// Changes are heard of by events in the directory of the path (of a directory: in itself), and found by a look every
// interval: not every file system has events, and none for what is behind a symbolic link further up. An interval of 0
// is no such look; only then it is an error if directories cannot be watched. Whatever is heard is only a hint: the
// content decides, once it has been still for 200 ms.
func Watch(ctx context.Context, path string, interval time.Duration, also func() []string, changed func()) error {
	if path == Stdin {
		<-ctx.Done()
		return nil
	}
	var events <-chan fsnotify.Event
	var faults <-chan error
	watcher, err := fsnotify.NewWatcher()
	switch {
	case err == nil:
		defer watcher.Close()
		events, faults = watcher.Events, watcher.Errors
	case interval <= 0:
		return fmt.Errorf("%s cannot be watched: %w", path, err)
	}
	look := looker{path: path, dirs: newDirectories(path, watcher)}
	if err := look.follow(); err != nil && interval <= 0 {
		return fmt.Errorf("%s cannot be watched: %w", path, err)
	}

	var poll <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(max(interval, quietTime)) // a shorter one would keep a core busy and find nothing sooner
		defer ticker.Stop()
		poll = ticker.C
	}
	quiet := newDebouncer()
	quiet.hint()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if look.dirs.concerns(e) {
				quiet.hint()
			}
		case <-faults:
			quiet.hint() // events were lost
		case <-poll:
			if quiet.resting() { // looks must not put a look off
				quiet.hint()
			}
		case <-quiet.C():
			quiet.done()
			if !look.finds() {
				quiet.hint()
				continue
			}
			changed()
			if also != nil && look.setAlso(also()) {
				quiet.hint() // what was changed before the watch came to it
			}
		}
	}
}

// A looker looks at a path before it is read, and keeps the watch on it.
type looker struct {
	path string
	task disk.Task
	dirs *directories
}

// setAlso says which files of origins are to be watched, and reports whether these are others than before.
func (l *looker) setAlso(names []string) bool {
	if slices.Equal(names, l.dirs.also) {
		return false
	}
	next := l.dirs.clone() // what is left behind may go on with the old one
	next.also = slices.Clone(names)
	l.dirs = next
	return true
}

// finds reports whether the files rest, and if they do, brings the watch to where they are. Whatever fails here is tried
// again with the next event or look: that the path is gone, or that its disk does not answer, the load tells.
func (l *looker) finds() (rest bool) {
	next := l.dirs.clone() // what is left behind may go on with it
	dirs, err := disk.Do(&l.task, func(run *disk.Run) (*directories, error) {
		if err := run.At(l.path); err != nil {
			return nil, err
		}
		if !atRestSince(run, l.path, next.also, time.Now().Add(-quietTime)) {
			return nil, nil
		}
		_ = next.follow()
		return next, nil
	})
	switch {
	case err != nil:
		return true
	case dirs == nil:
		return false
	}
	l.dirs = dirs
	return true
}

// follow brings the watch to the directories that are there now.
func (l *looker) follow() error {
	next := l.dirs.clone() // what is left behind may go on with it
	dirs, err := disk.Do(&l.task, func(run *disk.Run) (*directories, error) {
		if err := run.At(l.path); err != nil {
			return nil, err
		}
		return next, next.follow()
	})
	if dirs != nil {
		l.dirs = dirs
	}
	return err
}
