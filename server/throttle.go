package server

import (
	"sync/atomic"
	"time"
)

// throttle lets something happen at most once an interval. It takes no lock.
type throttle struct {
	interval time.Duration
	next     atomic.Int64 // Unix time in nanoseconds
}

// allow reports whether it may happen now.
func (t *throttle) allow() bool {
	now := time.Now().UnixNano()
	next := t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(t.interval))
}
