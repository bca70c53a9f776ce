package loop

// Tested by loop_test.go and fuzz_test.go.

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/corsproc/corsproc/server/extproc"
)

// prefixBytes stand before every gRPC message: whether it is compressed, and its length.
const prefixBytes = 5

// stream is an open stream, of one of three kinds.
type stream struct {
	id      uint32
	process *extproc.Stream // nil: none of ext_proc
	health  question        // what is asked of health, 0: nothing
	told    bool            // and it was answered
	relay   *relay          // nil: not relayed
	due     time.Time       // when its time is over
	turn    int             // its index in conn.deadlines, counted from 1; 0: its time has no limit

	in         []byte // the beginning of a message that is not whole yet
	received   int    // bytes of DATA since the window was last refilled
	halfClosed bool   // the client sends nothing more

	window  int64 // what may still be sent beside conn.newWindow, and less than 0 when something was sent
	began   bool  // the response's headers are sent
	waiting []byte
	holds   int            // what waiting counts for maxWaiting
	ending  *status.Status // sent when nothing waits any more; nil: the stream goes on
}

var streams = sync.Pool{New: func() any { return new(stream) }}

// begin opens a stream.
func (c *conn) begin(h *head) error {
	s := streams.Get().(*stream)
	s.id, s.halfClosed = h.stream, h.ends
	c.streams[s.id] = s
	isGRPC := h.content == "application/grpc" || strings.HasPrefix(h.content, "application/grpc+") || strings.HasPrefix(h.content, "application/grpc;")
	switch {
	case !isGRPC:
		c.refuse(s, "415", status.New(codes.InvalidArgument, "gRPC requests have the content-type application/grpc"))
	case h.method != "POST":
		c.refuse(s, "405", status.New(codes.Internal, "gRPC requests are POST"))
	case h.timeouts > 0 && !c.limit(s, h):
		c.end(s, status.New(codes.Internal, "the grpc-timeout is malformed"))
	case h.encoding != "" && h.encoding != "identity":
		c.end(s, status.New(codes.Unimplemented, "compressed messages are not supported"))
	case h.path == c.server.Path:
		s.process = c.server.Process.Begin(h.trace.context())
	case h.path == healthv1.Health_Check_FullMethodName:
		s.health = checks
	case h.path == healthv1.Health_Watch_FullMethodName:
		s.health = watches
	case !c.server.has(h.path):
		c.end(s, status.New(codes.Unimplemented, "no such method"))
	case c.relays == maxRelays, !c.server.takeRelay():
		c.end(s, status.New(codes.ResourceExhausted, "too many streams of other services"))
	default:
		c.relayTo(s, h.path)
	}
	if h.ends && c.streams[h.stream] == s { // s may serve another connection already
		return c.onEnd(s)
	}
	return nil
}

// forget ends a stream on our side, whatever becomes of it elsewhere.
func (c *conn) forget(s *stream) { c.forgetWith(s, codes.OK) }

func (c *conn) forgetWith(s *stream, code codes.Code) {
	delete(c.streams, s.id)
	if s.process != nil {
		s.process.End(code)
	}
	if s.relay != nil {
		s.relay.stop()
	}
	c.unlimit(s)
	c.unread -= len(s.in)
	delete(c.watches, s)
	c.release(s)
	*s = stream{}
	streams.Put(s)
}

// reset ends a stream with an error of HTTP/2.
func (c *conn) reset(id uint32, code http2.ErrCode) {
	if s := c.streams[id]; s != nil {
		c.forgetWith(s, codes.Internal)
	}
	_ = c.framer.WriteRSTStream(id, code)
}

func (c *conn) onData(f *http2.DataFrame) error {
	// Padding counts for the windows, and so do frames of streams that are gone (RFC 9113, section 6.9).
	n := int(f.Length)
	// More than the windows allow cannot come: they are refilled as what comes is used, long before their end.
	if c.received += n; c.received >= connWindow/2 {
		_ = c.framer.WriteWindowUpdate(0, uint32(c.received))
		c.received = 0
	}
	s := c.streams[f.StreamID]
	switch {
	case s == nil && c.isIdle(f.StreamID):
		return misused("DATA on a stream that was never opened")
	case s == nil, s.ending != nil:
		return nil // on its way when we ended the stream
	case s.halfClosed:
		return http2.StreamError{StreamID: s.id, Code: http2.ErrCodeStreamClosed}
	}
	window := int(c.streamWindow())
	if s.received += n; s.received >= window/2 && !f.StreamEnded() {
		_ = c.framer.WriteWindowUpdate(s.id, uint32(s.received))
		s.received = 0
	}
	if !c.onBytes(s, f.Data()) {
		return nil
	}
	if f.StreamEnded() {
		return c.onEnd(s)
	}
	return nil
}

// onBytes takes a part of the messages of a stream. It reports whether the stream still goes on.
func (c *conn) onBytes(s *stream, data []byte) bool {
	held := s.in
	if len(held) > 0 {
		c.unread -= len(held)
		s.in = nil
		held = append(held, data...)
		data = held
	}
	whole := false
	for {
		message, rest, err := c.message(data)
		if err != nil {
			c.end(s, status.Convert(err))
			return false
		}
		if message == nil {
			break
		}
		data, whole = rest, true
		if !c.onMessage(s, message) {
			return false
		}
	}
	if len(data) == 0 {
		return true
	}
	if len(held) > 0 && !whole {
		s.in = held // which has it: to copy it again and again would cost the square of its length
	} else {
		s.in = append(held[:0], data...)
	}
	if c.unread += len(s.in); c.unread > maxUnread {
		c.end(s, status.New(codes.ResourceExhausted, "too many messages have begun on this connection"))
		return false
	}
	return true
}

// message takes a whole message off data, nil if there is none.
func (c *conn) message(data []byte) (message, rest []byte, err error) {
	if len(data) < prefixBytes {
		return nil, data, nil
	}
	size := int64(binary.BigEndian.Uint32(data[1:]))
	switch {
	case size > int64(c.server.MaxMessageBytes):
		return nil, nil, status.Error(codes.ResourceExhausted,
			fmt.Sprintf("the message has %d bytes, more than %d", size, c.server.MaxMessageBytes))
	case data[0] == 1: // where the stream names no encoding, as those that are here
		return nil, nil, status.Error(codes.Internal, "the message is compressed, and the stream has no encoding")
	case data[0] != 0:
		return nil, nil, status.Error(codes.Internal, "the message's prefix is malformed")
	case int64(len(data)) < prefixBytes+size:
		return nil, data, nil
	}
	end := prefixBytes + int(size)
	return data[prefixBytes:end:end], data[end:], nil
}

// onMessage takes a message. It reports whether the stream still goes on.
func (c *conn) onMessage(s *stream, message []byte) bool {
	switch {
	case s.health != 0:
		return c.onHealth(s, message)
	case s.relay != nil:
		if !s.relay.send(message) {
			c.end(s, status.New(codes.ResourceExhausted, "the message is too large for this service, or too many wait"))
			return false
		}
		return true
	}
	c.scratch = append(c.scratch[:0], make([]byte, prefixBytes)...)
	replied, more, err := s.process.Step(message, c.scratch)
	if c.scratch = replied[:0]; cap(replied) > flushBytes {
		c.scratch = nil
	}
	if err != nil {
		c.end(s, status.Convert(err))
		return false
	}
	if len(replied) > prefixBytes {
		binary.BigEndian.PutUint32(replied[1:], uint32(len(replied)-prefixBytes))
		c.send(s, replied)
	}
	if !more {
		c.end(s, nil)
	}
	return more
}

// onEnd takes the client's end of a stream.
func (c *conn) onEnd(s *stream) error {
	s.halfClosed = true
	switch {
	case s.ending != nil:
	case len(s.in) > 0:
		c.end(s, status.New(codes.Internal, "the stream ended in the middle of a message"))
	case s.relay != nil:
		s.relay.closeSend()
	case s.process != nil:
		c.end(s, nil)
	case !s.told: // of health: nothing was asked
		c.end(s, status.New(codes.Internal, "the request has no message"))
	}
	return nil
}
