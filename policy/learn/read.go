package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"context"
	"io"
)

const (
	workers = 2 // that parse; putting together what they found takes less
	flights = 6 // batches on their way
)

// Read reads a log, which findings call name. It returns when the log ends, cannot be read or decompressed, or ctx is
// done; what was read until then counts. Logs are read one after the other, and their order matters only where a table
// is full: the first that come stay.
func (l *Learner) Read(ctx context.Context, name string, log io.Reader) error {
	source := len(l.sources)
	l.sources = append(l.sources, name)
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	free := make(chan *batch, flights)
	for range flights {
		free <- &batch{parsed: make(chan struct{}, 1)}
	}
	work, order := make(chan *batch, flights), make(chan *batch, flights)
	failed := make(chan error, 1)
	go func() {
		defer close(order)
		defer close(work)
		failed <- cutLines(ctx, log, free, work, order)
	}()
	for range workers {
		go func() {
			s := newScanner(l.tree)
			for b := range work {
				s.parse(b)
				b.parsed <- struct{}{}
			}
		}()
	}
	// What the workers found is taken in the order of the lines, so that it does not depend on who was first.
	for {
		var b *batch
		select {
		case b = <-order:
		case <-ctx.Done():
			return ctx.Err()
		}
		if b == nil {
			return <-failed
		}
		<-b.parsed
		l.take(source, b)
		free <- b
	}
}

// cutLines hands the lines of a log to the workers. A read that does not return keeps nobody but itself.
func cutLines(ctx context.Context, log io.Reader, free <-chan *batch, work, order chan<- *batch) error {
	plain, err := Decompress(log)
	if err != nil {
		return err
	}
	defer plain.Close()
	r := &lineReader{r: plain, line: 1}
	for {
		var b *batch
		select {
		case b = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		more, err := r.next(b)
		if !more {
			return err
		}
		work <- b
		order <- b
	}
}

// take adds what a batch holds to what is known.
func (l *Learner) take(source int, b *batch) {
	l.lines.Add(b.lines)
	l.notJSON += b.bad
	for _, line := range b.notJSON[:min(len(b.notJSON), maxNotJSON-len(l.notJSONs))] {
		l.notJSONs = append(l.notJSONs, spot{source, line})
	}
	l.there |= b.there
	if b.object > 0 && l.there&(1<<fieldOrigin) == 0 && len(l.keys) == 0 {
		l.keys = keysOf(b)
	}
	l.objects = l.objects || b.object > 0
	for i := range b.events {
		l.event(source, &b.events[i])
	}
}

// keysOf returns keys of the first line of a batch that is an object.
func keysOf(b *batch) (keys []string) {
	s := newScanner(&node{})
	s.keys = func(name string) {
		if len(keys) < maxKeys {
			keys = append(keys, cut(name))
		}
	}
	line := b.data
	for range b.object - b.first {
		line = line[indexNewline(line):]
	}
	s.scan(line[:indexNewline(line)], nil, &values{})
	return keys
}

// indexNewline returns where the line after the first begins.
func indexNewline(data []byte) int {
	for i, c := range data {
		if c == '\n' {
			return i + 1
		}
	}
	return len(data)
}
