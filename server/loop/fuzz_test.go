package loop

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/corsproc/corsproc/server/extproc"
)

// FuzzConnection sends anything behind a good handshake: the connection always ends with its input, and everything on it.
func FuzzConnection(f *testing.F) {
	var session bytes.Buffer
	framer := http2.NewFramer(&session, nil)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(usual); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: usual[i], Value: usual[i+1]})
	}
	for id := uint32(1); id < 6; id += 2 {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
		_ = framer.WriteData(id, false, prefixed(f, get))
		f.Add(bytes.Clone(session.Bytes()))
		_ = framer.WriteData(id, id == 3, prefixed(f, responseOf()))
		f.Add(bytes.Clone(session.Bytes()))
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: id})
		_ = framer.WriteWindowUpdate(id, 5)
		_ = framer.WriteRSTStream(id, http2.ErrCodeCancel)
		_ = framer.WritePing(id == 1, drainPing)
	}
	f.Add(session.Bytes())

	open := 0
	s := newServer(f, extproc.Hooks{
		StreamStarted: func() { open++ },
		StreamEnded:   func(codes.Code) { open-- },
		Panicked:      func(_ any, stack []byte) { panic(string(stack)) },
	})
	f.Fuzz(func(t *testing.T, sent []byte) {
		nc := &script{in: io.MultiReader(bytes.NewReader([]byte(http2.ClientPreface)), bytes.NewReader([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}), bytes.NewReader(sent))}
		c := newConn(s, nc)
		c.serve()
		if open != 0 || len(c.streams) != 0 || c.unread != 0 || c.waiting != 0 || len(c.waits)+len(c.stalled)+len(c.watches) != 0 {
			t.Errorf("left behind: %d and %d streams, %d bytes unread, %d waiting on %d streams", open, len(c.streams), c.unread, c.waiting, len(c.waits))
		}
		checkFrames(t, nc.out.Bytes())
	})
}

// checkFrames reads what was sent as a client would.
func checkFrames(t *testing.T, sent []byte) {
	framer := http2.NewFramer(nil, bytes.NewReader(sent))
	framer.ReadMetaHeaders = hpack.NewDecoder(hpackTable, nil)
	for {
		if _, err := framer.ReadFrame(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("sent what is no HTTP/2: %v", err)
		}
	}
}

// script is a connection whose client has said everything already.
type script struct {
	in     io.Reader
	out    bytes.Buffer
	closed bool
}

func (s *script) Read(b []byte) (int, error) {
	if s.closed {
		return 0, net.ErrClosed
	}
	return s.in.Read(b)
}

func (s *script) Write(b []byte) (int, error) {
	if s.closed {
		return 0, net.ErrClosed
	}
	return s.out.Write(b)
}

func (s *script) Close() error                     { s.closed = true; return nil }
func (s *script) LocalAddr() net.Addr              { return nil }
func (s *script) RemoteAddr() net.Addr             { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
