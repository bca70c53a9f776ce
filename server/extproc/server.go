package extproc

import (
	"io"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/corsproc/corsproc/policy"
)

// Hooks are told what happens. They run on the stream's goroutine, so they must be quick, and they must not keep anything
// of the request or of what the decision took from it: the next request's text is written over it. A nil hook is not
// called.
type Hooks struct {
	StreamStarted func()
	// StreamEnded is told the status that a stream ended with. Every normal end is [codes.OK]: Envoy closes, resets or
	// times out a stream whose HTTP request is over, and we end one as soon as there is nothing left to say.
	StreamEnded func(code codes.Code)
	// Decided is called once per HTTP request, before Envoy is answered. It is told how long it took to read the facts
	// and to decide.
	Decided func(p *Prepared, r *policy.Request, d *policy.Decision, took time.Duration)
	// Panicked is told of a bug of ours: what was recovered, and the stack it came from. The stream ends with
	// [codes.Internal] and the process goes on.
	Panicked func(recovered any, stack []byte)
}

// Server implements the ExternalProcessor service.
type Server struct {
	current func() *Prepared
	hooks   Hooks
}

var _ extprocv3.ExternalProcessorServer = (*Server)(nil)

// New returns a server that decides by the set that current returns when a stream begins. Both phases of a request use
// that one set, whatever is loaded in between. current must be safe for concurrent use and must not return nil.
func New(current func() *Prepared, hooks Hooks) *Server {
	if hooks.StreamStarted == nil {
		hooks.StreamStarted = func() {}
	}
	if hooks.StreamEnded == nil {
		hooks.StreamEnded = func(codes.Code) {}
	}
	if hooks.Decided == nil {
		hooks.Decided = func(*Prepared, *policy.Request, *policy.Decision, time.Duration) {}
	}
	if hooks.Panicked == nil {
		hooks.Panicked = func(any, []byte) {}
	}
	return &Server{current: current, hooks: hooks}
}

// Process serves one stream of a gRPC server that has [Codec]: strictly receive, decide, send, on the goroutine that grpc
// gave us. So there is nothing to lock, and replies leave in the order of their messages.
func (s *Server) Process(rpc grpc.BidiStreamingServer[extprocv3.ProcessingRequest, extprocv3.ProcessingResponse]) (err error) {
	st := s.Begin()
	defer func() { st.End(status.Code(err)) }()
	in, out := new(frame), new(frame)
	for {
		if err := rpc.RecvMsg(in); err != nil {
			return abnormal(err)
		}
		var more bool
		if out.bytes, more, err = st.Step(in.bytes, out.bytes[:0]); err != nil {
			return err
		}
		if len(out.bytes) > 0 {
			if err := rpc.SendMsg(out); err != nil {
				return abnormal(err)
			}
		}
		if !more {
			return nil
		}
	}
}

// abnormal returns the error of a Recv or Send, or nil where it is how streams end every day. Envoy half-closes or
// resets a stream of which it wants nothing more, also in the middle of an exchange when its client is gone: EOF and
// Canceled are the same to us, and neither is worth an error in a log or a metric. The error is classified by its
// status, for grpc never returns context.Canceled itself.
func abnormal(err error) error {
	if err == io.EOF {
		return nil
	}
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded:
		return nil
	}
	return err
}
