package extproc

// Tested by facts_test.go and fuzz_test.go.

import (
	"unicode/utf8"
	"unsafe"
)

// text holds the facts of a request as strings, without an allocation for each of them. The strings are valid until the next
// reset: who keeps one longer copies it.
type text struct{ bytes []byte }

// maxKeptText is the largest buffer, in bytes, that is kept for another request. The facts of a browser's request have a few
// hundred bytes. Clients may send many kilobytes, and that memory is given back.
const maxKeptText = 4 << 10

func (t *text) reset() {
	if cap(t.bytes) > maxKeptText {
		t.bytes = nil
	}
	t.bytes = t.bytes[:0]
}

// keep returns b as a string.
func (t *text) keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	start := len(t.bytes)
	t.bytes = append(t.bytes, b...)
	// What append leaves behind when it needs room stays as it is, so strings in there stay good.
	return unsafe.String(&t.bytes[start], len(b))
}

// keepText returns b as [repairText] leaves it.
func (t *text) keepText(b []byte) string {
	start := len(t.bytes)
	s := t.keep(b)
	if !utf8.ValidString(s) {
		repairText(t.bytes[start:])
	}
	return s
}
