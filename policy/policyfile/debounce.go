package policyfile

import "time"

// How long a change has to rest before it is read. An editor's half-written file may be valid YAML, so a file is read
// when it has been still for quietTime; a file that never is still is read every latestTime all the same, because a
// half-written file costs no more than a failed attempt, and waiting for ever would cost the change.
const (
	quietTime  = 200 * time.Millisecond
	latestTime = 2 * time.Second
)

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
