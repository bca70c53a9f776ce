package server

import (
	"log/slog"
	"os"
	"syscall"
	"time"
)

// drain is the orderly end of the gRPC server. By the time it begins, health says NOT_SERVING.
type drain struct {
	// delay is how long new streams are still served. In this time Envoy's health checks see NOT_SERVING. A stream that
	// Envoy opens later fails, and its request with it.
	delay time.Duration
	// timeout is how long open streams may then finish.
	timeout time.Duration

	graceful func() // closes the listeners and returns when every stream has ended
	stop     func() // ends all streams at once, and lets graceful return
	log      *slog.Logger
}

// run ends the server. A further signal to stop cuts it short.
func (d *drain) run(signals <-chan os.Signal) {
	delay := time.NewTimer(d.delay)
	defer delay.Stop()
	if d.delay > 0 && waitFor(delay.C, signals) {
		d.log.Warn("stopping at once")
		d.stop()
		return
	}

	ended := make(chan struct{})
	go func() {
		d.graceful()
		close(ended)
	}()
	timeout := time.NewTimer(d.timeout)
	defer timeout.Stop()
	for {
		select {
		case <-ended:
			return
		case <-timeout.C:
			d.log.Warn("the drain timeout is over; open streams are cut short")
		case s := <-signals:
			if s == syscall.SIGHUP {
				continue
			}
			d.log.Warn("stopping at once; open streams are cut short")
		}
		d.stop()
		<-ended
		return
	}
}

// waitFor returns false when the timer fires, and true when a signal to stop comes first.
func waitFor(timer <-chan time.Time, signals <-chan os.Signal) bool {
	for {
		select {
		case <-timer:
			return false
		case s := <-signals:
			if s != syscall.SIGHUP {
				return true
			}
		}
	}
}
