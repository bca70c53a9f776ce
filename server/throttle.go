package server

import (
	"sync/atomic"
	"time"
)

// throttle lets something happen at most once an interval. It takes no lock.
type throttle struct {
	interval time.Duration
	next     atomic.Int64 // nanoseconds since the process began
}

// began is when the process began. Time since then is not changed by somebody who sets the clock.
var began = time.Now()

// allow reports whether it may happen now.
func (t *throttle) allow() bool {
	now := int64(time.Since(began))
	next := t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(t.interval))
}
