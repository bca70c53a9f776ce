package loop

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/corsproc/corsproc/server/extproc"
)

// TestQuiet: a connection on which no stream was ever opened is told to go when it has said nothing for a while; one that
// had a stream is never, however long it says nothing.
func TestQuiet(t *testing.T) {
	for name, test := range map[string]struct {
		after func(c *client) // what it says after its greeting
		ends  time.Duration   // when the connection ends; 0: never
	}{
		"nothing":                {func(*client) {}, quietTimeout},
		"that it has understood": {func(c *client) { c.must(c.framer.WriteSettingsAck()) }, quietTimeout},
		"half a frame":           {func(c *client) { _, err := c.Write([]byte{0, 0, 8, 6}); c.must(err) }, quietTimeout},
		"a ping now and then": {func(c *client) {
			for range 3 {
				time.Sleep(quietTimeout - time.Second)
				c.must(c.framer.WritePing(false, [8]byte{1}))
			}
		}, 4*quietTimeout - 3*time.Second},
		"a stream once":    {func(c *client) { c.open(1, notAllowed...) }, 0},
		"a stream at last": {func(c *client) { time.Sleep(quietTimeout - time.Second); c.open(1, notAllowed...) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var greeted, used atomic.Int64
				s := &Server{
					Process:          extproc.New(nil, extproc.Hooks{}), // of which nothing is asked
					HandshakeTimeout: time.Second, MaxMessageBytes: 1 << 10,
					Greeted: func(net.Conn) bool { greeted.Add(1); return true }, Used: func(net.Conn) { used.Add(1) },
				}
				ours, theirs := net.Pipe()
				start := time.Now()
				ended := make(chan time.Duration, 1)
				go func() {
					newConn(s, ours).serve()
					ended <- time.Since(start)
				}()
				c := newClient(t, theirs)
				told := make(chan string, 1)
				go func() {
					last := ""
					for next := c.next(); !strings.HasPrefix(next, "closed"); next = c.next() {
						last = next
					}
					told <- last
				}()
				c.greet()
				test.after(c)
				if test.ends == 0 {
					time.Sleep(24 * time.Hour)
					if len(ended) != 0 || greeted.Load() != 1 || used.Load() != 1 {
						t.Errorf("ended: %d; greeted %d times, used %d times", len(ended), greeted.Load(), used.Load())
					}
					theirs.Close()
					<-ended
					<-told
					return
				}
				if took := <-ended; took != test.ends || greeted.Load() != 1 || used.Load() != 0 {
					t.Errorf("ended after %v, want %v; greeted %d times, used %d times", took, test.ends, greeted.Load(), used.Load())
				}
				if last := <-told; last != "goaway 0 NO_ERROR" {
					t.Errorf("the last that it was told is %q", last)
				}
				theirs.Close()
			})
		})
	}
}

// notAllowed is the head of a stream that is answered with 405: a stream all the same.
var notAllowed = []string{":method", "GET", ":scheme", "http", ":path", "/", ":authority", "corsproc"}

// A connection for which there is no place is told so.
func TestNotGreeted(t *testing.T) {
	s := newServer(t, extproc.Hooks{})
	s.Greeted = func(net.Conn) bool { return false }
	c := dial(t, serve(t, s))
	f, err := c.framer.ReadFrame()
	for err == nil {
		if g, ok := f.(*http2.GoAwayFrame); ok {
			if g.ErrCode != http2.ErrCodeNo || string(g.DebugData()) != "too many connections" {
				t.Errorf("%v %q", g, g.DebugData())
			}
			return
		}
		f, err = c.framer.ReadFrame()
	}
	if err == io.EOF {
		t.Error("ended without a word")
	} else {
		t.Error(err)
	}
}
