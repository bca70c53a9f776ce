package loop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/corsproc/corsproc/server/extproc"
)

// seen is a field as a decoder tells it. One that is so long that it is cut is told by its length only.
func seen(f hpack.HeaderField) string {
	if len(f.Name) >= hpackTable || len(f.Value) >= hpackTable {
		return "long"
	}
	return f.Name + ": " + f.Value
}

// pieces reads header blocks, each cut into pieces of the lengths given, again and again, and returns what it saw of them.
func pieces(blocks [][]byte, lengths ...int) (fields []string, err error) {
	b := block{decoder: hpack.NewDecoder(hpackTable, func(f hpack.HeaderField) { fields = append(fields, seen(f)) })}
	for _, whole := range blocks {
		for i := 0; len(whole) > 0; i++ {
			n := min(lengths[i%len(lengths)], len(whole))
			if err := b.write(whole[:n]); err != nil {
				return fields, err
			}
			whole = whole[n:]
		}
		if err := b.end(); err != nil {
			return fields, err
		}
	}
	return fields, nil
}

// atOnce is what the library alone sees.
func atOnce(blocks [][]byte) (fields []string, err error) {
	d := hpack.NewDecoder(hpackTable, func(f hpack.HeaderField) { fields = append(fields, seen(f)) })
	for _, whole := range blocks {
		if _, err := d.Write(whole); err != nil {
			return fields, err
		}
		if err := d.Close(); err != nil {
			return fields, err
		}
	}
	return fields, nil
}

// TestBlocksInPieces: whatever the fields and wherever a block is cut, we see what the library sees of the whole, in later
// blocks too, which depend on the table that earlier ones left.
func TestBlocksInPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var buffer bytes.Buffer
		encoder := hpack.NewEncoder(&buffer)
		var blocks [][]byte
		for range 1 + random.IntN(6) {
			buffer.Reset()
			for range random.IntN(8) {
				size := []int{0, 1, 20, 126, 127, 128, 3000, 4063, 4064, 4065, 20_000, 70_000}[random.IntN(12)]
				letter := []string{"a", "~", "\xff", "0"}[random.IntN(4)] // of 5, 13, 26 and 5 bits
				f := hpack.HeaderField{Name: fmt.Sprint("x-", random.IntN(5)), Value: strings.Repeat(letter, size), Sensitive: random.IntN(4) == 0}
				switch random.IntN(10) {
				case 0:
					f.Name, f.Value = f.Value+"n", f.Name
				case 1:
					f.Name = ":path"
				}
				_ = encoder.WriteField(f)
			}
			if buffer.Len() > 0 && random.IntN(3) == 0 {
				encoder.SetMaxDynamicTableSize(uint32(random.IntN(hpackTable + 1)))
			}
			blocks = append(blocks, bytes.Clone(buffer.Bytes()))
		}
		want, err := atOnce(blocks)
		if err != nil {
			t.Fatal(err)
		}
		lengths := []int{1 + random.IntN(5), 1 + random.IntN(20_000)}
		got, err := pieces(blocks, lengths...)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("in pieces of %v: %.200q, %v; want %.200q", lengths, got, err, want)
		}
	}
}

// FuzzBlock: of any bytes too, we see what the library sees, and mind what it minds.
func FuzzBlock(f *testing.F) {
	f.Add([]byte{0x82, 0x40, 1, 'a', 1, 'b', 0xbe}, byte(1))
	f.Add([]byte{0x40, 0x7f, 0xa1, 0x1e}, byte(2))
	f.Add([]byte{0x3f, 0xe1, 0x1f, 0x88}, byte(1))
	f.Add([]byte{0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, byte(3))
	f.Fuzz(func(t *testing.T, whole []byte, length byte) {
		want, wrong := atOnce([][]byte{whole})
		got, err := pieces([][]byte{whole}, int(length)+1)
		if (wrong != nil) != (err != nil) {
			t.Fatalf("%v, in pieces: %v", wrong, err)
		}
		if err == nil && !slices.Equal(got, want) {
			t.Fatalf("%q, in pieces: %q", want, got)
		}
	})
}

// TestBlockOfMegabytes: a long block costs what its bytes cost to read, and next to no room, however it is cut.
func TestBlockOfMegabytes(t *testing.T) {
	var whole bytes.Buffer
	whole.Write([]byte{0x00, 1, 'a', 0x7f})
	const size = 8 << 20
	for n := size - 127; ; n >>= 7 {
		if n < 0x80 {
			whole.WriteByte(byte(n))
			break
		}
		whole.WriteByte(byte(n) | 0x80)
	}
	whole.Write(make([]byte, size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := pieces([][]byte{whole.Bytes()}, 100)
	runtime.ReadMemStats(&after)
	if err != nil || !slices.Equal(got, []string{"long"}) {
		t.Error(got, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 256<<10 {
		t.Errorf("%d bytes were allocated for a block of which nothing is kept", took)
	}
}

// TestLargeHeaders: what a client of Envoy's gets into the headers of a stream ends neither it nor others.
func TestLargeHeaders(t *testing.T) {
	address := serve(t, newServer(t, extproc.Hooks{}))
	lines := func(n, size int) (pairs []string) {
		pairs = slices.Clone(usual)
		for range n {
			pairs = append(pairs, "tracestate", strings.Repeat("a", size))
		}
		return pairs
	}
	for name, head := range map[string][]string{
		"a string of 33 kB":    lines(1, 33_000),
		"a string of 8 MiB":    lines(1, 8<<20),
		"strings of 15 MiB":    lines(15, 1<<20-100),
		"many strings":         lines(10_000, 1000),
		"many names":           append(slices.Clone(usual), slices.Repeat([]string{"x-a", "b"}, 20_000)...),
		"a long name":          append(slices.Clone(usual), strings.Repeat("x", 100_000), "b"),
		"a long authority":     append([]string{":authority", strings.Repeat("x", 100_000)}, append(slices.Clone(usual[:6]), usual[8:]...)...),
		"a long thing of ours": append(slices.Clone(usual), "traceparent", strings.Repeat("0", 70_000)),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, address)
			c.t = t
			c.open(1)
			c.head(3, head...)
			c.data(3, prefixed(t, preflight))
			c.expect("3"+opened, "3 data", "3 headers grpc-status=0 end", "3 reset NO_ERROR")
			c.data(1, prefixed(t, preflight))
			c.expect("1"+opened, "1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR")
		})
	}
	t.Run("more than is taken", func(t *testing.T) {
		c := dial(t, address)
		c.t = t
		c.open(1)
		c.head(3, append(slices.Clone(usual), slices.Repeat([]string{"x-a", strings.Repeat("~", 1<<20)}, 17)...)...) // not compressed
		c.expect("3 reset ENHANCE_YOUR_CALM")
		c.data(1, prefixed(t, preflight))
		c.expect("1"+opened, "1 data", "1 headers grpc-status=0 end", "1 reset NO_ERROR")
	})
}

// head opens a stream with a header block of any length.
func (c *client) head(id uint32, pairs ...string) {
	c.t.Helper()
	rest := c.fields(pairs...)
	part := func() (p []byte) {
		n := min(len(rest), maxFrameBytes)
		p, rest = rest[:n], rest[n:]
		return p
	}
	c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: part(), EndHeaders: len(rest) == 0}))
	for len(rest) > 0 {
		p := part()
		c.must(c.framer.WriteContinuation(id, len(rest) == 0, p))
	}
}
