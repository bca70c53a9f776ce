package loop

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/corsproc/corsproc/server/extproc"
)

// session is what a client sends that makes n requests, one after the other, as Envoy does.
func session(t testing.TB, n int, messages ...[]byte) []byte {
	t.Helper()
	return sessionOf(t, n, usual, messages...)
}

// sessionOf is a session of requests with these headers, names and values.
func sessionOf(t testing.TB, n int, headers []string, messages ...[]byte) []byte {
	t.Helper()
	var sent, block bytes.Buffer
	framer := http2.NewFramer(&sent, nil)
	encoder := hpack.NewEncoder(&block)
	sent.WriteString(http2.ClientPreface)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24})
	_ = framer.WriteWindowUpdate(0, 1<<30)
	for id := uint32(1); id < uint32(2*n); id += 2 {
		block.Reset()
		for i := 0; i < len(headers); i += 2 {
			_ = encoder.WriteField(hpack.HeaderField{Name: headers[i], Value: headers[i+1]})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
		for _, m := range messages {
			_ = framer.WriteData(id, false, m)
		}
		_ = framer.WriteRSTStream(id, http2.ErrCodeNo)
	}
	return sent.Bytes()
}

// discarding is a script whose answers nobody looks at.
type discarding struct{ script }

func (d *discarding) Write(b []byte) (int, error) { return len(b), nil }

// raced says that the race detector is on, under which pools lose things on purpose.
var raced bool

// TestAllocations bounds what a request costs, all of HTTP/2 included: one allocation is the frame library's for a HEADERS
// frame, one its for a RST_STREAM.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("pools lose things under the race detector")
	}
	const requests = 1000
	s := newServer(t, extproc.Hooks{})
	for name, messages := range map[string][][]byte{
		"request and response": {prefixed(t, get), prefixed(t, responseOf())},
		"preflight":            {prefixed(t, preflight)},
	} {
		sent := session(t, requests, messages...)
		allocations := testing.AllocsPerRun(5, func() {
			newConn(s, &discarding{script{in: bytes.NewReader(sent)}}).serve()
		})
		const most, connection = 2, 100
		if allocations > requests*most+connection {
			t.Errorf("%s: %v allocations for %d requests, want at most %d each", name, allocations, requests, most)
		}
	}
}

// BenchmarkConnection is a request on a connection, without the kernel's part.
func BenchmarkConnection(b *testing.B) {
	s := newServer(b, extproc.Hooks{})
	sent := session(b, b.N, prefixed(b, get), prefixed(b, responseOf()))
	b.ReportAllocs()
	b.ResetTimer()
	newConn(s, &discarding{script{in: io.MultiReader(bytes.NewReader(sent))}}).serve()
}

// TestMemoryPerStream opens as many streams as wait for slow upstreams on a bad day. The limit is for all of them together,
// the figure that is logged for one.
func TestMemoryPerStream(t *testing.T) {
	const streams, most = 10_000, 200 << 20
	s := newServer(t, extproc.Hooks{})
	c := dial(t, serve(t, s))
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // what pools hold goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	before := heap()
	message := prefixed(t, get)
	var sent bytes.Buffer
	c.framer = http2.NewFramer(&sent, c.Conn)
	c.framer.SetReuseFrames()
	_ = c.framer.WriteWindowUpdate(0, 1<<30)
	for i := range uint32(streams) {
		c.open(2*i + 1)
		c.data(2*i+1, message)
	}
	_ = c.framer.WritePing(false, [8]byte{'a', 'l', 'l', ' ', 'o', 'p', 'e', 'n'})
	go func() { _, _ = c.Write(sent.Bytes()) }()
	for {
		f, err := c.framer.ReadFrame()
		c.must(err)
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() {
			break
		}
	}
	size := int64(sent.Cap()) // ours, and not the server's
	took := heap() - before - size
	t.Logf("%d streams hold %.1f MiB, %d bytes each", streams, float64(took)/(1<<20), took/streams)
	if took > most {
		t.Errorf("%d streams hold %d MiB, more than %d", streams, took>>20, most>>20)
	}
	runtime.KeepAlive(&sent)
}
