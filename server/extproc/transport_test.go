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
	"github.com/corsproc/corsproc/server/loop"
)

func init() { *extproc.Connect = connect }

// connect starts a transport with s behind it and returns a gRPC connection to it.
func connect(t testing.TB, s *extproc.Server, maxMessageBytes ...int) *grpc.ClientConn {
	t.Helper()
	most := 256 << 10
	if len(maxMessageBytes) > 0 {
		most = maxMessageBytes[0]
	}
	listener := bufconn.Listen(64 << 10)
	server := &loop.Server{
		Process: s, Path: extprocv3.ExternalProcessor_Process_FullMethodName,
		MaxMessageBytes: most, HandshakeTimeout: time.Minute,
	}
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
		if err := <-served; err != loop.ErrStopped {
			t.Error(err)
		}
	})
	return conn
}
