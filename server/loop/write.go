package loop

// Tested by loop_test.go and limits_test.go.

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// flushBytes is how much is gathered at most before it is sent, however much there is to read.
	flushBytes = 64 << 10
	// writeTimeout is how long a client may take to read what is sent to it before its connection is closed.
	writeTimeout = 30 * time.Second
)

// flush sends what was answered. It reports whether the connection still stands.
func (c *conn) flush() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write()
	return !c.failed
}

// write sends what was answered, with mu held.
func (c *conn) write() {
	if c.failed || c.out.Len() == 0 {
		return
	}
	// The deadline is moved only now and then, because that costs more than sending an answer.
	if now := time.Now(); c.deadline.Sub(now) < writeTimeout/2 {
		c.deadline = now.Add(writeTimeout)
		_ = c.net.SetWriteDeadline(c.deadline)
	}
	_, err := c.net.Write(c.out.Bytes())
	if c.out.Reset(); c.out.Cap() > 2*flushBytes {
		c.out = bytes.Buffer{} // a large answer's room is not kept
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.blame(fault{http2.ErrCodeEnhanceYourCalm, "answers are not read"})
		}
		c.failed = true
		c.net.Close() // the loop may be waiting for bytes
	}
}

// send sends a message with its prefix on a stream, as far as the windows let it.
func (c *conn) send(s *stream, message []byte) {
	if !s.began {
		s.began = true
		c.writeHeaders(s.id, false, hpack.HeaderField{Name: ":status", Value: "200"},
			hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
	}
	if len(s.waiting) == 0 {
		message = c.writeData(s, message)
	}
	if len(message) == 0 {
		return
	}
	s.waiting = append(s.waiting, message...)
	c.hold(s, cap(s.waiting)+waitingBytes)
	if c.waiting > maxWaiting {
		c.announce(excessive("answers are not read, and more is asked"))
		c.write()
		c.failed = true
		c.net.Close()
	}
}

// writeData writes as much of data as the windows allow, and returns the rest.
func (c *conn) writeData(s *stream, data []byte) []byte {
	for len(data) > 0 {
		n := min(int64(len(data)), c.windowOf(s), c.sendWindow, int64(c.maxFrame))
		if n <= 0 {
			break
		}
		_ = c.framer.WriteData(s.id, false, data[:n])
		s.window -= n
		c.sendWindow -= n
		data = data[n:]
	}
	return data
}

// windowOf is what may still be sent on a stream.
func (c *conn) windowOf(s *stream) int64 { return c.newWindow + s.window }

// hold counts what a stream's answers hold, and remembers what they wait for.
func (c *conn) hold(s *stream, bytes int) {
	c.waiting += bytes - s.holds
	s.holds = bytes
	c.waits[s] = struct{}{}
	if c.windowOf(s) > 0 {
		c.stalled[s] = struct{}{}
	} else {
		delete(c.stalled, s)
	}
}

// release forgets what a stream's answers held.
func (c *conn) release(s *stream) {
	c.waiting -= s.holds
	s.holds, s.waiting = 0, nil
	delete(c.waits, s)
	delete(c.stalled, s)
}

// resume sends what waited for the connection's window.
func (c *conn) resume() error {
	for s := range c.stalled {
		if c.sendWindow <= 0 {
			break
		}
		if err := c.sendWaiting(s); err != nil {
			return err
		}
	}
	return nil
}

// resumeAll sends what waited for the windows of all streams.
func (c *conn) resumeAll() error {
	for s := range c.waits {
		if err := c.sendWaiting(s); err != nil {
			return err
		}
	}
	return nil
}

// sendWaiting sends what waited for a window of the stream.
func (c *conn) sendWaiting(s *stream) error {
	if c.windowOf(s) > maxWindow {
		return fault{http2.ErrCodeFlowControl, "SETTINGS make the window of a stream too large"}
	}
	if len(s.waiting) == 0 {
		return nil
	}
	rest := c.writeData(s, s.waiting)
	switch {
	case len(rest) > 0 && len(rest) < s.holds/2-waitingBytes:
		s.waiting = bytes.Clone(rest) // to let go of what is sent
		c.hold(s, cap(s.waiting)+waitingBytes)
		return nil
	case len(rest) > 0:
		s.waiting = rest
		c.hold(s, s.holds)
		return nil
	}
	c.release(s)
	if s.relay != nil {
		s.relay.wrote()
	}
	if st := s.ending; st != nil {
		s.ending = nil
		c.end(s, st)
	}
	return nil
}

// end ends a stream with a status, nil for OK, once all its messages are sent.
func (c *conn) end(s *stream, st *status.Status) {
	if len(s.waiting) > 0 {
		if s.ending = st; st == nil {
			s.ending = status.New(codes.OK, "")
		}
		return
	}
	fields := make([]hpack.HeaderField, 0, 5)
	if !s.began {
		fields = append(fields, hpack.HeaderField{Name: ":status", Value: "200"},
			hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
	}
	fields = appendStatus(fields, st)
	c.writeHeaders(s.id, true, fields...)
	c.forgetEnded(s, st.Code())
}

// refuse ends a stream that is not gRPC: with a status of HTTP, and with one of gRPC beside it.
func (c *conn) refuse(s *stream, code string, st *status.Status) {
	fields := []hpack.HeaderField{{Name: ":status", Value: code}, {Name: "content-type", Value: "application/grpc"}}
	c.writeHeaders(s.id, true, appendStatus(fields, st)...)
	c.forgetEnded(s, codes.OK)
}

// appendStatus appends what tells a status.
func appendStatus(fields []hpack.HeaderField, st *status.Status) []hpack.HeaderField {
	fields = append(fields, hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(int(st.Code()))})
	if st.Code() == codes.Unimplemented { // perhaps because a message was compressed
		fields = append(fields, hpack.HeaderField{Name: "grpc-accept-encoding", Value: "identity"})
	}
	if st.Message() != "" {
		fields = append(fields, hpack.HeaderField{Name: "grpc-message", Value: grpcMessage(st.Message())})
	}
	return fields
}

// forgetEnded forgets a stream whose end is sent. If the client has not ended its side, RST_STREAM asks it to (RFC 9113,
// section 8.1).
func (c *conn) forgetEnded(s *stream, code codes.Code) {
	if !s.halfClosed {
		_ = c.framer.WriteRSTStream(s.id, http2.ErrCodeNo)
	}
	c.forgetWith(s, code)
}

func (c *conn) writeHeaders(id uint32, ends bool, fields ...hpack.HeaderField) {
	c.block.Reset()
	for _, f := range fields {
		_ = c.encoder.WriteField(f)
	}
	// Our blocks are far smaller than the smallest frame that a client may insist on.
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.block.Bytes(), EndStream: ends, EndHeaders: true,
	})
}

// grpcMessage encodes a status message as gRPC does: percent-encoded UTF-8.
func grpcMessage(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
