// Package grpcgo carries Envoy's external-processing streams by grpc-go alone: the same streams as package loop. The loop is
// held against it; FuzzTransportsAgree of package server sends both the same.
//
// Start reading at server.go; greetings.go has the connections that have not said HTTP/2 yet. Like the loop, the package knows
// nothing of policies.
package grpcgo

// Tested by server/transports_test.go and server/differential_test.go.

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/loop"
)

// Options are what a server is made of. They mean what they mean for [loop.Server].
type Options struct {
	// Process answers the streams of ext_proc.
	Process *extproc.Server
	// MaxMessageBytes bounds a gRPC message. One that is larger ends its stream with RESOURCE_EXHAUSTED.
	MaxMessageBytes int
	// MaxConcurrentStreams bounds the open streams of a connection. 0: no limit.
	MaxConcurrentStreams uint32
	// HandshakeTimeout is how long a new connection may take to say HTTP/2.
	HandshakeTimeout time.Duration
	// Greeted is told of a connection that has said HTTP/2, and says whether it may stay. It may be nil.
	Greeted func(net.Conn) bool
	// Used is told of a connection on which a stream is opened, of the first one and maybe of more. It may be nil.
	Used func(net.Conn)
	// Panicked is told of a bug of ours: what was recovered, and the stack it came from. It may be nil.
	Panicked func(recovered any, stack []byte)
}

// Server serves connections. Other services are registered before the first [Server.Serve].
type Server struct {
	*grpc.Server
	options Options
	greets  *greetings
	ending  func()
	cut     atomic.Bool // Stop was called
}

// New returns a server that has ext_proc and no other service.
func New(o Options) *Server {
	streams := o.MaxConcurrentStreams
	if streams == 0 {
		streams = math.MaxUint32
	}
	ending := make(chan struct{})
	t := &Server{options: o, ending: sync.OnceFunc(func() { close(ending) })}
	t.greets = newGreetings(o.Greeted)
	t.Server = grpc.NewServer(
		grpc.ForceServerCodecV2(loop.Bytes{}),
		grpc.MaxRecvMsgSize(o.MaxMessageBytes),
		grpc.MaxConcurrentStreams(streams),
		grpc.MaxHeaderListSize(loop.MaxHeaderList),
		grpc.ConnectionTimeout(o.HandshakeTimeout),
		// Envoys ping as often as they are configured to, also on idle connections. By default grpc-go would end such a
		// connection with all its streams. Answering a ping keeps nothing.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Nanosecond, PermitWithoutStream: true}),
		grpc.ChainStreamInterceptor(t.around, endWatches(ending)),
	)
	t.RegisterService(&grpc.ServiceDesc{
		ServiceName: extprocv3.ExternalProcessor_ServiceDesc.ServiceName,
		Metadata:    extprocv3.ExternalProcessor_ServiceDesc.Metadata,
		Streams:     []grpc.StreamDesc{{StreamName: "Process", Handler: t.process, ServerStreams: true, ClientStreams: true}},
	}, nil)
	return t
}

// process carries one stream.
func (t *Server) process(_ any, stream grpc.ServerStream) (err error) {
	var parent, state string
	if t.options.Process.Observes() {
		md, _ := metadata.FromIncomingContext(stream.Context())
		parent, state = loop.TraceContext(md.Get("traceparent"), md.Get("tracestate"))
	}
	s := t.options.Process.Begin(parent, state)
	code := codes.Internal // where we panic
	defer func() { s.End(code) }()
	code, err = t.messages(s, stream)
	return err
}

// messages carries the messages of a stream until it ends. It returns the code that we count, OK also if the client has gone
// away, and the error that the client gets.
func (t *Server) messages(s *extproc.Stream, stream grpc.ServerStream) (codes.Code, error) {
	for {
		var in []byte
		switch err := stream.RecvMsg(&in); {
		case err == io.EOF:
			return codes.OK, nil
		case status.Code(err) == codes.Canceled && t.cut.Load():
			return codes.Unavailable, err // what clients call it
		case status.Code(err) == codes.Canceled && late(stream.Context()):
			return codes.DeadlineExceeded, err
		case status.Code(err) == codes.Canceled:
			return codes.OK, nil
		case err != nil:
			return status.Code(err), err
		}
		out, more, err := s.Step(in, nil) // which grpc-go keeps until it has sent it
		if err != nil {
			return status.Code(err), err
		}
		if len(out) > 0 {
			if err := stream.SendMsg(&out); err != nil {
				return codes.OK, err // the client has gone away
			}
		}
		if !more {
			return codes.OK, nil
		}
	}
}

// late reports whether the time of a stream's grpc-timeout is over. grpc-go then resets it, as if its client had.
func late(ctx context.Context) bool {
	by, ok := ctx.Deadline()
	return ok && !time.Now().Before(by)
}

// around notes that a connection is used, and lets a bug of ours cost one stream, not the process.
func (t *Server) around(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	if p, ok := peer.FromContext(stream.Context()); ok && t.options.Used != nil {
		if from, ok := p.Addr.(greetAddr); ok {
			t.options.Used(from.conn.Conn)
		}
	}
	defer func() {
		if r := recover(); r != nil {
			if t.options.Panicked != nil {
				t.options.Panicked(r, debug.Stack())
			}
			err = status.Error(codes.Internal, "internal error")
		}
	}()
	return handler(srv, stream)
}

// endWatches ends the streams that watch health when ending is closed. They never end by themselves, and would hold up every
// stop.
func endWatches(ending <-chan struct{}) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		if info.FullMethod != healthv1.Health_Watch_FullMethodName {
			return handler(srv, stream)
		}
		ctx, cancel := context.WithCancel(stream.Context())
		defer cancel()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-ending:
				cancel()
			case <-stop:
			}
		}()
		return handler(srv, watchStream{stream, ctx})
	}
}

// watchStream is a stream with a context of its own.
type watchStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s watchStream) Context() context.Context { return s.ctx }

// Serve accepts connections until the server is stopped, which is no error, or until the listener fails.
func (t *Server) Serve(l net.Listener) error {
	if err := t.Server.Serve(t.greets.wrap(l)); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// GracefulStop takes no more connections and streams, and returns when those that are open have ended.
func (t *Server) GracefulStop() {
	t.ending()
	// grpc-go waits for those who have not said HTTP/2 yet, too.
	late := time.AfterFunc(stopGreeting, t.greets.end)
	defer late.Stop()
	t.Server.GracefulStop()
}

// Stop ends everything at once, and returns when nothing is served any more.
func (t *Server) Stop() {
	t.cut.Store(true)
	t.ending()
	t.greets.end()
	t.Server.Stop()
}

// stopGreeting is how long a client that is saying HTTP/2 when a stop begins may take for it.
const stopGreeting = time.Second
