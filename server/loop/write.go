package loop

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
	// flushBytes is how much is gathered before it is sent, whatever else there is to read.
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
	// The deadline is moved only now and then: that costs more than to send an answer.
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
	if len(s.waiting) == 0 {
		c.blocked++
	}
	s.waiting = append(s.waiting, message...)
	c.waiting += len(message)
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
		n := min(int64(len(data)), s.window, c.sendWindow, int64(c.maxFrame))
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

// resume sends what waited for the connection's window, or for that of all streams.
func (c *conn) resume() {
	if c.blocked == 0 {
		return
	}
	for _, s := range c.streams {
		c.sendWaiting(s)
	}
}

// sendWaiting sends what waited for a window of the stream.
func (c *conn) sendWaiting(s *stream) {
	if len(s.waiting) == 0 {
		return
	}
	rest := c.writeData(s, s.waiting)
	c.waiting -= len(s.waiting) - len(rest)
	s.waiting = append(s.waiting[:0], rest...)
	if len(rest) > 0 {
		return
	}
	c.blocked--
	if st := s.ending; st != nil {
		s.ending = nil
		c.end(s, st)
	}
}

// end ends a stream with a status, nil for OK, once all its messages are sent.
func (c *conn) end(s *stream, st *status.Status) {
	if len(s.waiting) > 0 {
		if s.ending = st; st == nil {
			s.ending = status.New(codes.OK, "")
		}
		return
	}
	fields := make([]hpack.HeaderField, 0, 4)
	if !s.began {
		fields = append(fields, hpack.HeaderField{Name: ":status", Value: "200"},
			hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
	}
	fields = append(fields, hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(int(st.Code()))})
	if st.Message() != "" {
		fields = append(fields, hpack.HeaderField{Name: "grpc-message", Value: grpcMessage(st.Message())})
	}
	c.writeHeaders(s.id, true, fields...)
	c.forgetEnded(s, st.Code())
}

// refuse ends a stream that is none of gRPC with a status of HTTP.
func (c *conn) refuse(s *stream, code string) {
	c.writeHeaders(s.id, true, hpack.HeaderField{Name: ":status", Value: code})
	c.forgetEnded(s, codes.OK)
}

// forgetEnded forgets a stream whose end is sent. Where the client has not ended it too, it is told to (RFC 9113, section 8.1).
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
