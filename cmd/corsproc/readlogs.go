package main

// Tested by learn_test.go.

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/corsproc/corsproc/policy/learn"
	"github.com/corsproc/corsproc/policy/policydir"
)

// readLogs reads all logs. That one is missing is found out before the first is read.
func readLogs(ctx context.Context, l *learn.Learner, logs []string, stdin io.Reader, stderr io.Writer) error {
	var size int64
	for _, name := range logs {
		if name == policydir.Stdin {
			continue
		}
		about, err := os.Stat(name)
		switch {
		case err != nil:
			return err
		case about.IsDir():
			return fmt.Errorf("%s is a directory; name the logs in it", name)
		}
		size += about.Size()
	}
	p := &progress{stderr: stderr, learner: l, size: size}
	defer p.start()()
	for _, name := range logs {
		if err := readLog(ctx, l, name, stdin, p); err != nil {
			return err
		}
	}
	return nil
}

func readLog(ctx context.Context, l *learn.Learner, name string, stdin io.Reader, p *progress) error {
	log := stdin
	if name != policydir.Stdin {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		log = f
	}
	if err := l.Read(ctx, name, counted{log, &p.read}); err != nil {
		return fmt.Errorf("%s cannot be read: %w", name, err)
	}
	return nil
}

// counted counts what is read.
type counted struct {
	r    io.Reader
	read *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.read.Add(int64(n))
	return n, err
}

// progress is the line on a terminal that says how far reading is.
type progress struct {
	stderr  io.Writer
	learner *learn.Learner
	size    int64 // of the files; what comes from standard input is not known
	read    atomic.Int64
}

// start shows it from now on. What it returns takes it away.
func (p *progress) start() (stop func()) {
	if !isTerminal(p.stderr) {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprint(p.stderr, "\r\x1b[K"+p.text())
			case <-done:
				fmt.Fprint(p.stderr, "\r\x1b[K")
				return
			}
		}
	}()
	return func() {
		close(done)
		<-gone
	}
}

func (p *progress) text() string {
	read := p.read.Load()
	text := fmt.Sprintf("%d lines, %d MiB", p.learner.Lines(), read>>20)
	if p.size > 0 && read <= p.size {
		text += fmt.Sprintf(", %d %%", read*100/p.size)
	}
	return text
}
