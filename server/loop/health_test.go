package loop

import (
	"fmt"
	"testing"

	"golang.org/x/net/http2"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/corsproc/corsproc/server/extproc"
)

// TestHealth asks as no client library does. Nobody but the loop answers: there is no server beside it.
func TestHealth(t *testing.T) {
	head := func(method string) []string {
		return []string{":method", "POST", ":scheme", "http", ":path", method, "content-type", "application/grpc"}
	}
	check, watch := head(healthv1.Health_Check_FullMethodName), head(healthv1.Health_Watch_FullMethodName)
	of := func(service string) []byte { return prefixed(t, &healthv1.HealthCheckRequest{Service: service}) }
	const ended = " headers grpc-status=0 end"
	for _, test := range []struct {
		name string
		send func(c *client, s *Server)
		want []string
	}{
		{"a check", func(c *client, _ *Server) {
			c.open(1, check...)
			c.data(1, of("known"))
		}, []string{"1" + opened, "1 data: 08 02", "1" + ended, "1 reset NO_ERROR"}},
		{"a check of a service that there is not", func(c *client, _ *Server) {
			c.open(1, check...)
			c.data(1, of("other"))
		}, []string{"1 headers :status=200 grpc-status=5 grpc-message=unknown%20service end", "1 reset NO_ERROR"}},
		{"a check without a question", func(c *client, _ *Server) {
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(check...), EndHeaders: true, EndStream: true}))
		}, []string{"1 headers :status=200 grpc-status=13 grpc-message=the%20request%20has%20no%20message end"}},
		{"a check of what is no message", func(c *client, _ *Server) {
			c.open(1, check...)
			c.data(1, append(prefix(2), 0x0a, 9))
		}, []string{"1 headers :status=200 grpc-status=13 grpc-message=the%20message%20is%20malformed end", "1 reset NO_ERROR"}},
		{"a watch, twice changed", func(c *client, s *Server) {
			c.open(1, watch...)
			c.must(c.framer.WriteData(1, true, of("")))
			c.expectData("1"+opened, "1 data: 08 02")
			s.SetServing(true)
			c.expectData("1 data: 08 01")
			s.SetServing(false)
		}, []string{"1 data: 08 02"}},
		{"a watch of a service that there is not", func(c *client, s *Server) {
			c.open(1, watch...)
			c.data(1, of("other"))
			c.expectData("1"+opened, "1 data: 08 03")
			s.SetServing(true)
			c.must(c.framer.WritePing(false, [8]byte{'n', 'o', 't', 'h', 'i', 'n', 'g', '.'}))
		}, []string{"ping true nothing."}},
		{"a second question", func(c *client, _ *Server) {
			c.open(1, watch...)
			c.data(1, of(""))
			c.data(1, of("other"))
			c.must(c.framer.WritePing(false, [8]byte{'n', 'o', 't', 'h', 'i', 'n', 'g', '.'}))
		}, []string{"1" + opened, "1 data: 08 02", "ping true nothing."}},
		{"a watch at a stop", func(c *client, s *Server) {
			c.open(1, watch...)
			c.data(1, of(""))
			c.expectData("1"+opened, "1 data: 08 02")
			go s.GracefulStop()
		}, []string{"1 headers grpc-status=14 grpc-message=the%20server%20is%20stopping end", "1 reset NO_ERROR", "goaway 2147483647 NO_ERROR"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, extproc.Hooks{})
			s.Others = nil
			c := dial(t, serve(t, s))
			test.send(c, s)
			c.expectData(test.want...)
		})
	}
}

// expectData is expect with the messages in hexadecimal digits.
func (c *client) expectData(want ...string) {
	c.t.Helper()
	c.hex = true
	defer func() { c.hex = false }()
	c.expect(want...)
}

// TestWatchesAreForgotten: a watch that its client ends is told nothing more, and held no longer.
func TestWatchesAreForgotten(t *testing.T) {
	s := newServer(t, extproc.Hooks{})
	c := dial(t, serve(t, s))
	watch := []string{":method", "POST", ":scheme", "http", ":path", healthv1.Health_Watch_FullMethodName, "content-type", "application/grpc"}
	for id := uint32(1); id < 100; id += 2 {
		c.open(id, watch...)
		c.data(id, prefix(0))
		c.expect(fmt.Sprint(id, opened), fmt.Sprint(id, " data"))
		c.must(c.framer.WriteRSTStream(id, http2.ErrCodeCancel))
	}
	c.must(c.framer.WritePing(false, [8]byte{'f', 'o', 'r', 'g', 'o', 't', 't', '.'}))
	c.expect("ping true forgott.")
	only := s.connections()[0]
	only.mu.Lock()
	defer only.mu.Unlock()
	if len(only.watches) != 0 {
		t.Errorf("%d watches are held", len(only.watches))
	}
}
