package server

// Tested by transports_test.go and differential_test.go.

import (
	"google.golang.org/grpc/health"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/grpcgo"
)

// grpcTransport is grpc-go, for everything.
type grpcTransport struct {
	*grpcgo.Server
	health *health.Server
}

func newGRPCTransport(s *Settings, conns *connLimit, hooks extproc.Hooks, current func() *policy.Set) *grpcTransport {
	t := &grpcTransport{Server: grpcgo.New(grpcgo.Options{
		Process: extproc.New(current, hooks), MaxMessageBytes: s.MaxMessageBytes, MaxConcurrentStreams: s.MaxConcurrentStreams,
		HandshakeTimeout: handshakeTimeout, Greeted: conns.greeted, Used: conns.used, Panicked: hooks.Panicked,
	})}
	t.health = register(t.Server.Server, s)
	return t
}

func (t *grpcTransport) setServing(serving bool) { setHealth(t.health, serving) }

func (t *grpcTransport) close() {}
