package loop

import (
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
	// What is longer than an int64 of nanoseconds has no end that anybody sees.
	return time.Duration(min(n, uint64(math.MaxInt64/unit))) * unit, true
}

// limit ends a stream when its time is over, also one that its client has forgotten. It reports whether the client says well
// how much that is.
func (c *conn) limit(s *stream, h *head) bool {
	after, ok := parseTimeout(h.timeout)
	if !ok || h.timeouts > 1 {
		return false
	}
	id := s.id
	s.timer = time.AfterFunc(after, func() {
		defer c.server.recovered(c)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.failed || c.streams[id] != s {
			return // it has ended, and s may be another
		}
		c.release(s) // nobody waits for it any more
		c.end(s, status.New(codes.DeadlineExceeded, "the time of grpc-timeout is over"))
		c.write()
		if c.finished() {
			c.wake()
		}
	})
	return true
}
