package server

import (
	"context"
	"math"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/corsproc/corsproc/server/extproc"
)

// healthServices are the names that gRPC health answers for: the process as a whole, and the one service it has.
var healthServices = []string{"", extprocv3.ExternalProcessor_ServiceDesc.ServiceName}

const (
	// minPing is how often Envoy may send HTTP/2 keepalive pings, also without streams. grpc-go by itself takes more than
	// one in five minutes for an attack, and closes the connection.
	minPing = 10 * time.Second
	// handshakeTimeout is how long a new connection may take to say HTTP/2. Without one it could hold its place for two
	// minutes.
	handshakeTimeout = 10 * time.Second
)

// newGRPC returns the gRPC server, and its health, which says NOT_SERVING until it is told otherwise. Once ending is
// closed, nobody is left watching health: such a stream never ends by itself, and would hold up every stop.
func newGRPC(s *Settings, service extprocv3.ExternalProcessorServer, ending <-chan struct{}) (*grpc.Server, *health.Server) {
	streams := s.MaxConcurrentStreams
	if streams == 0 {
		streams = math.MaxUint32
	}
	g := grpc.NewServer(
		grpc.ForceServerCodecV2(extproc.Codec()),
		grpc.MaxRecvMsgSize(s.MaxMessageBytes),
		grpc.MaxConcurrentStreams(streams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.StreamInterceptor(endWatches(ending)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
	)
	extprocv3.RegisterExternalProcessorServer(g, service)
	h := health.NewServer()
	setHealth(h, healthv1.HealthCheckResponse_NOT_SERVING)
	healthv1.RegisterHealthServer(g, h)
	reflection.Register(g)
	return g, h
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
