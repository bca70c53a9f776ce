package loop

// Tested by work_test.go.

import (
	"container/heap"
	"math"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// timeoutUnits are those of grpc-timeout (gRPC over HTTP/2, Requests).
var timeoutUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// parseTimeout reads a grpc-timeout: one to eight digits and a unit.
func parseTimeout(s string) (time.Duration, bool) {
	const most = 8
	if len(s) < 2 || len(s) > most+1 {
		return 0, false
	}
	digits, unit := s[:len(s)-1], timeoutUnits[s[len(s)-1]]
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || unit == 0 {
		return 0, false
	}
	// The longest time.Duration is 292 years.
	return time.Duration(min(n, uint64(math.MaxInt64/unit))) * unit, true
}

// deadlines is a heap of the streams whose time is limited; the one that ends first is on top.
type deadlines []*stream

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].due.Before(d[j].due) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].turn, d[j].turn = i+1, j+1
}

func (d *deadlines) Push(s any) {
	*d = append(*d, s.(*stream))
	s.(*stream).turn = len(*d)
}

func (d *deadlines) Pop() any {
	n := len(*d) - 1
	s := (*d)[n]
	(*d)[n] = nil
	*d = (*d)[:n]
	s.turn = 0
	return s
}

// limit has a stream ended when the time of its grpc-timeout is over, also if its client has forgotten it. It reports whether
// that header is well-formed. A connection has one timer for all its streams. With one for each, a client could cause as
// many goroutines as it opens streams.
func (c *conn) limit(s *stream, h *head) bool {
	after, ok := parseTimeout(h.timeout)
	if !ok || h.timeouts > 1 {
		return false
	}
	s.due = time.Now().Add(after)
	heap.Push(&c.deadlines, s)
	if c.deadlines[0] == s {
		c.awaitDeadline(after)
	}
	return true
}

// unlimit takes a stream out of those whose time is limited.
func (c *conn) unlimit(s *stream) {
	if s.turn == 0 {
		return
	}
	heap.Remove(&c.deadlines, s.turn-1)
	if len(c.deadlines) == 0 {
		c.timer.Stop()
	}
}

func (c *conn) awaitDeadline(after time.Duration) {
	if c.timer == nil {
		c.timer = time.AfterFunc(after, c.expire)
	} else {
		c.timer.Reset(after)
	}
}

// expire ends the streams whose time is over.
func (c *conn) expire() {
	defer c.server.recovered(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	now, ended := time.Now(), false
	for len(c.deadlines) > 0 && !c.failed {
		s := c.deadlines[0]
		if after := s.due.Sub(now); after > 0 {
			c.awaitDeadline(after)
			break
		}
		c.release(s) // nobody waits for it any more
		c.end(s, status.New(codes.DeadlineExceeded, "the time of grpc-timeout is over"))
		if ended = true; c.out.Len() >= flushBytes {
			c.write()
		}
	}
	if !ended {
		return
	}
	c.write()
	if c.finished() {
		c.wake()
	}
}
