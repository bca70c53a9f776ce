package server

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/loop"
)

const processPath = extprocv3.ExternalProcessor_Process_FullMethodName

// sent is a client that sends one frame after the other.
type sent struct {
	*sequence
	*spoken
	looks int
}

func connectRaw(t testing.TB, address string) *sent {
	t.Helper()
	s := &sent{newSequence(&choices{}), dialSpoken(t, address), 0}
	t.Cleanup(func() { s.Close() })
	s.must(s.framer.WriteSettings())
	return s
}

// begin opens a stream, and sends a message on it unless it is nil.
func (s *sent) begin(path string, message []byte, instead ...string) *sentStream {
	stream := s.open(path, instead...)
	stream.unsent = message
	stream.health = false // whatever a client should do
	s.data(stream, len(message))
	return stream
}

// hears sends what was written, and waits until this has come.
func (s *sent) hears(t testing.TB, want string) {
	t.Helper()
	s.look()
	s.spoken.send(s.parts[len(s.parts)-1])
	got := s.until(s.looks, func(got string) bool { return got == want })
	if s.looks++; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// differences are where the transports do not answer the same to what a client may send, and why that stays.
var differences = []struct {
	what, why  string
	send       func(s *sent)
	loop, grpc string
}{
	{
		"trailers of a client", "RFC 9113, section 8.1, has them, and gRPC has not: grpc-go takes them for a stream that is opened twice",
		func(s *sent) {
			s.begin(processPath, nil)
			s.block.Reset()
			s.field(0, "x-checksum", "1")
			s.headers(1, s.block.Bytes(), true)
		},
		"1: status 200 gRPC true grpc-status 0, the end\n", "GOAWAY PROTOCOL_ERROR",
	},
	{
		"no :authority", "RFC 9113, section 8.3.1, does not ask for it; grpc-go does (gRFC A41). Envoy sends one",
		func(s *sent) {
			s.block.Reset()
			for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", processPath}, {"content-type", "application/grpc"}} {
				s.field(0, f[0], f[1])
			}
			s.headers(1, s.block.Bytes(), true)
		},
		"1: status 200 gRPC true grpc-status 0, the end\n", "1: status 400 gRPC true grpc-status 13, the end\n",
	},
	{
		"a grpc-timeout that is none", "the status of gRPC is the same; gRPC does not say which one of HTTP goes with it",
		func(s *sent) { s.begin(processPath, nil, "grpc-timeout", "soon") },
		"1: status 200 gRPC true grpc-status 13, the end\n", "1: status 400 gRPC true grpc-status 13, the end\n",
	},
	{
		"a header with a binary value that is none", "gRPC wants base64 where a name ends in -bin; the loop does not look at what it does not use",
		func(s *sent) { s.begin(processPath, framed(0, preflightMessage), "x-bin", "~") },
		preflightAnswered, "1: status 400 gRPC true grpc-status 13, the end\n",
	},
	{
		"an encoding that the process knows for other reasons", "the client of the trace collector brings gzip along, and grpc-go then takes it from clients too",
		func(s *sent) { s.end(s.begin(processPath, nil, "grpc-encoding", "gzip")) },
		"1: status 200 gRPC true grpc-status 12, the end\n", "1: status 200 gRPC true grpc-status 0, the end\n",
	},
	{
		"a question about health that is not ended", "grpc-go waits for END_STREAM, and clients send it with the question; the loop answers what it has",
		func(s *sent) {
			s.begin(healthv1.Health_Check_FullMethodName, framed(0, &healthv1.HealthCheckRequest{}))
		},
		"1: status 200 gRPC true 7 bytes 00000000020801 grpc-status 0, the end\n", "",
	},
	{
		"two questions about health where one is asked", "the loop has answered the first by then",
		func(s *sent) {
			question := framed(0, &healthv1.HealthCheckRequest{})
			stream := s.begin(healthv1.Health_Check_FullMethodName, append(slices.Clone(question), question...))
			s.end(stream)
		},
		"1: status 200 gRPC true 7 bytes 00000000020801 grpc-status 0, the end\n", "1: status 200 gRPC true grpc-status 13, the end\n",
	},
	{
		"SETTINGS again and again", "each may cost the loop a look at every stream that waits, and it counts them; grpc-go does not",
		func(s *sent) {
			for i := range uint32(1001) {
				s.must(s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 60000 + i}))
			}
		},
		"GOAWAY ENHANCE_YOUR_CALM", "",
	},
	{
		"headers beyond what we take", "the frame library ends connections on which more is sent than can be used; the loop reads it to its end",
		func(s *sent) {
			s.block.Reset()
			for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "x"}, {":path", processPath}, {"content-type", "application/grpc"}} {
				s.field(0, f[0], f[1])
			}
			for range loop.MaxHeaderList/8192 + 1 {
				s.field(2, "x", strings.Repeat("~", 8192))
			}
			s.headers(1, s.block.Bytes(), true)
		},
		"1: reset ENHANCE_YOUR_CALM\n", "the connection is closed",
	},
}

// preflightAnswered stands for the answer to preflightMessage on the first stream.
const preflightAnswered = "the preflight is answered"

// TestDifferences holds what [differences] says.
func TestDifferences(t *testing.T) {
	servers := startPair(t)
	for _, d := range differences {
		if d.why == "" || d.loop == d.grpc {
			t.Errorf("%s: no difference, or no reason", d.what)
		}
		for _, over := range []struct{ name, address, want string }{{"loop", servers.loop, d.loop}, {"grpc", servers.grpc, d.grpc}} {
			t.Run(d.what+"/"+over.name, func(t *testing.T) {
				if over.want == preflightAnswered {
					usual := connectRaw(t, over.address)
					usual.begin(processPath, framed(0, preflightMessage))
					over.want = usual.ended(1)
				}
				s := connectRaw(t, over.address)
				d.send(s)
				s.hears(t, over.want)
			})
		}
	}
}

// TestReflection: it tells of what is served, unless it is off.
func TestReflection(t *testing.T) { onEach(t, reflectionIs) }

func reflectionIs(t *testing.T, transport Transport) {
	for _, on := range []bool{true, false} {
		r := start(t, somePolicies, func(s *Settings) { s.Transport, s.Reflection = transport, on })
		stream, err := reflectionv1.NewServerReflectionClient(r.connect()).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
		answer, err := stream.Recv()
		if !on {
			if status.Code(err) != codes.Unimplemented {
				t.Errorf("off: %v, %v", answer, err)
			}
			continue
		}
		var names []string
		for _, s := range answer.GetListServicesResponse().GetService() {
			names = append(names, s.GetName())
		}
		if !slices.Contains(names, "envoy.service.ext_proc.v3.ExternalProcessor") || !slices.Contains(names, "grpc.health.v1.Health") {
			t.Errorf("on: %v, %v", names, err)
		}
	}
}

// TestLargeHeaders: as much as Envoy can be told to take of one client ends up in the headers of a stream, beside which
// others go on.
func TestLargeHeaders(t *testing.T) { onEach(t, largeHeaders) }

func largeHeaders(t *testing.T, transport Transport) {
	r := start(t, somePolicies, func(s *Settings) { s.Transport = transport })
	conn := r.connect()
	waiting, _, err := r.open(conn, "https://shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "tracestate", strings.Repeat("~", 8<<20), "x-first", strings.Repeat("~", 4<<20))
	large, err := extprocv3.NewExternalProcessorClient(conn).Process(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := large.Send(preflightMessage); err != nil {
		t.Fatal(err)
	}
	if answer, err := large.Recv(); answer.GetImmediateResponse() == nil {
		t.Errorf("its own: %v, %v", answer, err)
	}
	if !r.allowed(waiting) {
		t.Error("one that waited is not granted")
	}
	// A client learns how much is taken, and so sends no more.
	ctx = metadata.AppendToOutgoingContext(t.Context(), "tracestate", strings.Repeat("~", loop.MaxHeaderList))
	if stream, err := extprocv3.NewExternalProcessorClient(conn).Process(ctx); err == nil {
		if _, err = stream.Recv(); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "header list size to send violates") {
			t.Errorf("beyond it: %v", err)
		}
	}
	if !r.ask(conn, "https://shop.example.com") {
		t.Error("the connection is no good any more")
	}
}

// TestStreamLimit: more than max-concurrent-streams are refused, which clients may try again.
func TestStreamLimit(t *testing.T) { onEach(t, streamLimit) }

func streamLimit(t *testing.T, transport Transport) {
	r := start(t, somePolicies, func(s *Settings) { s.Transport, s.MaxConcurrentStreams = transport, 2 })
	s := connectRaw(t, r.listen)
	for range 3 {
		s.begin(processPath, nil)
	}
	s.hears(t, "5: reset REFUSED_STREAM\n")
	s.reset(s.sequence.streams[0])
	s.begin(processPath, framed(0, preflightMessage))
	if got := s.ended(7); !strings.Contains(got, "7: status 200 gRPC true") {
		t.Errorf("in the place of another: %s", got)
	}
}

// TestForgottenStreams: grpc-timeout ends streams of which nothing more is heard, and they count as such.
func TestForgottenStreams(t *testing.T) { onEach(t, forgottenStreams) }

func forgottenStreams(t *testing.T, transport Transport) {
	r := start(t, somePolicies, func(s *Settings) { s.Transport = transport })
	s := connectRaw(t, r.listen)
	s.begin(processPath, nil, "grpc-timeout", "50m")
	s.look()
	s.spoken.send(s.parts[0])
	eventually(t, func() error {
		if _, body := r.http("GET", "/metrics"); !strings.Contains(body, "\ncorsproc_streams_total{code=\"DeadlineExceeded\"} 1\n") {
			return errors.New("no stream has ended for its time")
		}
		return nil
	})
	r.has("corsproc_streams_active 0")
}

// TestWatch: who watches health hears of a stop, and does not hold it up.
func TestWatch(t *testing.T) { onEach(t, watchHealth) }

func watchHealth(t *testing.T, transport Transport) {
	r := start(t, somePolicies, func(s *Settings) { s.Transport, s.DrainTimeout = transport, time.Hour })
	watch, err := healthv1.NewHealthClient(r.connect()).Watch(t.Context(), new(healthv1.HealthCheckRequest))
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := watch.Recv(); answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatal(answer, err)
	}
	r.signals <- os.Interrupt
	for {
		answer, err := watch.Recv()
		if err != nil {
			if code := status.Code(err); code != codes.Unavailable && code != codes.Canceled {
				t.Errorf("ended with %v", err)
			}
			break
		}
		if answer.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
			t.Errorf("heard %v", answer)
		}
	}
	if err := r.ended(); err != nil {
		t.Error(err)
	}
}

// TestHalfAGreeting: who has said half of one, or nothing, holds up no stop.
func TestHalfAGreeting(t *testing.T) { onEach(t, halfAGreeting) }

func halfAGreeting(t *testing.T, transport Transport) {
	t.Parallel()
	for _, said := range []string{"", http2.ClientPreface[:10], http2.ClientPreface, http2.ClientPreface + "\x00\x00"} {
		r := start(t, somePolicies, func(s *Settings) { s.Transport, s.DrainTimeout = transport, time.Hour })
		nc, err := net.Dial("tcp", r.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_, _ = io.WriteString(nc, said)
		eventually(t, func() error {
			if _, body := r.http("GET", "/metrics"); !strings.Contains(body, "\ncorsproc_connections_greeting 1\n") {
				return errors.New("it has not come")
			}
			return nil
		})
		r.signals <- os.Interrupt
		if err := r.ended(); err != nil {
			t.Errorf("%q: %v", said, err)
		}
	}
}

// TestCutStreams: those that a stop cuts short count as that.
func TestCutStreams(t *testing.T) { onEach(t, cutStreams) }

func cutStreams(t *testing.T, transport Transport) {
	ended := make(chan codes.Code, 1)
	served := serveTransport(t, transport, extproc.Hooks{StreamEnded: func(c codes.Code) { ended <- c }})
	s := connectRaw(t, served.address)
	s.begin(processPath, framed(0, &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{RequestBody: &extprocv3.HttpBody{}}}))
	s.hears(t, "1: status 200 gRPC true 9 bytes 00000000041a020a00 \n")
	served.Stop()
	if code := <-ended; code != codes.Unavailable {
		t.Errorf("ended with %v", code)
	}
}

// TestPanics: a bug of ours costs one stream or one connection, and is told.
func TestPanics(t *testing.T) { onEach(t, panics) }

func panics(t *testing.T, transport Transport) {
	panicked := make(chan any, 10)
	served := serveTransport(t, transport, extproc.Hooks{
		StreamStarted: func() { panic("secret") },
		Panicked:      func(r any, _ []byte) { panicked <- r },
	})
	for range 2 { // the process lives on
		s := connectRaw(t, served.address)
		s.begin(processPath, nil)
		if got := s.ended(1); strings.Contains(got, "secret") {
			t.Errorf("the client hears %s", got)
		}
		if r := <-panicked; r != "secret" {
			t.Errorf("recovered %v", r)
		}
	}
}

// served is a transport alone.
type served struct {
	transport
	address string
}

func serveTransport(t *testing.T, name Transport, hooks extproc.Hooks) *served {
	t.Helper()
	nobody := func() {}
	conns := newConnLimit(10, nobody, nobody)
	tr, err := newTransport(&Settings{Listen: []string{"127.0.0.1:0"}, Transport: name, MaxMessageBytes: 1 << 10}, conns, hooks, func(loop.Ended) {}, func() *policy.Set { return nil })
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tr.Serve(conns.wrap(l)) }()
	t.Cleanup(func() {
		tr.Stop()
		tr.close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &served{tr, l.Addr().String()}
}

// TestUnusedConnections: a connection that has said HTTP/2 has a place, and counts as used once
// a stream was opened on it.
func TestUnusedConnections(t *testing.T) { onEach(t, unusedConnections) }

func unusedConnections(t *testing.T, transport Transport) {
	r := start(t, somePolicies, func(s *Settings) { s.Transport, s.MaxConnections = transport, 2 })
	used, unused := connectRaw(t, r.listen), connectRaw(t, r.listen)
	used.begin(processPath, framed(0, preflightMessage))
	used.ended(1)
	unused.hears(t, "")
	third := connectRaw(t, r.listen)
	third.hears(t, "")
	unused.gone(t)
	used.begin(processPath, framed(0, preflightMessage))
	if got := used.ended(3); !strings.Contains(got, "3: status 200") || strings.Contains(got, "closed") {
		t.Errorf("the one that is used: %s", got)
	}
}

// ended sends what was written, waits until a stream has ended, and returns what has come.
func (s *sent) ended(id uint32) string {
	s.look()
	s.spoken.send(s.parts[len(s.parts)-1])
	s.looks++
	return s.until(s.looks-1, func(string) bool {
		g := s.spoken.streams[id]
		return s.over != "" || g != nil && (g.ended || g.reset != noReset)
	})
}

// gone waits until nothing more comes.
func (s *sent) gone(t testing.TB) {
	t.Helper()
	if got := s.until(s.looks, func(string) bool { return s.over != "" }); s.over == "" {
		t.Errorf("the connection goes on: %s", got)
	}
	s.looks++
}
