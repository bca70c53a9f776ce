package disk

import (
	"fmt"
	"sync"
	"time"

	"github.com/corsproc/corsproc/internal/fault"
)

// How long a disk is waited for.
const (
	// Silence is how long it may say nothing. A disk that spins up, or a share that is mounted on demand, takes seconds.
	Silence = 5 * time.Second
	// Longest is how long all of a piece of work may take, for what says a little again and again and never ends.
	Longest = time.Minute
)

// maxLeft is how many runs of a task are left behind before it is given up for good: each costs a thread.
const maxLeft = 8

// A SilentError says what did not answer. Its text is the same however often the same is asked.
type SilentError struct {
	Name  string
	After time.Duration
}

func (e *SilentError) Error() string {
	return fmt.Sprintf("%s does not answer: it could not be read within %v", e.Name, e.After)
}

// A Task is work on a disk that is done again and again, one run at a time. The zero Task is ready for use.
//
// Of a run that gets no answer, the next ones are told at once what the first was told after a while, and ask for nothing:
// what is left behind does not grow with each of them. That ends when the run does, or when what it asked for has been
// replaced under its name, which is looked at by a second goroutine, of which there is one at most too.
type Task struct {
	mu    sync.Mutex // held while somebody waits
	stuck *Run       // the run that was left behind last, until it is known that it is no longer in the way
	look  *look      // at what stuck asked for; nil: none is under way
	left  int        // how many runs were left behind and replaced
}

// Do does the work of a task and returns what it returns, or a [*SilentError]. The work says by the run what it is at. If it
// panics, so does Do, with a [fault.Fault]; if it was left behind by then, the next Do does.
func Do[T any](t *Task, work func(*Run) (T, error)) (result T, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.inTheWay(); err != nil {
		return result, err
	}
	type outcome struct {
		result T
		err    error
	}
	r := newRun()
	var o outcome // once r has ended
	go func() {
		defer func() { r.end(fault.Of(recover())) }()
		o.result, o.err = work(r)
	}()
	if err := r.await(); err != nil {
		t.stuck = r
		return result, err
	}
	if r.fault != nil {
		panic(r.fault)
	}
	return o.result, o.err
}

// inTheWay returns why nothing is asked for: what was asked for last has not answered yet.
func (t *Task) inTheWay() error {
	switch {
	case t.stuck == nil:
		return nil
	case t.stuck.hasEnded():
		met := t.stuck.fault
		t.stuck, t.look = nil, nil
		if met != nil {
			panic(met)
		}
		return nil
	}
	if t.look == nil {
		t.look = lookAt(t.stuck)
	}
	if !t.look.await() {
		return t.stuck.silent // the look is left behind too, and the only one
	}
	replaced, met := t.look.replaced, t.look.fault
	t.look = nil
	if met != nil {
		panic(met)
	}
	if !replaced {
		return t.stuck.silent
	}
	if t.left == maxLeft {
		return fmt.Errorf("%w; as that happened %d times before, a restart is needed", t.stuck.silent, maxLeft)
	}
	t.left++
	t.stuck = nil
	return nil
}

// A look finds out whether what a run asked for has been replaced.
type look struct {
	done     chan struct{}
	replaced bool // once done is closed
	fault    *fault.Fault
}

func lookAt(r *Run) *look {
	l := &look{done: make(chan struct{})}
	go func() {
		defer func() {
			l.fault = fault.Of(recover())
			close(l.done)
		}()
		l.replaced = r.isReplaced()
	}()
	return l
}

// await reports whether the look ends soon.
func (l *look) await() bool {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-l.done:
		return true
	case <-timer.C:
		return false
	}
}
