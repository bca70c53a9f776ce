package learn

// Tested by scan_test.go and limits_test.go.

import (
	"bytes"
	"io"
)

// chunkBytes is how much of a log is read at once. Lines may be short, and an event takes far more than its line.
const chunkBytes = 128 << 10

// A batch is some whole lines of a log on their way through the workers.
type batch struct {
	data  []byte
	first int64 // the number of the first line
	long  bool  // instead: one line that was too long to be read

	events  []event
	text    []byte // what values hold that had to be unescaped
	notJSON []int64
	bad     int64  // lines that are no JSON
	lines   int64  // that are not blank
	object  int64  // the first line that is an object; 0: none
	there   uint32 // the facts for which some line has a key
	parsed  chan struct{}
}

// An event is a line that says something of an answer, or of a page.
type event struct {
	line   int64
	values values
}

// lineReader cuts a log into batches of whole lines.
type lineReader struct {
	r     io.Reader
	carry []byte // the beginning of a line
	line  int64  // the number of the next line
	skips bool   // the rest of a long line is to be passed over
	err   error
}

// next fills b with what one read brings, so that lines of a slow pipe do not wait for others. At the end it returns
// false.
func (r *lineReader) next(b *batch) (bool, error) {
	b.data, b.long, b.first = append(b.data[:0], r.carry...), false, r.line
	r.carry = r.carry[:0]
	for {
		if r.err != nil {
			return r.finish(b)
		}
		had := len(b.data)
		b.data = append(b.data, make([]byte, chunkBytes)...)
		n, err := r.r.Read(b.data[had : had+chunkBytes])
		b.data, r.err = b.data[:had+n], err
		if r.skips {
			end := bytes.IndexByte(b.data, '\n')
			if end < 0 {
				b.data = b.data[:0]
				continue
			}
			b.data = append(b.data[:0], b.data[end+1:]...)
			r.skips, had = false, 0
		}
		if end := bytes.LastIndexByte(b.data[had:], '\n'); end >= 0 {
			r.carry = append(r.carry, b.data[had+end+1:]...)
			b.data = b.data[:had+end+1]
			r.line += int64(bytes.Count(b.data, []byte("\n")))
			return true, nil
		}
		if len(b.data) > MaxLineBytes {
			b.data, b.long, r.skips = b.data[:0], true, true
			r.line++
			return true, nil
		}
	}
}

// finish hands out the last line, which needs no newline.
func (r *lineReader) finish(b *batch) (bool, error) {
	if r.err != io.EOF {
		return false, r.err
	}
	if r.skips || len(b.data) == 0 {
		return false, nil
	}
	r.line++
	b.long = len(b.data) > MaxLineBytes
	return true, nil
}

// parse reads the lines of a batch.
func (s *scanner) parse(b *batch) {
	b.events, b.text, b.notJSON, b.bad, b.lines, b.object, b.there = b.events[:0], b.text[:0], b.notJSON[:0], 0, 0, 0, 0
	bad := func(line int64) {
		if b.bad++; len(b.notJSON) < maxNotJSON {
			b.notJSON = append(b.notJSON, line)
		}
	}
	if b.long {
		b.lines = 1
		bad(b.first)
		return
	}
	number := b.first
	for rest := b.data; len(rest) > 0; number++ {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		b.lines++
		b.events = append(b.events, event{line: number})
		e := &b.events[len(b.events)-1]
		var err error = errNotJSON
		if len(line) <= MaxLineBytes {
			b.text, err = s.scan(line, b.text, &e.values)
		}
		v := &e.values
		if err != nil {
			bad(number)
		} else if b.there |= v.there; b.object == 0 {
			b.object = number
		}
		if err != nil || !v.has(fieldOrigin) && !(v.has(fieldStatus) && v.has(fieldMethod)) {
			b.events = b.events[:len(b.events)-1]
		}
	}
}
