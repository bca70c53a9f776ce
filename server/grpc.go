package server

import (
	"context"
	"net"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/test/bufconn"

	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/loop"
)

// healthServices are the names that gRPC health answers for: the process as a whole, and the one service it has.
var healthServices = []string{"", extprocv3.ExternalProcessor_ServiceDesc.ServiceName}

// handshakeTimeout is how long a new connection may take to say HTTP/2. Without one it could hold its place for ever.
const handshakeTimeout = 10 * time.Second

// transport is what answers on the listeners: the loop for ext_proc, and a gRPC server in this process, to which the loop
// relays what is asked for rarely.
type transport struct {
	*loop.Server
	health *health.Server
	others *grpc.Server
	conn   *grpc.ClientConn
}

// newTransport returns the transport. Its health says NOT_SERVING until it is told otherwise. Once ending is closed, nobody
// is left watching health: such a stream never ends by itself, and would hold up every stop.
func newTransport(s *Settings, conns *connLimit, hooks extproc.Hooks, current func() *extproc.Prepared, ending <-chan struct{}) (*transport, error) {
	g := grpc.NewServer(grpc.MaxRecvMsgSize(s.MaxMessageBytes), grpc.StreamInterceptor(endWatches(ending)))
	h := health.NewServer()
	setHealth(h, healthv1.HealthCheckResponse_NOT_SERVING)
	healthv1.RegisterHealthServer(g, h)
	reflected := reflection.ServerOptions{Services: services{g}}
	reflectionv1.RegisterServerReflectionServer(g, reflection.NewServerV1(reflected))
	reflectionv1alpha.RegisterServerReflectionServer(g, reflection.NewServer(reflected))

	listener := bufconn.Listen(pipeBytes)
	go func() { _ = g.Serve(listener) }() // until g is stopped
	conn, err := grpc.NewClient("passthrough:///others", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		g.Stop()
		return nil, err
	}
	return &transport{
		Server: &loop.Server{
			Process: extproc.New(current, hooks), Path: extprocv3.ExternalProcessor_Process_FullMethodName, Others: conn,
			MaxMessageBytes: s.MaxMessageBytes, MaxConcurrentStreams: s.MaxConcurrentStreams, HandshakeTimeout: handshakeTimeout,
			Greeted: conns.greeted, Used: conns.used, Panicked: hooks.Panicked,
		},
		health: h, others: g, conn: conn,
	}, nil
}

// pipeBytes is how much is on its way to the gRPC server in this process, and back.
const pipeBytes = 64 << 10

// close ends what is left when nothing is served any more.
func (t *transport) close() {
	t.conn.Close()
	t.others.Stop()
}

// services are those that reflection tells of: ExternalProcessor too, which the gRPC server does not have.
type services struct{ *grpc.Server }

func (s services) GetServiceInfo() map[string]grpc.ServiceInfo {
	all := s.Server.GetServiceInfo()
	all[extprocv3.ExternalProcessor_ServiceDesc.ServiceName] = grpc.ServiceInfo{Metadata: extprocv3.ExternalProcessor_ServiceDesc.Metadata}
	return all
}

func setHealth(h *health.Server, status healthv1.HealthCheckResponse_ServingStatus) {
	for _, service := range healthServices {
		h.SetServingStatus(service, status)
	}
}

// endWatches ends the streams that watch health when ending is closed.
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
