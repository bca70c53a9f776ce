//go:build unix

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// TestLargeHeadersOfStreams: Envoy copies some of what its clients send into the headers of our streams, of which all of a
// worker's share a connection. However much of it one client sends, its own request is decided, and so are the ones of
// others that wait.
func TestLargeHeadersOfStreams(t *testing.T) {
	const traceparent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	unsampled := func(c *bootstrap.Config) {
		trace(t, c, fmt.Sprint("127.0.0.1:", closedPort(t)))
		c.Manager.Tracing.RandomSampling = &typev3.Percent{}
	}
	limit := func(c *bootstrap.Config, kib uint32) { c.Manager.MaxRequestHeadersKb = wrapperspb.UInt32(kib) }
	for _, test := range []struct {
		name string
		edit func(c *bootstrap.Config)
		args []string
		send []string
	}{
		{"a tracer, as much as Envoy takes by itself", unsampled, nil, []string{traceparent, "tracestate: a=" + strings.Repeat("~", 58_000)}},
		{"a tracer, as much as Envoy takes by itself, and grpc-go", unsampled, overGRPC, []string{traceparent, "tracestate: a=" + strings.Repeat("~", 58_000)}},
		{"a tracer, a megabyte", func(c *bootstrap.Config) {
			unsampled(c)
			limit(c, 8192)
		}, nil, []string{traceparent, "tracestate: a=" + strings.Repeat("~", 1<<20)}},
		{"a tracer, a megabyte, and grpc-go", func(c *bootstrap.Config) { // with more, it takes longer than Envoy waits
			unsampled(c)
			limit(c, 8192)
		}, overGRPC, []string{traceparent, "tracestate: a=" + strings.Repeat("~", 1<<20)}},
		{"a tracer, and one of ours, as much as Envoy can be told to take", func(c *bootstrap.Config) {
			unsampled(c)
			limit(c, 8192)
		}, []string{"--otlp-endpoint", fmt.Sprint("127.0.0.1:", closedPort(t))}, []string{traceparent, "tracestate: a=" + strings.Repeat("~", 8<<20-2000)}},
		{"many lines", func(c *bootstrap.Config) {
			unsampled(c)
			limit(c, 1024)
			c.Manager.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{MaxHeadersCount: wrapperspb.UInt32(6000)}
		}, nil, append(strings.Split(strings.Repeat("tracestate: a="+strings.Repeat("a", 100)+"\n", 5000), "\n")[:5000], traceparent)},
		{"initial_metadata", func(c *bootstrap.Config) {
			limit(c, 8192)
			for _, p := range c.Processors {
				p.GrpcService.InitialMetadata = []*corev3.HeaderValue{
					{Key: "x-first", Value: "%REQ(x-large)%"}, {Key: "x-second", Value: "%REQ(x-large)%"},
				}
			}
		}, nil, []string{"X-Large: " + strings.Repeat("~", 2<<20)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := start(t, setup{policies: shopPolicies, edit: test.edit, args: test.args})
			g.meanwhile(func() {
				for range 5 {
					a := g.do("OPTIONS", "api.example.com", "/", append(test.send, "Origin: https://shop.example.com", "Access-Control-Request-Method: PUT")...)
					if a.status != http.StatusNoContent || a.joined["access-control-allow-origin"] != "https://shop.example.com" {
						t.Errorf("the request itself: %d %v %.200s", a.status, a.header, a.body)
					}
				}
			})
			for _, line := range strings.Split(g.metrics(), "\n") {
				if name, _, _ := strings.Cut(line, " "); strings.HasPrefix(name, "corsproc_streams_total") && !strings.Contains(name, `"OK"`) {
					t.Error(line)
				}
			}
		})
	}
}

// meanwhile does something while thirty requests wait for their upstream, all of which are decided afterwards, whatever it was.
func (g *gateway) meanwhile(something func()) {
	g.t.Helper()
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	g.t.Cleanup(open) // before the upstream is closed
	g.upstream.work = func() { <-gate }
	g.upstream.answers("open", "Access-Control-Allow-Origin: https://evil.example")

	const waiting = 30
	answers := make(chan string, waiting)
	for range waiting {
		go func() {
			a, err := send(g.address, "GET", "api.example.com", "/", "Origin: https://shop.example.com", "X-Case: open")
			answers <- fmt.Sprint(a.status, " ", a.joined["access-control-allow-origin"], " ", err)
		}()
	}
	for deadline := time.Now().Add(patience); g.upstream.requests.Load() < waiting; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("%d of %d requests have arrived", g.upstream.requests.Load(), waiting)
		}
	}
	something()
	open()
	for range waiting {
		if got, want := <-answers, "200 https://shop.example.com <nil>"; got != want {
			g.t.Errorf("a request that waited: %s", got)
		}
	}
	for _, line := range strings.Split(g.metrics(), "\n") {
		if name, value, _ := strings.Cut(line, " "); strings.HasPrefix(name, "corsproc_connections_ended_total") && value != "0" {
			g.t.Error(line)
		}
	}
}

// TestLargeMessages: what one client says in its own request, and what its upstream answers, may cost that request its decision
// (it is more than --max-message-bytes), and costs no other one anything.
func TestLargeMessages(t *testing.T) {
	const origin = "Origin: https://shop.example.com"
	g := start(t, setup{policies: shopPolicies, edit: func(c *bootstrap.Config) {
		c.Manager.MaxRequestHeadersKb = wrapperspb.UInt32(8192)
		c.Manager.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{MaxHeadersCount: wrapperspb.UInt32(6000)}
	}})
	long := strings.Repeat("a", 1<<20)
	lines := strings.Split(strings.Repeat("Access-Control-Request-Headers: x-a\n", 5000), "\n")[:5000]
	var methods sync.WaitGroup
	g.meanwhile(func() {
		for range 3 {
			for _, attack := range [][]string{
				{"OPTIONS", "/" + long, origin, "Access-Control-Request-Method: PUT"},
				{"OPTIONS", "/", "Origin: https://" + long, "Access-Control-Request-Method: PUT"},
				{"OPTIONS", "/", origin, "Access-Control-Request-Method: " + long},
				{"OPTIONS", "/", origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: " + long},
				append([]string{"OPTIONS", "/", origin, "Access-Control-Request-Method: PUT"}, lines...),
				{"GET", "/" + strings.Repeat("%2f;", 60_000), origin},
				{"GET", "/", origin, "Sec-Fetch-Site: " + long},
				{"GET", "/", origin, "Upgrade: " + long},
			} {
				// What comes through to the upstream waits there as the others do.
				methods.Go(func() { _, _ = send(g.address, attack[0], "api.example.com", attack[1], attack[2:]...) })
			}
		}
		time.Sleep(100 * time.Millisecond) // so that most are under way when the others go on; none of it is awaited
	})
	methods.Wait()

	// An upstream that answers with as much as Envoy takes of one.
	vary := make([]string, 90)
	for i := range vary {
		vary[i] = "Vary: " + strings.Repeat(fmt.Sprint("x-", i, ", "), 80) + "end"
	}
	g.upstream.answers("long", vary...)
	if a := g.do("GET", "api.example.com", "/", origin, "X-Case: long"); a.joined["access-control-allow-origin"] != "https://shop.example.com" ||
		!strings.Contains(strings.ToLower(a.joined["vary"]), "origin") || !strings.Contains(a.joined["vary"], "x-89") {
		t.Errorf("a long Vary: %d %.300v", a.status, a.header)
	}
}

// metrics is what corsproc's first replica says to Prometheus.
func (g *gateway) metrics() string {
	g.t.Helper()
	r, err := http.Get("http://" + g.service.Admin + "/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}
