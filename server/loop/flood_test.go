package loop

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/corsproc/corsproc/server/extproc"
)

// relayed is the head of a stream that is relayed, and stays open.
var relayed = append(slices.Clone(usual[:4]), ":path", reflect, "content-type", "application/grpc")

// TestFloods sends what costs a client next to nothing, and says how the connection ends, or that it goes on.
func TestFloods(t *testing.T) {
	bomb := func(c *client, name string, references int) []byte {
		c.block.Reset()
		// A field of 4,000 bytes that goes into the table, and references to it of one byte each.
		c.block.WriteByte(0x40)
		c.block.Write([]byte{0x7f, 0xa1, 0x1e}) // the length of the name, 127 + 3873
		c.block.WriteString(strings.Repeat(name, 4000))
		c.block.WriteByte(0)
		c.block.Write(bytes.Repeat([]byte{0x80 | 62}, references))
		return bytes.Clone(c.block.Bytes())
	}
	for _, test := range []struct {
		name string
		send func(c *client)
		want []string
	}{
		{"a header block that expands to 40 MB", func(c *client) {
			block := bomb(c, "x", 10_000)
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true}))
			c.must(c.framer.WritePing(false, [8]byte{'s', 't', 'i', 'l', 'l', 'o', 'k', '!'}))
		}, []string{"1 reset ENHANCE_YOUR_CALM", "ping true stillok!"}},
		{"more settings in a frame than there are", func(c *client) {
			var settings []http2.Setting
			for i := range maxSetting + 1 {
				settings = append(settings, http2.Setting{ID: http2.SettingID(1000 + i), Val: 1})
			}
			c.must(c.framer.WriteSettings(settings...))
		}, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"one setting again and again", func(c *client) {
			c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 2}))
		}, []string{"goaway 0 PROTOCOL_ERROR", "closed"}},
		{"settings without an end", func(c *client) {
			for i := range uint32(maxSettings) {
				c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: i}))
			}
		}, []string{"goaway 0 ENHANCE_YOUR_CALM", "closed"}},
		{"a large message, one byte at a time", func(c *client) {
			c.open(1)
			message := append(prefix(64<<10), make([]byte, 64<<10)...)
			for i := range message {
				c.data(1, message[i:i+1])
			}
		}, []string{"1 headers :status=200 grpc-status=13 grpc-message=the%20message%20is%20malformed end", "1 reset NO_ERROR"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, serve(t, newServer(t, extproc.Hooks{})))
			test.send(c)
			c.expect(test.want...)
		})
	}
}

// TestRapidReset opens and resets streams that are relayed, as fast as frames can be written. What runs for them stays
// bounded, and other streams are served.
func TestRapidReset(t *testing.T) {
	c := dial(t, serve(t, newServer(t, extproc.Hooks{})))
	before := runtime.NumGoroutine()
	const resets = 5000
	most := 0
	for i := range uint32(resets) {
		c.open(2*i+1, relayed...)
		c.must(c.framer.WriteRSTStream(2*i+1, http2.ErrCodeCancel))
		if i%100 == 0 {
			most = max(most, runtime.NumGoroutine()-before)
		}
	}
	// Of each stream: two of ours, and what grpc-go has on both sides of it. The test itself has some.
	if limit := maxRelays*6 + 20; most > limit {
		t.Errorf("%d goroutines more, which is more than %d", most, limit)
	}
	c.open(2*resets+1, usual...)
	c.data(2*resets+1, prefixed(t, preflight))
	for got := ""; !strings.HasSuffix(got, " data"); got = c.next() {
	}
}

// TestRefusedWithEnd sends requests that are refused at their head on many connections: their streams go back to the
// pool that all share, which the race detector looks at.
func TestRefusedWithEnd(t *testing.T) {
	address := serve(t, newServer(t, extproc.Hooks{}))
	var clients sync.WaitGroup
	for range 4 {
		c := dial(t, address)
		clients.Go(func() {
			refused := append([]string{":method", "GET"}, usual[2:]...)
			for i := range uint32(500) {
				if c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: c.fields(refused...), EndHeaders: true, EndStream: true}) != nil {
					t.Error("closed")
					return
				}
			}
			for got := ""; !strings.HasPrefix(got, "999 "); got = c.next() {
				if strings.HasPrefix(got, "closed") {
					t.Error(got)
					return
				}
			}
		})
	}
	clients.Wait()
}

// TestPanicBeside: a bug in a goroutine beside the loop costs its connection too, and not the process.
func TestPanicBeside(t *testing.T) {
	s := newServer(t, extproc.Hooks{})
	panicked := make(chan any, 1)
	s.Panicked = func(r any, _ []byte) { panicked <- r }
	s.Others = nil // there is nobody to relay to
	c := dial(t, serve(t, s))
	c.open(1, relayed...)
	select {
	case <-panicked:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing panicked")
	}
	if got := c.next(); !strings.HasPrefix(got, "closed") {
		t.Errorf("then %s", got)
	}
}

// TestRelayedMessagesAreSmall: what waits for the gRPC server beside us is bounded.
func TestRelayedMessagesAreSmall(t *testing.T) {
	c := dial(t, serve(t, newServer(t, extproc.Hooks{})))
	c.open(1, relayed...)
	for sent, message := 0, append(prefix(maxRelayedBytes+1), make([]byte, maxRelayedBytes+1)...); sent < len(message); sent += 10_000 {
		c.data(1, message[sent:min(sent+10_000, len(message))])
	}
	c.expect("1 headers :status=200 grpc-status=8 grpc-message=the%20message%20is%20too%20large%20for%20this%20service%2C%20or%20too%20many%20wait end", "1 reset NO_ERROR")
}
