package extproc

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/corsproc/corsproc/policy"
)

// Hooks are told what happens. They run on the stream's goroutine and must be quick. They must keep nothing of the request,
// nor of what the decision took from it: the next request is written over it. A nil hook is not called.
type Hooks struct {
	StreamStarted func()
	// StreamEnded is told the status that a stream ended with. Every normal end is [codes.OK]: Envoy closes, resets or
	// times out a stream whose HTTP request is over, and we end one as soon as there is nothing left to say.
	StreamEnded func(code codes.Code)
	// Received is called for every message that could be read.
	Received func(Phase)
	// Decided is called once per HTTP request, before Envoy is answered. It is told the set that decided, and how long it
	// took to read the facts and to decide.
	Decided func(set *policy.Set, r *policy.Request, d *policy.Decision, took time.Duration)
	// Observe is called when a stream begins, with its traceparent and tracestate (W3C Trace Context), empty if it has none.
	// It returns who is told about that stream, or nil. Without this hook, those headers are not kept.
	Observe func(traceparent, tracestate string) *Observer
	// Panicked is told of a bug of ours: what was recovered, and the stack it came from. The stream ends with
	// [codes.Internal] and the process goes on.
	Panicked func(recovered any, stack []byte)
}

// Observer is told about one stream, on the stream's goroutine. It must not keep anything of the decision but names, which
// are the set's.
type Observer struct {
	// Decided is called as [Hooks.Decided] is.
	Decided func(d *policy.Decision, took time.Duration)
	// Ended is called last, with what [Hooks.StreamEnded] is told.
	Ended func(code codes.Code)
}

// Server begins streams.
type Server struct {
	current func() *policy.Set
	hooks   Hooks
}

// New returns a server that decides by the set that current returns when a stream begins. Both phases of a request use
// that one set, whatever is loaded in between. current must be safe for concurrent use and must not return nil.
func New(current func() *policy.Set, hooks Hooks) *Server {
	if hooks.StreamStarted == nil {
		hooks.StreamStarted = func() {}
	}
	if hooks.StreamEnded == nil {
		hooks.StreamEnded = func(codes.Code) {}
	}
	if hooks.Received == nil {
		hooks.Received = func(Phase) {}
	}
	if hooks.Decided == nil {
		hooks.Decided = func(*policy.Set, *policy.Request, *policy.Decision, time.Duration) {}
	}
	if hooks.Panicked == nil {
		hooks.Panicked = func(any, []byte) {}
	}
	return &Server{current: current, hooks: hooks}
}

// Observes reports whether [Server.Begin] wants to know the trace that a stream belongs to.
func (s *Server) Observes() bool { return s.hooks.Observe != nil }
