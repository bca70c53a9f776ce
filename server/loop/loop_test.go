package loop

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/server/extproc"
)

const opened = " headers :status=200"

// TestStreams sends what clients send and should not send, and says what comes back.
func TestStreams(t *testing.T) {
	whole := prefixed(t, get)
	both := append(slices.Clone(whole), prefixed(t, responseOf())...)
	tests := []struct {
		name string
		send func(c *client)
		want []string
	}{
		{"a request and its response", func(c *client) {
			c.open(1)
			c.data(1, whole)
			c.expect("1"+opened, "1 data")
			c.data(1, prefixed(t, responseOf()))
		}, []string{"1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR"}},
		{"both in one frame", func(c *client) {
			c.open(1)
			c.data(1, both)
		}, []string{"1" + opened, "1 data", "1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR"}},
		{"one byte at a time", func(c *client) {
			c.open(1)
			for i := range both {
				c.data(1, both[i:i+1])
			}
		}, []string{"1" + opened, "1 data", "1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR"}},
		{"padding, and an empty frame", func(c *client) {
			c.open(1)
			c.data(1, nil)
			c.must(c.framer.WriteDataPadded(1, false, both, make([]byte, 200)))
		}, []string{"1" + opened, "1 data", "1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR"}},
		{"a preflight", func(c *client) {
			c.open(1)
			c.data(1, prefixed(t, preflight))
		}, []string{"1" + opened, "1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR"}},
		{"a preflight with the end of the stream", func(c *client) {
			c.open(1)
			c.must(c.framer.WriteData(1, true, prefixed(t, preflight)))
		}, []string{"1" + opened, "1 data", "1 headers grpc-status=0 end"}},
		{"many streams, interleaved", func(c *client) {
			for id := uint32(1); id < 7; id += 2 {
				c.open(id)
				c.data(id, whole[:10])
			}
			c.data(3, whole[10:])
			c.expect("3"+opened, "3 data")
			c.must(c.framer.WriteRSTStream(1, http2.ErrCodeCancel))
			c.data(5, whole[10:])
		}, []string{"5" + opened, "5 data"}},
		{"the end before anything", func(c *client) {
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(usual...), EndHeaders: true, EndStream: true}))
		}, []string{"1 headers :status=200 grpc-status=0 end"}},
		{"trailers of the client", func(c *client) {
			c.open(1)
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("x", "y"), EndHeaders: true, EndStream: true}))
		}, []string{"1 headers :status=200 grpc-status=0 end"}},
		{"a header block in pieces", func(c *client) {
			block := c.fields(usual...)
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:5], Priority: http2.PriorityParam{Weight: 1}, PadLength: 3}))
			c.must(c.framer.WriteContinuation(1, false, nil))
			c.must(c.framer.WriteContinuation(1, true, block[5:]))
			c.data(1, whole)
		}, []string{"1" + opened, "1 data"}},
		{"data on its way to a stream that has ended", func(c *client) {
			c.open(1)
			c.data(1, both)
			c.data(1, whole)
			c.must(c.framer.WriteWindowUpdate(1, 10))
			c.must(c.framer.WriteRSTStream(1, http2.ErrCodeCancel))
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("x", "y"), EndHeaders: true, EndStream: true}))
			c.must(c.framer.WritePing(false, [8]byte{'s', 't', 'i', 'l', 'l', 'o', 'k', '!'}))
		}, []string{"1" + opened, "1 data", "1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR", "ping true stillok!"}},
		{"what HTTP/2 does not know yet", func(c *client) {
			c.must(c.framer.WriteRawFrame(0xbe, 0xff, 0, []byte("new")))
			c.must(c.framer.WriteSettings(http2.Setting{ID: 0xbeef, Val: 1}))
			c.must(c.framer.WritePriority(9, http2.PriorityParam{StreamDep: 7}))
			c.must(c.framer.WriteGoAway(0, http2.ErrCodeNo, nil))
			c.open(1)
			c.data(1, whole)
		}, []string{"1" + opened, "1 data"}},

		{"a message that is no protobuf", func(c *client) {
			c.open(1)
			c.data(1, append(prefix(3), 0xff, 0xff, 0xff))
		}, []string{"1 headers :status=200 grpc-status=13 grpc-message=the%20message%20is%20malformed end", "1 reset NO_ERROR"}},
		{"a compressed message", func(c *client) {
			c.open(1)
			c.data(1, []byte{1, 0, 0, 0, 1, 0})
		}, []string{"1 headers :status=200 grpc-status=13 grpc-message=the%20message%20is%20compressed%2C%20and%20the%20stream%20has%20no%20encoding end", "1 reset NO_ERROR"}},
		{"an encoding that nobody has", func(c *client) {
			c.open(1, append(slices.Clone(usual), "grpc-encoding", "gzip")...)
		}, []string{"1 headers :status=200 grpc-status=12 grpc-accept-encoding=identity grpc-message=compressed%20messages%20are%20not%20supported end", "1 reset NO_ERROR"}},
		{"a prefix that gRPC does not know", func(c *client) {
			c.open(1)
			c.data(1, []byte{2, 0, 0, 0, 1, 0})
		}, []string{"1 headers :status=200 grpc-status=13 grpc-message=the%20message%27s%20prefix%20is%20malformed end", "1 reset NO_ERROR"}},
		{"a message that is too large, at its prefix", func(c *client) {
			c.open(1)
			c.data(1, prefix(256<<10+1))
		}, []string{"1 headers :status=200 grpc-status=8 grpc-message=the%20message%20has%20262145%20bytes%2C%20more%20than%20262144 end", "1 reset NO_ERROR"}},
		{"the largest length", func(c *client) {
			c.open(1)
			c.data(1, []byte{0, 0xff, 0xff, 0xff, 0xff})
		}, []string{"1 headers :status=200 grpc-status=8 grpc-message=the%20message%20has%204294967295%20bytes%2C%20more%20than%20262144 end", "1 reset NO_ERROR"}},
		{"the end in the middle of a message", func(c *client) {
			c.open(1)
			c.must(c.framer.WriteData(1, true, whole[:20]))
		}, []string{"1 headers :status=200 grpc-status=13 grpc-message=the%20stream%20ended%20in%20the%20middle%20of%20a%20message end"}},
		{"an error after a reply", func(c *client) {
			c.open(1)
			c.data(1, append(slices.Clone(whole), whole...))
		}, []string{"1" + opened, "1 data", "1 headers grpc-status=3 grpc-message=a%20second%20request_headers%20message%20on%20one%20stream end", "1 reset NO_ERROR"}},

		{"another method of HTTP", func(c *client) {
			c.open(1, ":method", "GET", ":scheme", "http", ":path", path, "content-type", "application/grpc")
		}, []string{"1 headers :status=405 grpc-status=13 grpc-message=gRPC%20requests%20are%20POST end", "1 reset NO_ERROR"}},
		{"what is no gRPC", func(c *client) {
			c.open(1, ":method", "POST", ":scheme", "http", ":path", path, "content-type", "application/json")
		}, []string{"1 headers :status=415 grpc-status=3 grpc-message=gRPC%20requests%20have%20the%20content-type%20application%2Fgrpc end", "1 reset NO_ERROR"}},
		{"a method that nobody has", func(c *client) {
			c.open(1, ":method", "POST", ":scheme", "http", ":path", "/a.B/C", "content-type", "application/grpc")
		}, []string{"1 headers :status=200 grpc-status=12 grpc-accept-encoding=identity grpc-message=no%20such%20method end", "1 reset NO_ERROR"}},
		{"no path", func(c *client) {
			c.open(1, ":method", "POST", ":scheme", "http", "content-type", "application/grpc")
		}, []string{"1 reset PROTOCOL_ERROR"}},
		{"a pseudo header after others", func(c *client) {
			c.open(1, "a", "b", ":method", "POST", ":scheme", "http", ":path", path)
		}, []string{"1 reset PROTOCOL_ERROR"}},
		{"a pseudo header of responses", func(c *client) {
			c.open(1, append(slices.Clone(usual[:8]), ":status", "200")...)
		}, []string{"1 reset PROTOCOL_ERROR"}},
		{"headers of HTTP/1", func(c *client) {
			c.open(1, append(slices.Clone(usual), "connection", "close")...)
		}, []string{"1 reset PROTOCOL_ERROR"}},
		{"a second head", func(c *client) {
			c.open(1)
			c.open(1)
		}, []string{"1 reset PROTOCOL_ERROR"}},
		{"data after the end", func(c *client) {
			c.open(1, append(slices.Clone(usual[:4]), ":path", "/grpc.health.v1.Health/Watch", "content-type", "application/grpc")...)
			c.must(c.framer.WriteData(1, true, prefix(0)))
			c.expect("1"+opened, "1 data")
			c.data(1, whole)
		}, []string{"1 reset STREAM_CLOSED"}},
		{"a window of nothing more", func(c *client) {
			c.open(1)
			c.must(c.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, make([]byte, 4)))
			c.must(c.framer.WritePing(false, [8]byte{'s', 't', 'i', 'l', 'l', 'o', 'k', '!'}))
		}, []string{"1 reset PROTOCOL_ERROR", "ping true stillok!"}},
		{"a window of nothing more, for no stream", func(c *client) {
			c.must(c.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 7, make([]byte, 4)))
		}, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"a stream's window that is too large", func(c *client) {
			c.open(1)
			c.must(c.framer.WriteWindowUpdate(1, 1<<31-1))
		}, []string{"1 reset FLOW_CONTROL_ERROR"}},

		{"a lower stream", func(c *client) {
			c.open(5)
			c.open(3)
		}, []string{"goaway 5 PROTOCOL_ERROR", "closed"}},
		{"an even stream", func(c *client) { c.open(2) }, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"data on no stream", func(c *client) { c.data(7, nil) }, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"a window of no stream", func(c *client) { c.must(c.framer.WriteWindowUpdate(7, 1)) }, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"a reset of no stream", func(c *client) { c.must(c.framer.WriteRSTStream(7, 0)) }, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"a window update of nothing", func(c *client) { c.must(c.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, make([]byte, 4))) },
			[]string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"the connection's window is too large", func(c *client) { c.must(c.framer.WriteWindowUpdate(0, 1<<31-1)) },
			[]string{"goaway 0 FLOW_CONTROL_ERROR", "closed"}},
		{"a setting that cannot be", func(c *client) {
			c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1}))
		}, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"a window that cannot be", func(c *client) {
			c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31}))
		}, []string{"goaway 0 FLOW_CONTROL_ERROR", "closed"}},
		{"a push", func(c *client) {
			c.must(c.framer.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: c.fields("a", "b"), EndHeaders: true}))
		}, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"another frame in a header block", func(c *client) {
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(usual...)}))
			c.must(c.framer.WritePing(false, [8]byte{}))
		}, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"a header block that cannot be read", func(c *client) {
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true}))
		}, []string{"goaway 0 COMPRESSION_ERROR", "closed"}},
		{"a header block without end", func(c *client) {
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(usual...)}))
			for range maxBlock/leastFragment + 1 {
				if c.framer.WriteContinuation(1, false, nil) != nil {
					return
				}
			}
		}, []string{"goaway 0 ENHANCE_YOUR_CALM", "closed"}},
		{"a frame that is too large", func(c *client) {
			c.open(1)
			c.data(1, make([]byte, maxFrameBytes+1))
		}, []string{"goaway 1 FRAME_SIZE_ERROR", "closed"}},
	}
	s := newServer(t, extproc.Hooks{})
	address := serve(t, s)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, address)
			c.t = t
			test.send(c)
			c.expect(test.want...)
		})
	}
}

// An answer waits for the client's windows, in whichever way they open, and its end waits behind it.
func TestWindows(t *testing.T) {
	address := serve(t, newServer(t, extproc.Hooks{}))
	for name, open := range map[string]func(c *client, bytes uint32){
		"of the stream": func(c *client, n uint32) { c.must(c.framer.WriteWindowUpdate(1, n)) },
		"of all streams": func(c *client, n uint32) {
			c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: n}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			c.open(1)
			c.data(1, prefixed(t, preflight))
			c.expect("1" + opened)
			c.must(c.framer.WritePing(false, [8]byte{'n', 'o', 't', ' ', 'y', 'e', 't', '.'}))
			c.expect("ping true not yet.")
			open(c, 1)
			c.expect("1 data")
			open(c, 60000)
			c.expect("1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR")
		})
	}
	t.Run("of the connection", func(t *testing.T) {
		c := dial(t, address)
		asked, got := 0, 0
		for got < 65535 {
			id := uint32(asked*2 + 1)
			asked++
			c.open(id)
			c.data(id, prefixed(t, preflight))
			for {
				f, err := c.framer.ReadFrame()
				c.must(err)
				if d, ok := f.(*http2.DataFrame); ok {
					got += len(d.Data())
					if got == 65535 {
						break
					}
				} else if strings.HasSuffix(words(f), "reset NO_ERROR") {
					break
				}
			}
		}
		id := uint32(asked*2 + 1)
		c.open(id)
		c.data(id, prefixed(t, preflight))
		c.expect(fmt.Sprint(id, opened))
		c.must(c.framer.WriteWindowUpdate(0, 10000))
		want := []string{fmt.Sprint(id, " data"), fmt.Sprint(id, " headers grpc-status=0 end"), fmt.Sprint(id, " reset NO_ERROR")}
		if first := c.next(); first != want[0] { // of the stream before
			c.expect(fmt.Sprint(id-2, " headers grpc-status=0 end"), fmt.Sprint(id-2, " reset NO_ERROR"))
			c.expect(want[0])
		}
	})
}

// A bug ends one connection, and the streams on it.
func TestPanic(t *testing.T) {
	s := newServer(t, extproc.Hooks{StreamStarted: func() { panic("secret") }})
	panicked := make(chan any, 1)
	s.Panicked = func(r any, _ []byte) { panicked <- r }
	address := serve(t, s)
	c := dial(t, address)
	c.open(1)
	if got := <-panicked; got != "secret" {
		t.Errorf("recovered %v", got)
	}
	if got := c.next(); !strings.HasPrefix(got, "closed") {
		t.Errorf("then %s", got)
	}
	dial(t, address).open(1)
	<-panicked
}

func TestMaxConcurrentStreams(t *testing.T) {
	s := newServer(t, extproc.Hooks{})
	s.MaxConcurrentStreams = 2
	c := dial(t, serve(t, s))
	for id := uint32(1); id <= 5; id += 2 {
		c.open(id)
	}
	c.expect("5 reset REFUSED_STREAM")
	c.must(c.framer.WriteRSTStream(1, http2.ErrCodeCancel))
	c.open(7)
	c.data(7, prefixed(t, get))
	c.expect("7"+opened, "7 data")
}

// The end of a connection: streams that the client opened before it heard of it are served.
func TestDrain(t *testing.T) {
	s := newServer(t, extproc.Hooks{})
	address := serve(t, s)
	c := dial(t, address)
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c.open(1)
	c.data(1, prefixed(t, get))
	c.expect("1"+opened, "1 data")

	stopped := make(chan struct{})
	go func() {
		s.GracefulStop()
		close(stopped)
	}()
	c.expect("goaway 2147483647 NO_ERROR", "ping false draining")
	c.open(3)
	c.must(c.framer.WritePing(true, drainPing))
	c.expect("goaway 3 NO_ERROR")
	c.open(5)
	c.data(5, prefixed(t, get)) // too late: the client knows that it is not processed
	c.data(3, prefixed(t, preflight))
	c.expect("3"+opened, "3 data", "3 headers grpc-status=0 end", "3 reset NO_ERROR")
	select {
	case <-stopped:
		t.Fatal("stopped while a stream was open")
	default:
	}
	c.data(1, prefixed(t, responseOf()))
	c.expect("1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR", "closed")
	c.Close()
	<-stopped
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the listener is open")
	}
}

func TestStopEndsStreams(t *testing.T) {
	ended := make(chan codes.Code, 1)
	s := newServer(t, extproc.Hooks{StreamEnded: func(c codes.Code) { ended <- c }})
	c := dial(t, serve(t, s))
	c.open(1)
	c.data(1, prefixed(t, get))
	c.expect("1"+opened, "1 data")
	s.Stop()
	if code := <-ended; code != codes.Unavailable {
		t.Errorf("ended with %v", code)
	}
}

// A connection that we end is told of, with a reason that its client hears too, and no stream on it ended well. One that
// its client ends is not.
func TestEndedConnections(t *testing.T) {
	for _, test := range []struct {
		name string
		send func(c *client)
		want string
		code codes.Code
	}{
		{"against HTTP/2", func(c *client) { c.open(2) }, "PROTOCOL_ERROR: HEADERS on a stream with an even number", codes.Unavailable},
		{"too much", func(c *client) {
			for i := range uint32(maxSettings) {
				c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10000 + i}))
			}
		}, "ENHANCE_YOUR_CALM: too many SETTINGS", codes.Unavailable},
		{"found by the frame library", func(c *client) {
			c.must(c.framer.WriteRawFrame(http2.FramePing, 0, 0, nil))
		}, "FRAME_SIZE_ERROR: a frame is malformed", codes.Unavailable},
		{"unreadable", func(c *client) {
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, EndHeaders: true}))
		}, "COMPRESSION_ERROR: decoding error: invalid indexed representation index 33554558", codes.Unavailable},
		{"closed by the client", func(c *client) { c.Close() }, "", codes.OK},
	} {
		t.Run(test.name, func(t *testing.T) {
			streams, connections := make(chan codes.Code, 1), make(chan Ended, 1)
			s := newServer(t, extproc.Hooks{StreamEnded: func(c codes.Code) { streams <- c }})
			s.Ended = func(e Ended) { connections <- e }
			c := dial(t, serve(t, s))
			c.open(1)
			c.data(1, prefixed(t, get))
			c.expect("1"+opened, "1 data")
			test.send(c)
			if test.want != "" {
				for heard := ""; heard != test.want; {
					f, err := c.framer.ReadFrame()
					c.must(err)
					if g, ok := f.(*http2.GoAwayFrame); ok {
						if heard = g.ErrCode.String() + ": " + string(g.DebugData()); heard != test.want {
							t.Fatalf("the client hears %q, want %q", heard, test.want)
						}
					}
				}
				c.Close()
			}
			if code := <-streams; code != test.code {
				t.Errorf("its stream ended with %v", code)
			}
			if test.want == "" {
				s.Stop()
				select {
				case e := <-connections:
					t.Errorf("told of %v", e)
				default:
				}
				return
			}
			if e := <-connections; e.Code.String()+": "+e.Reason != test.want || e.Streams != 1 || e.Client.String() != c.LocalAddr().String() {
				t.Errorf("told of %v", e)
			}
		})
	}
}

// Who says nothing, or nothing of HTTP/2, holds a place for a while only.
func TestHandshakeTimeout(t *testing.T) {
	for name, said := range map[string]string{"nothing": "", "half of the preface": http2.ClientPreface[:10], "no settings": http2.ClientPreface} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				c := newConn(&Server{HandshakeTimeout: time.Second, MaxMessageBytes: 1 << 10}, ours)
				start := time.Now()
				go func() {
					_, _ = theirs.Write([]byte(said))
					buffer := make([]byte, 1<<10)
					for {
						if _, err := theirs.Read(buffer); err != nil {
							return
						}
					}
				}()
				c.serve()
				if took := time.Since(start); took != time.Second {
					t.Errorf("took %v", took)
				}
				theirs.Close()
			})
		})
	}
}

func TestHTTP1(t *testing.T) {
	nc, err := net.Dial("tcp", serve(t, newServer(t, extproc.Hooks{})))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for buffer := make([]byte, 1<<10); err == nil; {
		_, err = nc.Read(buffer)
	}
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Error("the connection stays open")
	}
}

// A gRPC client of another make: processing, health and large bodies on one connection.
func TestClientOfGRPC(t *testing.T) {
	s := newServer(t, extproc.Hooks{})
	conn, err := grpc.NewClient(serve(t, s), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rpc, err := extprocv3.NewExternalProcessorClient(conn).Process(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(m *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
		t.Helper()
		if err := rpc.Send(m); err != nil {
			t.Fatal(err)
		}
		r, err := rpc.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := proto.CloneOf(get)
	first.ProtocolConfig = &extprocv3.ProtocolConfiguration{RequestBodyMode: 4} // FULL_DUPLEX_STREAMED
	if ask(first).GetRequestHeaders() == nil {
		t.Fatal("no reply to the request")
	}
	s.SetServing(true)
	h := healthv1.NewHealthClient(conn)
	if r, err := h.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil || r.Status != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", r, err)
	}
	if _, err := h.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "x"}); status.Code(err) != codes.NotFound {
		t.Errorf("health of something unknown: %v", err)
	}
	watch, err := h.Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.Status != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("watching health: %v, %v", r, err)
	}
	// More than all windows together, to and fro.
	body := strings.Repeat("0123456789abcdef", 200<<10/16)
	for range 20 {
		r := ask(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{RequestBody: &extprocv3.HttpBody{Body: []byte(body)}}})
		if got := r.GetRequestBody().GetResponse().GetBodyMutation().GetStreamedResponse().GetBody(); string(got) != body {
			t.Fatalf("a body of %d bytes came back with %d", len(body), len(got))
		}
	}
}
