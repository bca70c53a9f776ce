package extproc

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/corsproc/corsproc/policy"
)

// stream is the state of one stream. The zero state with a prepared set is that of a stream that has just begun.
type stream struct {
	prepared *Prepared
	decided  func(p *Prepared, r *policy.Request, d *policy.Decision, took time.Duration)

	opened   bool // the first message was seen
	state    state
	relay    relay
	request  policy.Request
	decision policy.Decision
}

// state is how far the headers have come. Bodies and trailers change nothing.
type state uint8

const (
	begun    state = iota // no headers were seen
	awaiting              // the request is decided and goes on; its response's headers may come
	answered              // the response's headers were answered, nothing is left to decide
)

// next says what becomes of the stream after a step.
type next bool

const (
	end next = false // it has ended well: Envoy passes on the rest of the HTTP stream untouched
	on  next = true
)

// step takes one message of Envoy's. It returns the reply, nil for none, and whether the stream goes on. An error is
// the status with which the stream ends.
//
// Every message gets the reply of its own kind, also those that we never ask for: silence would cost the user Envoy's
// message timeout and then the request.
func (s *stream) step(m *message) (*reply, next, error) {
	if !s.opened {
		s.opened = true
		s.relay = relayOf(m)
	}
	out, next, err := s.dispatch(m)
	if observed(m) {
		// In observability mode Envoy goes on without waiting and ignores replies. The request is decided and counted,
		// which is what a dry run of a roll-out is for, and nothing is sent.
		out = nil
	}
	return out, next, err
}

func (s *stream) dispatch(m *message) (*reply, next, error) {
	switch kindOf(m) {
	case requestHeaders:
		return s.onRequestHeaders(m)
	case responseHeaders:
		return s.onResponseHeaders(m)
	}
	if out := unchanged(m, s.relay); out != nil {
		return out, on, nil
	}
	return nil, end, status.Error(codes.InvalidArgument, "the message has no phase that this server knows")
}

func (s *stream) onRequestHeaders(m *message) (*reply, next, error) {
	switch s.state {
	case awaiting:
		return nil, end, status.Error(codes.InvalidArgument, "a second request_headers message on one stream")
	case answered:
		return nil, end, status.Error(codes.InvalidArgument, "a request_headers message after response_headers")
	}
	start := time.Now()
	readRequest(m, &s.request)
	s.decide(start)
	s.state = awaiting

	switch s.decision.Action() {
	case policy.Respond:
		// Envoy has no response phase for it, and no use for anything after it.
		return s.prepared.immediate(&s.decision), end, nil
	case policy.Pass:
		return s.prepared.pass(&s.decision, s.relay), s.rest(), nil
	}
	return s.prepared.goOn(&s.decision), on, nil
}

func (s *stream) onResponseHeaders(m *message) (*reply, next, error) {
	first := s.state == begun
	switch s.state {
	case begun:
		// A local reply of an earlier filter, or a configuration without the request phase: Envoy tells of the request
		// in attributes.
		start := time.Now()
		readAnswered(m, &s.request)
		s.decide(start)
	case answered:
		return nil, end, status.Error(codes.InvalidArgument, "a second response_headers message on one stream")
	}
	s.state = answered

	out := unchanged(m, s.relay)
	if s.decision.Action() == policy.Adjust {
		out = mutation(&s.decision, varyLines(m))
	}
	if first {
		out.DynamicMetadata = s.prepared.metadata(&s.decision)
	}
	return out, s.rest(), nil
}

func (s *stream) decide(start time.Time) {
	s.decision = s.prepared.set.Decide(&s.request)
	s.decided(s.prepared, &s.request, &s.decision, time.Since(start))
}

// rest says what becomes of the stream once there is nothing left to decide. It ends, which saves Envoy a message and
// both sides an open stream for as long as the upstream works: to Envoy an end with OK is no failure at any time, also in
// place of a reply that it awaits, and whatever it still holds of headers, bodies and trailers then passes untouched.
//
// That is so in every body mode but those in which Envoy keeps no copy of what it has sent us. There the rest of the
// body would be lost, and the stream goes on until Envoy ends it.
func (s *stream) rest() next {
	if s.relay.any() {
		return on
	}
	return end
}
