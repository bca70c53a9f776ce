package extproc_test

import (
	"context"
	"net"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/grpcgo"
	"github.com/corsproc/corsproc/server/loop"
)

func init() {
	*extproc.Transports = map[string]extproc.Connector{
		"loop": func(t testing.TB, s *extproc.Server, maxMessageBytes ...int) *grpc.ClientConn {
			return connect(t, &loop.Server{
				Process: s, Path: extprocv3.ExternalProcessor_Process_FullMethodName,
				MaxMessageBytes: limit(maxMessageBytes), HandshakeTimeout: time.Minute,
			}, loop.ErrStopped)
		},
		"grpc": func(t testing.TB, s *extproc.Server, maxMessageBytes ...int) *grpc.ClientConn {
			return connect(t, grpcgo.New(grpcgo.Options{Process: s, MaxMessageBytes: limit(maxMessageBytes), HandshakeTimeout: time.Minute}), nil)
		},
	}
}

// limit is the one that is given, or the usual.
func limit(maxMessageBytes []int) int {
	if len(maxMessageBytes) > 0 {
		return maxMessageBytes[0]
	}
	return 256 << 10
}

// connect serves until the test ends, when Serve returns stopped, and returns a gRPC connection.
func connect(t testing.TB, server interface {
	Serve(net.Listener) error
	Stop()
}, stopped error) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(64 << 10)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///bufconn",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-served; err != stopped {
			t.Error(err)
		}
	})
	return conn
}
