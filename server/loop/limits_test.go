package loop

import (
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/server/extproc"
)

// TestUnread: messages that are begun on many streams and never ended are held up to a bound; beyond it a stream ends, and
// the connection goes on.
func TestUnread(t *testing.T) {
	const begun = 250 << 10
	c := dial(t, serve(t, newServer(t, extproc.Hooks{})))
	part := append(prefix(begun+100), make([]byte, begun)...)
	const streams = maxUnread/begun + 1
	go func() {
		for i := range uint32(streams) {
			id := 2*i + 1
			_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.fields(usual...), EndHeaders: true})
			for rest := part; len(rest) > 0; rest = rest[min(len(rest), 16000):] {
				_ = c.framer.WriteData(id, false, rest[:min(len(rest), 16000)])
			}
		}
		_ = c.framer.WritePing(false, [8]byte{'s', 't', 'i', 'l', 'l', 'o', 'k', '!'})
	}()
	last := 2*streams - 1
	c.expect(fmt.Sprint(last, " headers :status=200 grpc-status=8 grpc-message=too%20many%20messages%20have%20begun%20on%20this%20connection end"),
		fmt.Sprint(last, " reset NO_ERROR"), "ping true stillok!")
}

// TestConnectionWindow: no more than the window is ever on its way, and it opens again for what has come.
func TestConnectionWindow(t *testing.T) {
	c := dial(t, serve(t, newServer(t, extproc.Hooks{})))
	c.open(1)
	c.must(c.framer.WriteRSTStream(1, http2.ErrCodeCancel)) // what comes for it is not kept, and counts
	const sent, most = 4 << 20, 1 << 20
	go func() {
		for range sent / 16000 {
			_ = c.framer.WriteData(1, false, make([]byte, 16000))
		}
		_ = c.framer.WritePing(false, [8]byte{'l', 'o', 'o', 'k'})
	}()
	window := initialWindow
	for {
		f, err := c.framer.ReadFrame()
		c.must(err)
		if w, ok := f.(*http2.WindowUpdateFrame); ok && w.StreamID == 0 {
			window += int(w.Increment)
		}
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() {
			break
		}
	}
	if left := window - sent/16000*16000; left > most || left < most/2 {
		t.Errorf("%d bytes may be on their way, want %d to %d", left, most/2, most)
	}
}

// TestWriteTimeout: a client that does not read its answers is cut off after a while, and the reason is told.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		ended := make(chan Ended, 1)
		s := &Server{Process: extproc.New(func() *policy.Set { return nil }, extproc.Hooks{}), Path: path, MaxMessageBytes: 1 << 10,
			HandshakeTimeout: 10 * time.Second, Ended: func(e Ended) { ended <- e }, conns: map[*conn]struct{}{}}
		go s.serve(s.take(ours))
		go func() {
			framer := http2.NewFramer(nil, theirs)
			for range 3 { // SETTINGS, the window, and the acknowledgement of the client's SETTINGS
				_, _ = framer.ReadFrame()
			}
		}()
		_, _ = io.WriteString(theirs, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		synctest.Wait()
		began := time.Now()
		_ = http2.NewFramer(theirs, nil).WritePing(false, [8]byte{})
		if e := <-ended; e.Code != http2.ErrCodeEnhanceYourCalm || e.Reason != "answers are not read" {
			t.Errorf("ended for %v", e)
		}
		if took := time.Since(began); took > writeTimeout || took < writeTimeout/2 {
			t.Errorf("after %v", took)
		}
	})
}
