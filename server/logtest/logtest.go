// Package logtest has a log for tests to read.
package logtest

// Tested by server/logs/decisions_test.go.

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"
)

// Buffer is a JSON log that tests read while it is written.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// Take returns the records since the last Take.
func (b *Buffer) Take(t testing.TB) (records []map[string]any) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range bytes.Lines(b.buf.Bytes()) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		records = append(records, r)
	}
	b.buf.Reset()
	return records
}
