package server

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestDrain(t *testing.T) {
	type signal struct {
		at time.Duration
		os.Signal
	}
	const delay, timeout = 5 * time.Second, 15 * time.Second
	for _, test := range []struct {
		name    string
		delay   time.Duration
		streams time.Duration // how long the open streams go on, from the start
		signals []signal
		events  []string
		took    time.Duration
	}{
		{name: "streams end by themselves", delay: delay, streams: 8 * time.Second,
			events: []string{"graceful 5s"}, took: 8 * time.Second},
		{name: "nothing open", delay: delay,
			events: []string{"graceful 5s"}, took: 5 * time.Second},
		{name: "no delay", delay: 0, streams: time.Second,
			events: []string{"graceful 0s"}, took: time.Second},
		{name: "cut short by the timeout", delay: delay, streams: time.Hour,
			events: []string{"graceful 5s", "stop 20s"}, took: 20 * time.Second},
		{name: "a second signal in the delay", delay: delay, streams: time.Hour, signals: []signal{{2 * time.Second, syscall.SIGTERM}},
			events: []string{"stop 2s"}, took: 2 * time.Second},
		{name: "a second signal after the delay", delay: delay, streams: time.Hour, signals: []signal{{7 * time.Second, os.Interrupt}},
			events: []string{"graceful 5s", "stop 7s"}, took: 7 * time.Second},
		{name: "SIGHUP is no signal to stop", delay: delay, streams: 9 * time.Second,
			signals: []signal{{2 * time.Second, syscall.SIGHUP}, {4 * time.Second, syscall.SIGHUP}},
			events:  []string{"graceful 5s"}, took: 9 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var mu sync.Mutex // graceful runs on a goroutine of its own
				var events []string
				happened := func(what string) {
					mu.Lock()
					defer mu.Unlock()
					events = append(events, what+" "+time.Since(start).String())
				}
				stopped := make(chan struct{})
				d := &drain{
					delay: test.delay, timeout: timeout, log: slog.New(slog.DiscardHandler),
					graceful: func() {
						happened("graceful")
						select {
						case <-stopped:
						case <-time.After(test.streams - time.Since(start)):
						}
					},
					stop: func() { happened("stop"); close(stopped) },
				}
				signals := make(chan os.Signal, 8)
				for _, s := range test.signals {
					time.AfterFunc(s.at, func() { signals <- s.Signal })
				}
				d.run(signals)
				if took := time.Since(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if !slices.Equal(events, test.events) {
					t.Errorf("events %v, want %v", events, test.events)
				}
			})
		})
	}
}
