package extproc

// Tested by server_test.go and exchange_test.go.

import (
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
)

// Stream is one stream of Envoy's, which is one HTTP request. [Server.Begin] begins it, [Stream.Step] takes each message in
// their order, and [Stream.End] ends it. It is not safe for concurrent use. After its end it must not be used: it serves
// another request then.
//
// It knows nothing of how messages travel.
type Stream struct {
	server   *Server
	set      *policy.Set
	observer *Observer // nil: nobody looks at this stream

	opened     bool // the first message was seen
	state      state
	fullDuplex fullDuplex
	facts      facts
	decision   policy.Decision
}

// state is how far the headers have come. Bodies and trailers change nothing.
type state uint8

const (
	atStart              state = iota // no headers were seen
	afterRequestHeaders               // the request is decided and goes on; its response's headers may come
	afterResponseHeaders              // nothing is left to decide
)

// next says what becomes of the stream after a step.
type next bool

const (
	end next = false // it has ended well: Envoy passes on the rest of the HTTP stream untouched
	on  next = true
)

// streams holds ended streams for others to come.
var streams = sync.Pool{New: func() any { return new(Stream) }}

// Begin begins a stream, with the headers of W3C Trace Context that it carries where the server [Server.Observes]. It will
// decide by the set that is current now.
func (s *Server) Begin(traceparent, tracestate string) *Stream {
	s.hooks.StreamStarted()
	st := streams.Get().(*Stream)
	st.server, st.set = s, s.current()
	if s.hooks.Observe != nil {
		st.observer = s.hooks.Observe(traceparent, tracestate)
	}
	return st
}

// End ends the stream. Every normal end is [codes.OK].
func (s *Stream) End(code codes.Code) {
	s.server.hooks.StreamEnded(code)
	if s.observer != nil {
		s.observer.Ended(code)
	}
	s.facts.reset()
	*s = Stream{facts: s.facts}
	streams.Put(s)
}

// Step takes one message of Envoy's, encoded, of which it keeps nothing. It appends the reply to out, nothing where there
// is none, and reports whether the stream goes on. An error is the status with which the stream ends.
//
// Every message gets the reply of its own phase, also those that we never ask for: silence would cost the user Envoy's
// message timeout and then the request.
func (s *Stream) Step(message, out []byte) (replied []byte, more bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.server.hooks.Panicked(r, debug.Stack())
			replied, more, err = out, false, status.Error(codes.Internal, "internal error")
		}
	}()
	replied, next, err := s.step(message, out)
	return replied, next == on, err
}

func (s *Stream) step(message, out []byte) ([]byte, next, error) {
	start := time.Now()
	var in inbound
	err := in.read(message)
	if err == nil {
		replied, next, err := s.headers(&in, out, start)
		if err != errUnusual {
			return replied, next, err
		}
	}
	m, err := unmarshal(message)
	if err != nil {
		return out, end, status.Error(codes.Internal, "the message is malformed")
	}
	if m.GetRequestHeaders() == nil && m.GetResponseHeaders() == nil {
		return s.rest(m, out)
	}
	if message, err = rewritten(m); err == nil {
		if err = in.read(message); err == nil {
			return s.headers(&in, out, start)
		}
	}
	return out, end, status.Errorf(codes.Internal, "the message cannot be read: %v", err)
}

// headers takes a message about headers. Nothing has happened yet where it returns errUnusual.
func (s *Stream) headers(in *inbound, out []byte, start time.Time) (replied []byte, next next, err error) {
	if in.phase == PhaseRequestHeaders {
		replied, next, err = s.onRequestHeaders(in, out, start)
	} else {
		replied, next, err = s.onResponseHeaders(in, out, start)
	}
	if err == errUnusual {
		return out, end, err
	}
	s.server.hooks.Received(in.phase)
	if in.observed {
		// In observability mode Envoy goes on without waiting and ignores replies. The request is decided and counted,
		// which is what a dry run of a roll-out is for, and nothing is sent.
		replied = out
	}
	return replied, next, err
}

func (s *Stream) onRequestHeaders(in *inbound, out []byte, start time.Time) ([]byte, next, error) {
	switch s.state {
	case afterRequestHeaders:
		return out, end, status.Error(codes.InvalidArgument, "a second request_headers message on one stream")
	case afterResponseHeaders:
		return out, end, status.Error(codes.InvalidArgument, "a request_headers message after response_headers")
	}
	if err := s.facts.readRequest(in); err != nil {
		return out, end, err
	}
	s.open(in.fullDuplex)
	s.decide(start)
	s.state = afterRequestHeaders

	switch s.decision.Action() {
	case policy.Respond:
		// Envoy has no response phase for it, and no use for anything after it.
		return appendImmediate(out, &s.decision), end, nil
	case policy.Pass:
		return appendPass(out, &s.decision, s.fullDuplex), s.done(), nil
	}
	return appendGoOn(out, &s.decision), on, nil
}

func (s *Stream) onResponseHeaders(in *inbound, out []byte, start time.Time) ([]byte, next, error) {
	if s.state == afterResponseHeaders {
		return out, end, status.Error(codes.InvalidArgument, "a second response_headers message on one stream")
	}
	first := s.state == atStart
	if first {
		// A local reply of an earlier filter, or a configuration without the request phase: Envoy tells of the request
		// in attributes.
		if err := s.facts.readAnswered(in); err != nil {
			return out, end, err
		}
	}
	var vary, exposed [4]string
	lines, err := s.facts.readUpstream(upstream{vary[:0], exposed[:0]}, in)
	if err != nil {
		return out, end, err
	}
	s.open(in.fullDuplex)
	if first {
		s.decide(start)
	}
	s.state = afterResponseHeaders

	if s.decision.Action() == policy.Adjust {
		out = appendAdjust(out, &s.decision, &lines)
	} else {
		out = appendLeave(out)
	}
	if first {
		out = appendMetadata(out, &s.decision)
	}
	return out, s.done(), nil
}

// rest takes a message about anything but headers.
func (s *Stream) rest(m *processingRequest, out []byte) ([]byte, next, error) {
	s.server.hooks.Received(PhaseOther)
	c := m.GetProtocolConfig()
	s.open(fullDuplex{request: isFullDuplex(c.GetRequestBodyMode()), response: isFullDuplex(c.GetResponseBodyMode())})
	r := unchanged(m, s.fullDuplex)
	if r == nil {
		return out, end, status.Error(codes.InvalidArgument, "the message has no phase that this server knows")
	}
	if m.GetObservabilityMode() {
		return out, on, nil
	}
	out, err := proto.MarshalOptions{}.MarshalAppend(out, r)
	return out, on, err
}

// open takes note of what the first message of a stream announces.
func (s *Stream) open(bodies fullDuplex) {
	if !s.opened {
		s.opened, s.fullDuplex = true, bodies
	}
}

func (s *Stream) decide(start time.Time) {
	s.decision = s.set.Decide(&s.facts.request)
	took := time.Since(start)
	s.server.hooks.Decided(s.set, &s.facts.request, &s.decision, took)
	if s.observer != nil {
		s.observer.Decided(&s.decision, took)
	}
}

// done says what becomes of the stream when nothing is left to decide. It ends. That saves Envoy a message, and both sides an
// open stream for as long as the upstream works. To Envoy an end with OK is no failure at any time, not even instead of a
// reply that it awaits. It then passes on what it still holds of headers, bodies and trailers untouched.
//
// Only in the full-duplex body modes the stream goes on until Envoy ends it: Envoy keeps no copy of the body there, and
// what it has sent us would be lost.
func (s *Stream) done() next {
	if s.fullDuplex.any() {
		return on
	}
	return end
}
