package main

import (
	"fmt"
	"io"
	"time"
)

// startProgress shows, on a terminal and nowhere else, a line that says how far something is, until the returned function is
// called, which takes it away.
func startProgress(stderr io.Writer, text func() string) (stop func()) {
	if !isTerminal(stderr) {
		return func() {}
	}
	return showProgress(stderr, text)
}

// showProgress is startProgress on what is a terminal.
func showProgress(terminal io.Writer, text func() string) (stop func()) {
	const begin = "\r\x1b[K" // of the line, which it clears
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				fmt.Fprint(terminal, begin)
				return
			case <-ticker.C:
				fmt.Fprint(terminal, begin+text())
			}
		}
	}()
	return func() {
		close(done)
		<-gone
	}
}
