package server

import (
	"log/slog"
	"os"
	"syscall"
	"time"
)

// drain is the orderly end of the gRPC server. By the time it begins, health says NOT_SERVING.
type drain struct {
	// delay is how long new streams are still served, so that Envoy's health checks find out before connections close:
	// a stream that Envoy opens after that fails the request that it belongs to.
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

// waitFor waits for the timer, or for a signal to stop: then it returns true.
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
