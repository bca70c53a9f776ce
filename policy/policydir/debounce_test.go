package policydir

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestDebounce sends hints at given times and compares the times at which there is a look, in milliseconds.
func TestDebounce(t *testing.T) {
	every := func(step, until int) (at []int) {
		for ms := 0; ms <= until; ms += step {
			at = append(at, ms)
		}
		return at
	}
	for _, c := range []struct {
		name  string
		hints []int
		looks []int
	}{
		{"one", []int{0}, []int{200}},
		{"a burst", []int{0, 10, 150}, []int{350}},
		{"two bursts", []int{0, 100, 400, 500}, []int{300, 700}},
		{"never still", every(100, 5000), []int{2000, 4100, 5200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				d := newDebouncer()
				hints := make(chan struct{})
				go func() {
					for _, ms := range c.hints {
						time.Sleep(time.Until(start.Add(time.Duration(ms)*time.Millisecond - time.Nanosecond)))
						hints <- struct{}{}
					}
				}()
				for _, want := range c.looks {
					for looked := false; !looked; {
						select {
						case <-hints:
							d.hint()
						case <-d.C():
							d.done()
							looked = true
						case <-time.After(time.Minute):
							t.Fatalf("no look at %d ms", want)
						}
					}
					if got := time.Since(start).Round(time.Millisecond); got != time.Duration(want)*time.Millisecond {
						t.Errorf("a look at %v, want %d ms", got, want)
					}
				}
				select {
				case <-d.C():
					t.Error("a look too many")
				case <-time.After(time.Minute):
				}
			})
		})
	}
}
