package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
	"github.com/corsproc/corsproc/server/extproc"
)

// reflect is the method of a stream that is relayed.
const reflect = reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName

const path = extprocv3.ExternalProcessor_Process_FullMethodName

// newServer returns a server with a policy that allows https://shop.example, and health beside it.
func newServer(t testing.TB, hooks extproc.Hooks) *Server {
	t.Helper()
	set, findings := policy.Compile(policy.Source{Name: "policies.yaml", Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"shop": {AllowOrigins: []string{"https://shop.example"}, AllowMethods: []string{"PUT"}}},
		Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"shop"}}},
	}})
	if set == nil {
		t.Fatal(findings)
	}
	beside := grpc.NewServer()
	reflectionv1.RegisterServerReflectionServer(beside, reflection.NewServerV1(reflection.ServerOptions{Services: beside}))
	healthv1.RegisterHealthServer(beside, health.NewServer())
	inside := bufconn.Listen(64 << 10)
	go func() { _ = beside.Serve(inside) }()
	others, err := grpc.NewClient("passthrough:///others", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return inside.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		others.Close()
		beside.Stop()
	})
	return &Server{
		Process: extproc.New(func() *policy.Set { return set }, hooks), Path: path, Others: others,
		Methods:         map[string]struct{}{reflect: {}, healthv1.Health_List_FullMethodName: {}},
		HealthServices:  []string{"", "known"},
		MaxMessageBytes: 256 << 10, HandshakeTimeout: 10 * time.Second,
	}
}

// serve serves on the loopback until the test ends, and returns the address.
func serve(t testing.TB, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; !errors.Is(err, ErrStopped) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// client is a client that can do what no client should.
type client struct {
	t testing.TB
	net.Conn
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	hex     bool // frames of DATA are told with their messages
}

// dial connects and says HTTP/2 with these settings.
func dial(t testing.TB, address string, settings ...http2.Setting) *client {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	c := newClient(t, nc)
	c.greet(settings...)
	return c
}

func newClient(t testing.TB, nc net.Conn) *client {
	c := &client{t: t, Conn: nc, framer: http2.NewFramer(nc, nc)}
	c.framer.AllowIllegalWrites = true
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	return c
}

// greet says HTTP/2 with these settings.
func (c *client) greet(settings ...http2.Setting) {
	c.t.Helper()
	_, err := io.WriteString(c, http2.ClientPreface)
	c.must(err)
	c.must(c.framer.WriteSettings(settings...))
}

func (c *client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// fields encodes a header block of "name", "value" pairs.
func (c *client) fields(pairs ...string) []byte {
	c.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		c.must(c.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}))
	}
	return bytes.Clone(c.block.Bytes())
}

// usual is the head of a stream of Envoy's.
var usual = []string{":method", "POST", ":scheme", "http", ":path", path, ":authority", "corsproc", "te", "trailers", "content-type", "application/grpc"}

func (c *client) open(id uint32, pairs ...string) {
	c.t.Helper()
	if pairs == nil {
		pairs = usual
	}
	c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.fields(pairs...), EndHeaders: true}))
}

func (c *client) data(id uint32, data []byte) {
	c.t.Helper()
	c.must(c.framer.WriteData(id, false, data))
}

// next returns the next frame that is no matter of course, in words.
func (c *client) next() string {
	c.t.Helper()
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return "closed"
			}
			return fmt.Sprint("closed: ", err)
		}
		if d, ok := f.(*http2.DataFrame); ok && c.hex {
			return fmt.Sprintf("%d data: % x", d.StreamID, d.Data()[prefixBytes:])
		}
		if w := words(f); w != "" {
			return w
		}
	}
}

func words(f http2.Frame) string {
	id := f.Header().StreamID
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		s := fmt.Sprintf("%d headers", id)
		for _, h := range f.Fields {
			if h.Name != "content-type" {
				s += " " + h.Name + "=" + h.Value
			}
		}
		if f.StreamEnded() {
			s += " end"
		}
		return s
	case *http2.DataFrame:
		return fmt.Sprintf("%d data", id)
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("%d reset %v", id, f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Sprintf("goaway %d %v", f.LastStreamID, f.ErrCode)
	case *http2.PingFrame:
		return fmt.Sprintf("ping %v %s", f.IsAck(), f.Data[:])
	}
	return "" // SETTINGS, WINDOW_UPDATE
}

// expect reads these frames.
func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.next(); got != w {
			c.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// prefixed is a gRPC message.
func prefixed(t testing.TB, m proto.Message) []byte {
	t.Helper()
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return append(prefix(len(wire)), wire...)
}

func requestOf(lines ...string) *extprocv3.ProcessingRequest {
	m := &corev3.HeaderMap{}
	for i := 0; i < len(lines); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: lines[i], RawValue: []byte(lines[i+1])})
	}
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: m},
	}}
}

func responseOf() *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{}},
	}}
}

var get = requestOf(":method", "GET", ":path", "/", ":authority", "api.example", "origin", "https://shop.example")

var preflight = requestOf(":method", "OPTIONS", ":path", "/", ":authority", "api.example",
	"origin", "https://shop.example", "access-control-request-method", "PUT")
