package main

// Tested by learn_test.go.

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"

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
	var read atomic.Int64
	defer startProgress(stderr, func() string {
		n := read.Load()
		text := fmt.Sprintf("%d lines, %d MiB", l.Lines(), n>>20)
		if size > 0 && n <= size { // what comes from standard input has no size
			text += fmt.Sprintf(", %d %%", n*100/size)
		}
		return text
	})()
	for _, name := range logs {
		if err := readLog(ctx, l, name, stdin, &read); err != nil {
			return err
		}
	}
	return nil
}

func readLog(ctx context.Context, l *learn.Learner, name string, stdin io.Reader, read *atomic.Int64) error {
	log := stdin
	if name != policydir.Stdin {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		log = f
	}
	if err := l.Read(ctx, name, counted{log, read}); err != nil {
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
