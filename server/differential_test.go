package server

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// pair are servers that differ in their transport alone.
type pair struct{ loop, grpc string }

func startPair(t testing.TB) pair {
	address := func(transport Transport) string {
		return start(t, somePolicies, func(s *Settings) { s.Transport, s.MaxMessageBytes = transport, maxSequenceMessage }).listen
	}
	return pair{address(TransportLoop), address(TransportGRPC)}
}

// TestTransportsAgree sends random valid sequences of frames to both transports: each stream gets the same from both, and
// both connections live on. What may differ is in [differences], and what is not looked at in [gotStream].
func TestTransportsAgree(t *testing.T) {
	servers := startPair(t)
	const sequences = 400
	for seed := range uint64(sequences) {
		random := rand.New(rand.NewPCG(seed, 0))
		bytes := make([]byte, 50+random.IntN(1500))
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		if !servers.agree(t, makeSequence(&choices{bytes})) {
			t.Fatalf("seed %d", seed)
		}
	}
}

// FuzzTransportsAgree makes the sequences of what the fuzzer finds.
func FuzzTransportsAgree(f *testing.F) {
	servers := startPair(f)
	random := rand.NewChaCha8([32]byte{})
	for n := range 8 {
		seed := make([]byte, 40<<n>>2)
		_, _ = random.Read(seed)
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, made []byte) {
		servers.agree(t, makeSequence(&choices{made[:min(len(made), 4096)]}))
	})
}

// agree sends a sequence to both, and reports whether they agree. What the loop has answered when it has answered a ping is
// all that it answers; grpc-go is waited for.
func (p pair) agree(t testing.TB, q *sequence) bool {
	t.Helper()
	loop, grpc := dialSpoken(t, p.loop), dialSpoken(t, p.grpc)
	defer loop.Close()
	defer grpc.Close()
	for i, part := range q.parts {
		loop.send(part)
		grpc.send(part)
		want := loop.pinged(i)
		if got := grpc.until(i, func(got string) bool { return got == want }); got != want {
			t.Errorf("after part %d of\n%s\nthe loop says\n%s\ngrpc-go says\n%s", i, strings.Join(q.steps, "\n"), want, got)
			return false
		}
	}
	return true
}

// gotStream is what a client got on a stream. Which of several statuses, which texts (grpc-message), which header fields
// beside and what comes after the end (RST_STREAM with NO_ERROR, which lets a client stop sending) is each transport's
// own business, and so is the order between streams.
type gotStream struct {
	httpStatus string
	grpcStatus string
	grpc       bool // the content-type
	data       []byte
	ended      bool
	reset      http2.ErrCode // before the end; -1: none
}

// spoken is a connection of which it is noted what comes.
type spoken struct {
	net.Conn
	t testing.TB

	mu      sync.Mutex
	changed *sync.Cond
	streams map[uint32]*gotStream
	pongs   int
	over    string // why nothing more comes; empty: it may
}

// dialSpoken connects and says the preface.
func dialSpoken(t testing.TB, address string) *spoken {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	s := &spoken{Conn: nc, t: t, streams: map[uint32]*gotStream{}}
	s.changed = sync.NewCond(&s.mu)
	go s.read()
	s.send([]byte(http2.ClientPreface))
	return s
}

// looked is the ping by which the client knows that everything before it was read.
var looked = [8]byte{'l', 'o', 'o', 'k', 'e', 'd', '?', '!'}

// send sends, as far as anybody reads it.
func (s *spoken) send(part []byte) { _, _ = s.Write(part) }

// read notes what comes until nothing does.
func (s *spoken) read() {
	framer := http2.NewFramer(s.Conn, s.Conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.SetMaxReadFrameSize(1<<24 - 1)
	for {
		f, err := framer.ReadFrame()
		s.mu.Lock()
		if err != nil {
			if s.over == "" {
				s.over = "the connection is closed"
			}
			s.changed.Broadcast()
			s.mu.Unlock()
			return
		}
		s.note(f)
		s.changed.Broadcast()
		s.mu.Unlock()
	}
}

func (s *spoken) note(f http2.Frame) {
	id := f.Header().StreamID
	g := s.streams[id]
	if g == nil {
		g = &gotStream{reset: noReset}
		if id != 0 {
			s.streams[id] = g
		}
	}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		for _, field := range f.Fields {
			switch field.Name {
			case ":status":
				g.httpStatus = field.Value
			case "grpc-status":
				g.grpcStatus = field.Value
			case "content-type":
				g.grpc = strings.HasPrefix(field.Value, "application/grpc")
			}
		}
		g.ended = g.ended || f.StreamEnded()
	case *http2.DataFrame:
		g.data = append(g.data, f.Data()...)
		g.ended = g.ended || f.StreamEnded()
	case *http2.RSTStreamFrame:
		if !g.ended {
			g.reset = f.ErrCode
		}
	case *http2.GoAwayFrame:
		s.over = "GOAWAY " + f.ErrCode.String()
	case *http2.PingFrame:
		if f.IsAck() && f.Data == looked {
			s.pongs++
		}
	}
}

const noReset = ^http2.ErrCode(0)

// pinged asks for the n-th time whether everything was read, and returns what has come when it was, in words.
func (s *spoken) pinged(n int) string { return s.until(n, func(string) bool { return true }) }

// until does the same, and waits until that is enough.
func (s *spoken) until(n int, enough func(string) bool) string {
	framer := http2.NewFramer(s.Conn, nil)
	_ = framer.WritePing(false, looked) // the end of the connection is noted where it is read
	late := time.AfterFunc(patience/4, s.changed.Broadcast)
	defer late.Stop()
	deadline := time.Now().Add(patience / 4)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		words := s.words()
		if (s.pongs > n || s.over != "") && enough(words) || !time.Now().Before(deadline) {
			return words
		}
		s.changed.Wait()
	}
}

// words tells what has come. The lock is held.
func (s *spoken) words() string {
	var b strings.Builder
	ids := []uint32{}
	for id := range s.streams {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		g := s.streams[id]
		fmt.Fprintf(&b, "%d: ", id)
		if g.httpStatus != "" {
			fmt.Fprintf(&b, "status %s gRPC %v ", g.httpStatus, g.grpc)
		}
		if len(g.data) > 0 {
			fmt.Fprintf(&b, "%d bytes %x ", len(g.data), g.data)
		}
		if g.ended {
			fmt.Fprintf(&b, "grpc-status %s, the end", g.grpcStatus)
		}
		if g.reset != noReset {
			fmt.Fprintf(&b, "reset %v", g.reset)
		}
		b.WriteString("\n")
	}
	if s.over != "" {
		b.WriteString(s.over)
	}
	return b.String()
}
