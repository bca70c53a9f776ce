package disk

// Tested by task_test.go.

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/corsproc/corsproc/internal/fault"
)

// errLeft ends a run that nobody waits for.
var errLeft = errors.New("nobody waits for the file any more")

// A Run is one time that a piece of work is done.
type Run struct {
	began  time.Time
	ended  chan struct{}
	silent error        // why it was left behind; set before it is
	fault  *fault.Fault // of the work; once it has ended

	mu    sync.Mutex
	name  string      // what is asked for
	entry fs.FileInfo // what stood under the name when it was asked for; nil: that is not known
	heard time.Time   // when something answered last
	left  bool        // nobody waits
}

func newRun() *Run {
	now := time.Now()
	return &Run{began: now, heard: now, ended: make(chan struct{})}
}

func (r *Run) end(met *fault.Fault) {
	r.fault = met
	close(r.ended)
}

func (r *Run) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// At says that name is asked for next. An error says that nobody waits for the answer any more, and ends the work.
func (r *Run) At(name string) error {
	if err := r.step(func() { r.name, r.entry = name, nil }); err != nil {
		return err
	}
	entry, err := os.Lstat(name) // asks the folder that holds it, not what a link leads to
	if err != nil {
		return nil // whoever asks for it next finds out why
	}
	return r.step(func() { r.entry = entry })
}

// step takes note of an answer.
func (r *Run) step(note func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return errLeft
	}
	note()
	r.heard = time.Now()
	return nil
}

// await waits for the end of the run; it returns why if it does not wait for it.
func (r *Run) await() error {
	timer := time.NewTimer(Silence)
	defer timer.Stop()
	for {
		select {
		case <-r.ended:
			return nil
		case <-timer.C:
		}
		now := time.Now()
		r.mu.Lock()
		patience, after := min(r.heard.Add(Silence).Sub(now), r.began.Add(Longest).Sub(now)), Silence
		if now.Sub(r.began) >= Longest {
			after = Longest
		}
		if patience <= 0 {
			r.left, r.silent = true, &SilentError{Name: r.name, After: after}
			r.mu.Unlock()
			return r.silent
		}
		r.mu.Unlock()
		timer.Reset(patience)
	}
}

// isReplaced reports whether something else now stands under the name that the run asked for.
func (r *Run) isReplaced() bool {
	r.mu.Lock()
	name, was := r.name, r.entry
	r.mu.Unlock()
	is, err := os.Lstat(name)
	switch {
	case err != nil, was == nil: // it answers now, as it did not then
		return true
	}
	return !os.SameFile(is, was) || !is.ModTime().Equal(was.ModTime())
}
