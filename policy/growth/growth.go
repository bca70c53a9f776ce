// Package growth holds, in tests, how the work of something grows with what it is given. It counts the processor time of
// the process and compares two sizes: that says nothing of how fast anything is, and is the same on a busy machine.
package growth

// Tested by policy/growth_test.go.

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Factor is how many times as much the larger of two sizes is. Something that grows with the square of its size does
// Factor times Factor times as much work, of which a quarter is allowed.
const (
	Factor  = 16
	allowed = Factor * Factor / 4
)

// Hold fails the test if the work on a thing of size n and on one of Factor times n differ by much more than Factor.
// prepare makes a thing of a size, which does not count, and returns the work. The smaller work should take some
// milliseconds. Tests that call it must not run beside others of their package.
func Hold(t *testing.T, n int, prepare func(n int) (work func())) {
	t.Helper()
	skipRaced(t)
	AtMost(t, allowed, prepare(n), prepare(n*Factor))
}

// AtMost fails the test if one work is more than so many times another one.
func AtMost(t *testing.T, times time.Duration, work, other func()) {
	t.Helper()
	skipRaced(t)
	least := max(time.Millisecond, min(processorTime(work), processorTime(work), processorTime(work)))
	var took time.Duration
	for range 3 { // other things of the process may have computed meanwhile
		if took = processorTime(other); took <= times*least {
			return
		}
	}
	t.Errorf("it is %d times the work (%v and %v), and at most %d times are expected", took/least, least, took, times)
}

// skipRaced leaves the counting to the run of the tests without the race detector.
func skipRaced(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("the race detector's own work grows otherwise")
	}
}

// processorTime returns how long the process computes while work is done. Only the sum of user and system time is exact:
// how Linux parts it goes by samples.
func processorTime(work func()) time.Duration {
	runtime.GC()
	before := usage()
	work()
	return usage() - before
}

func usage() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
