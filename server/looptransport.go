package server

// Tested by transports_test.go and differential_test.go.

import (
	"context"
	"errors"
	"net"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/test/bufconn"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/loop"
)

// loopTransport serves ext_proc and health by the loop. Rare calls, such as reflection, are relayed to a gRPC server in this
// process.
type loopTransport struct {
	*loop.Server
	health *health.Server // what the gRPC server lists
	others *grpc.Server
	conn   *grpc.ClientConn
}

func newLoopTransport(s *Settings, conns *connLimit, hooks extproc.Hooks, ended func(loop.Ended), current func() *policy.Set) (*loopTransport, error) {
	g := grpc.NewServer(grpc.MaxRecvMsgSize(s.MaxMessageBytes))
	h := register(g, s)
	listener := bufconn.Listen(pipeBytes)
	go func() { _ = g.Serve(listener) }() // until g is stopped
	conn, err := grpc.NewClient("passthrough:///others", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		g.Stop()
		return nil, err
	}
	return &loopTransport{
		Server: &loop.Server{
			Process: extproc.New(current, hooks), Path: extprocv3.ExternalProcessor_Process_FullMethodName,
			Others: conn, Methods: methodsOf(g), HealthServices: healthServices,
			MaxMessageBytes: s.MaxMessageBytes, MaxConcurrentStreams: s.MaxConcurrentStreams, HandshakeTimeout: handshakeTimeout,
			Greeted: conns.greeted, Used: conns.used, Panicked: hooks.Panicked, Ended: ended,
		},
		health: h, others: g, conn: conn,
	}, nil
}

// pipeBytes is the size of the buffer in each direction between the loop and that gRPC server.
const pipeBytes = 64 << 10

// methodsOf returns the full names of a server's methods.
func methodsOf(g *grpc.Server) map[string]struct{} {
	methods := map[string]struct{}{}
	for service, info := range g.GetServiceInfo() {
		for _, m := range info.Methods {
			methods["/"+service+"/"+m.Name] = struct{}{}
		}
	}
	return methods
}

func (t *loopTransport) Serve(l net.Listener) error {
	if err := t.Server.Serve(l); !errors.Is(err, loop.ErrStopped) {
		return err
	}
	return nil
}

func (t *loopTransport) setServing(serving bool) {
	setHealth(t.health, serving)
	t.SetServing(serving)
}

func (t *loopTransport) close() {
	t.conn.Close()
	t.others.Stop()
}
