package main

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lockedBuilder takes what several goroutines write.
type lockedBuilder struct {
	mu sync.Mutex
	strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(p)
}

// TestProgress: the line changes in place, and is gone at the end.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b lockedBuilder
		n := 0
		stop := showProgress(&b, func() string { n++; return strings.Repeat("x", n) })
		time.Sleep(500 * time.Millisecond)
		stop()
		if got := b.String(); got != "\r\x1b[Kx\r\x1b[Kxx\r\x1b[K" {
			t.Errorf("%q", got)
		}
		startProgress(&b, nil)() // is no terminal
	})
}
