package logs

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer func(b time.Time) { began = b }(began)
		began = time.Now() // by the clock in here
		th := &Throttle{Interval: time.Minute}
		var allowed []time.Duration
		start := time.Now()
		for range 300 {
			if th.Allow() {
				allowed = append(allowed, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		for i, at := range allowed {
			if at != time.Duration(i)*time.Minute {
				t.Errorf("allowed after %v", allowed)
				break
			}
		}
		if len(allowed) != 5 {
			t.Errorf("allowed %d times in 5 minutes", len(allowed))
		}
	})
}
