package policydir

// Tested by debounce_test.go and watch_test.go.

import (
	"os"
	"slices"
	"time"

	"github.com/corsproc/corsproc/internal/disk"
)

// How long a change has to rest before it is read. An editor's half-written file may be valid YAML, so a file is read
// when it has been still for quietTime. Events of other files in a busy directory must not put that off for ever: no
// later than latestTime after a burst began it is looked whether the policy files themselves rest ([atRestSince]).
const (
	quietTime  = 200 * time.Millisecond
	latestTime = 2 * time.Second
)

// atRestSince reports whether no policy file of a path, nor one of origins, was written to since a time, by their times of modification. A
// path that cannot be looked at rests: the load says what is wrong with it.
func atRestSince(run *disk.Run, path string, also []string, since time.Time) bool {
	var files []dirEntry
	switch info, err := os.Stat(path); {
	case err != nil:
		return true
	case info.IsDir():
		files, _ = statDirectory(run, path)
	default:
		files = []dirEntry{{path, info}}
	}
	for _, name := range also {
		if run.At(name) != nil {
			return true
		}
		if info, err := os.Stat(name); err == nil {
			files = append(files, dirEntry{name, info})
		}
	}
	now := time.Now()
	return !slices.ContainsFunc(files, func(f dirEntry) bool {
		// A time in the future is another machine's clock, and says nothing.
		return f.info.ModTime().After(since) && !f.info.ModTime().After(now)
	})
}

// A debouncer turns bursts of hints into single ticks: quietTime after the last hint of a burst, and no later than
// latestTime after its first.
type debouncer struct {
	timer *time.Timer
	first time.Time // of the burst; zero: no hint is waiting
}

func newDebouncer() *debouncer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &debouncer{timer: t}
}

// hint says that something may have changed.
func (d *debouncer) hint() {
	now := time.Now()
	if d.first.IsZero() {
		d.first = now
	}
	d.timer.Reset(min(quietTime, d.first.Add(latestTime).Sub(now)))
}

// resting reports whether no hint is waiting for a look.
func (d *debouncer) resting() bool { return d.first.IsZero() }

// C ticks when it is time to look. Who receives a tick calls done.
func (d *debouncer) C() <-chan time.Time { return d.timer.C }

// done ends the burst.
func (d *debouncer) done() { d.first = time.Time{} }
