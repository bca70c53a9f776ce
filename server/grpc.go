package server

// Tested by transports_test.go.

import (
	"net"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/loop"
)

// healthServices are the names that gRPC health answers for: the process as a whole, and the one service it has.
var healthServices = []string{"", extprocv3.ExternalProcessor_ServiceDesc.ServiceName}

// handshakeTimeout is how long a new connection may take to say HTTP/2. Without one it could hold its slot for ever.
const handshakeTimeout = 10 * time.Second

// transport is what answers on the listeners: ext_proc, health and reflection.
type transport interface {
	// Serve serves the connections of a listener until the transport is stopped, which is no error.
	Serve(net.Listener) error
	// GracefulStop takes no more connections and streams, and returns when those that are open have ended.
	GracefulStop()
	// Stop ends everything at once. GracefulStop returns then, too.
	Stop()
	// setServing says what health answers from now on. Until then it is NOT_SERVING.
	setServing(bool)
	// close frees what is left after Stop or GracefulStop.
	close()
}

// newTransport returns the transport that the settings name. It tells conns how far each connection has come. The loop calls
// ended when it ends a connection; grpc-go does not tell.
func newTransport(s *Settings, conns *connLimit, hooks extproc.Hooks, ended func(loop.Ended), current func() *policy.Set) (transport, error) {
	switch {
	case len(s.Listen) == 0:
		return noTransport{}, nil
	case s.Transport == TransportGRPC:
		return newGRPCTransport(s, conns, hooks, current), nil
	}
	return newLoopTransport(s, conns, hooks, ended, current)
}

// noTransport is that of a process without listeners: it is never asked to serve one, and has ended at once.
type noTransport struct{}

func (noTransport) Serve(net.Listener) error { return nil }
func (noTransport) GracefulStop()            {}
func (noTransport) Stop()                    {}
func (noTransport) setServing(bool)          {}
func (noTransport) close()                   {}

// register adds health and, if the settings want it, reflection to a gRPC server. It returns the state of health.
func register(g *grpc.Server, s *Settings) *health.Server {
	h := health.NewServer()
	setHealth(h, false)
	healthv1.RegisterHealthServer(g, h)
	if s.Reflection {
		reflected := reflection.ServerOptions{Services: services{g}}
		reflectionv1.RegisterServerReflectionServer(g, reflection.NewServerV1(reflected))
		reflectionv1alpha.RegisterServerReflectionServer(g, reflection.NewServer(reflected))
	}
	return h
}

// services are what reflection lists: those of the gRPC server, and ExternalProcessor, which is served elsewhere.
type services struct{ *grpc.Server }

func (s services) GetServiceInfo() map[string]grpc.ServiceInfo {
	all := s.Server.GetServiceInfo()
	all[extprocv3.ExternalProcessor_ServiceDesc.ServiceName] = grpc.ServiceInfo{Metadata: extprocv3.ExternalProcessor_ServiceDesc.Metadata}
	return all
}

func setHealth(h *health.Server, serving bool) {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if serving {
		status = healthv1.HealthCheckResponse_SERVING
	}
	for _, service := range healthServices {
		h.SetServingStatus(service, status)
	}
}
