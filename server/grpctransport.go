package server

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"runtime/debug"
	"sync"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/loop"
)

// grpcTransport is grpc-go alone. It carries the same streams as the loop does, and is what the loop is held against.
type grpcTransport struct {
	*grpc.Server
	extproc *extproc.Server
	health  *health.Server
	hooks   extproc.Hooks
	conns   *connLimit
	greets  *greetings
	ending  func()
}

func newGRPCTransport(s *Settings, conns *connLimit, hooks extproc.Hooks, current func() *extproc.Prepared) *grpcTransport {
	streams := s.MaxConcurrentStreams
	if streams == 0 {
		streams = math.MaxUint32
	}
	ending := make(chan struct{})
	t := &grpcTransport{extproc: extproc.New(current, hooks), hooks: hooks, conns: conns, ending: sync.OnceFunc(func() { close(ending) })}
	t.greets = newGreetings(conns.greeted)
	t.Server = grpc.NewServer(
		grpc.ForceServerCodecV2(loop.Bytes{}),
		grpc.MaxRecvMsgSize(s.MaxMessageBytes),
		grpc.MaxConcurrentStreams(streams),
		grpc.MaxHeaderListSize(loop.MaxHeaderList),
		grpc.ConnectionTimeout(handshakeTimeout),
		// Envoys ping idle connections too, as often as they are told to. grpc-go would end those connections, with all streams.
		// To answer a ping costs nothing that is kept.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Nanosecond, PermitWithoutStream: true}),
		grpc.ChainStreamInterceptor(t.around, endWatches(ending)),
	)
	t.Server.RegisterService(&grpc.ServiceDesc{
		ServiceName: extprocv3.ExternalProcessor_ServiceDesc.ServiceName,
		Metadata:    extprocv3.ExternalProcessor_ServiceDesc.Metadata,
		Streams:     []grpc.StreamDesc{{StreamName: "Process", Handler: t.process, ServerStreams: true, ClientStreams: true}},
	}, nil)
	t.health = register(t.Server, s)
	return t
}

// process carries one stream.
func (t *grpcTransport) process(_ any, stream grpc.ServerStream) (err error) {
	var parent, state string
	if t.extproc.Observes() {
		md, _ := metadata.FromIncomingContext(stream.Context())
		parent, state = loop.TraceContext(md.Get("traceparent"), md.Get("tracestate"))
	}
	s := t.extproc.Begin(parent, state)
	code := codes.Internal // where we panic
	defer func() { s.End(code) }()
	err, code = t.messages(s, stream)
	return err
}

// messages carries the messages of a stream until it ends. It returns how it ends for the client, and how for us: a client
// that has gone away is a normal end.
func (t *grpcTransport) messages(s *extproc.Stream, stream grpc.ServerStream) (error, codes.Code) {
	for {
		var in []byte
		switch err := stream.RecvMsg(&in); {
		case errors.Is(err, io.EOF), err != nil && stream.Context().Err() == context.Canceled:
			return nil, codes.OK
		case err != nil:
			return err, status.Code(err)
		}
		out, more, err := s.Step(in, nil) // which grpc-go keeps until it has sent it
		if err != nil {
			return err, status.Code(err)
		}
		if len(out) > 0 {
			if err := stream.SendMsg(&out); err != nil {
				return err, codes.OK // the client has gone away
			}
		}
		if !more {
			return nil, codes.OK
		}
	}
}

// around notes that a connection is used, and lets a bug of ours cost one stream, not the process.
func (t *grpcTransport) around(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	if p, ok := peer.FromContext(stream.Context()); ok {
		if from, ok := p.Addr.(greetAddr); ok {
			t.conns.used(from.conn.Conn)
		}
	}
	defer func() {
		if r := recover(); r != nil {
			t.hooks.Panicked(r, debug.Stack())
			err = status.Error(codes.Internal, "internal error")
		}
	}()
	return handler(srv, stream)
}

// endWatches ends the streams that watch health when ending is closed: such a stream never ends by itself, and would hold up
// every stop.
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

func (t *grpcTransport) Serve(l net.Listener) error {
	if err := t.Server.Serve(t.greets.wrap(l)); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

func (t *grpcTransport) GracefulStop() {
	t.ending()
	// grpc-go waits for those who have not said HTTP/2 yet, too.
	late := time.AfterFunc(stopGreeting, t.greets.end)
	defer late.Stop()
	t.Server.GracefulStop()
}

func (t *grpcTransport) Stop() {
	t.ending()
	t.greets.end()
	t.Server.Stop()
}

// stopGreeting is how long a client that is saying HTTP/2 when a stop begins may take for it.
const stopGreeting = time.Second

func (t *grpcTransport) setServing(serving bool) { setHealth(t.health, serving) }

func (t *grpcTransport) close() {}
