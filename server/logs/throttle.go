package logs

import (
	"sync/atomic"
	"time"
)

// Throttle lets something be logged at most once an interval. The zero value, with an interval, is ready for use by any
// number of goroutines. It takes no lock.
type Throttle struct {
	Interval time.Duration
	next     atomic.Int64 // nanoseconds since the process began
}

// began is when the process began. Time since then is not changed by somebody who sets the clock.
var began = time.Now()

// Allow reports whether it may be logged now. If so, the next interval begins.
func (t *Throttle) Allow() bool {
	now := int64(time.Since(began))
	next := t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(t.Interval))
}
