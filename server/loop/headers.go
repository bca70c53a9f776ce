package loop

// Tested by loop_test.go and block_test.go.

import (
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// head is the header block of a stream while it is read: what matters of it.
type head struct {
	stream   uint32
	ends     bool // END_STREAM
	bytes    int  // of the block, in all its frames
	size     int  // of its fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts
	split    bool // it comes in several frames
	method   string
	path     string
	scheme   string
	content  string
	encoding string
	timeout  string
	timeouts int  // lines of it
	bad      bool // not a request of HTTP/2
	trace    trace
	fields   bool // a field that is no pseudo header has come
}

// maxChecked is up to which size of the list, as MaxHeaderList counts it, names that are not used are checked.
const maxChecked = 64 << 10

// emit takes a field. It keeps only what is used, and beyond the limit that the client was told it looks at nothing. So a
// block that expands to megabytes costs nothing.
func (h *head) emit(f hpack.HeaderField) {
	if h.size += int(f.Size()); h.size > MaxHeaderList {
		return
	}
	pseudo := strings.HasPrefix(f.Name, ":")
	switch {
	case pseudo && h.fields: // RFC 9113, section 8.3
		h.bad = true
	case f.Name == ":method":
		h.bad = h.bad || h.method != ""
		h.method = f.Value
	case f.Name == ":path":
		h.bad = h.bad || h.path != ""
		h.path = f.Value
	case f.Name == ":scheme":
		h.bad = h.bad || h.scheme != ""
		h.scheme = f.Value
	case f.Name == ":authority":
	case pseudo:
		h.bad = true
	case f.Name == "content-type":
		h.content = f.Value
	case f.Name == "grpc-encoding":
		h.encoding = f.Value
	case f.Name == "traceparent", f.Name == "tracestate":
		h.trace.take(f)
	case f.Name == "grpc-timeout":
		h.timeout = f.Value
		h.timeouts++
	case f.Name == "te":
		h.bad = h.bad || f.Value != "trailers"
	case h.size > maxChecked:
	case f.Name == "connection", f.Name == "transfer-encoding", f.Name == "upgrade", f.Name == "keep-alive",
		f.Name == "proxy-connection", hasUpper(f.Name): // sections 8.2 and 8.2.2
		h.bad = true
	}
	h.fields = h.fields || !pseudo
}

func hasUpper(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

func (c *conn) onHeaders(f *http2.HeadersFrame) error {
	id := f.StreamID
	switch {
	case id%2 == 0:
		return misused("HEADERS on a stream with an even number")
	case f.HasPriority() && f.Priority.StreamDep == id:
		return misused("a stream depends on itself")
	case id <= c.last && c.streams[id] != nil && c.streams[id].halfClosed:
		return fault{http2.ErrCodeStreamClosed, "HEADERS on a stream that the client has ended"} // RFC 9113, section 5.1
	}
	c.head = head{stream: id, ends: f.StreamEnded(), trace: trace{wanted: c.server.Process.Observes()}}
	return c.readBlock(f.HeaderBlockFragment(), f.HeadersEnded())
}

func (c *conn) onContinuation(f *http2.ContinuationFrame) error {
	return c.readBlock(f.HeaderBlockFragment(), f.HeadersEnded())
}

// leastFragment is the least number of bytes that a frame of a header block is counted as, for maxBlock.
const leastFragment = 1 << 10

// readBlock reads a part of a header block. Blocks of streams that are refused or gone are read too, because they change the
// table that later blocks need.
func (c *conn) readBlock(fragment []byte, ended bool) error {
	// Clients fill a frame before they begin the next. Many frames with next to nothing in them only cost us time.
	c.head.bytes += max(len(fragment), leastFragment)
	if c.head.bytes > maxBlock {
		return excessive("a header block is too long")
	}
	if !c.head.split && ended { // as nearly all are
		if _, err := c.decoder.Write(fragment); err != nil {
			return compressed(err)
		}
		if err := c.decoder.Close(); err != nil {
			return compressed(err)
		}
		return c.onHead(&c.head)
	}
	c.head.split = true
	if err := c.parts.write(fragment); err != nil {
		return compressed(err)
	}
	if !ended {
		return nil
	}
	c.head.size += c.parts.cut
	if err := c.parts.end(); err != nil {
		return compressed(err)
	}
	return c.onHead(&c.head)
}

// compressed is the fault of a client whose header block cannot be read.
func compressed(err error) error { return fault{http2.ErrCodeCompression, err.Error()} }

// onHead takes a header block that is whole.
func (c *conn) onHead(h *head) error {
	s := c.streams[h.stream]
	switch {
	case s != nil && h.ends && h.method == "":
		return c.onEnd(s) // trailers
	case s != nil:
		return http2.StreamError{StreamID: h.stream, Code: http2.ErrCodeProtocol}
	case h.stream <= c.last && h.method == "" && h.ends:
		return nil // trailers of a stream that we have ended
	case h.stream <= c.last: // RFC 9113, section 5.1.1
		return misused("HEADERS on a stream that is over")
	}
	c.last = h.stream
	if h.stream > c.lastAllowed {
		return nil // GOAWAY has told the client that it is not processed
	}
	if h.size > MaxHeaderList {
		return http2.StreamError{StreamID: h.stream, Code: http2.ErrCodeEnhanceYourCalm}
	}
	if h.bad || h.method == "" || h.path == "" || h.scheme == "" {
		return http2.StreamError{StreamID: h.stream, Code: http2.ErrCodeProtocol}
	}
	if n := c.server.MaxConcurrentStreams; n > 0 && len(c.streams) >= int(n) {
		return http2.StreamError{StreamID: h.stream, Code: http2.ErrCodeRefusedStream}
	}
	return c.begin(h)
}
