package loop

// Tested by loop_test.go, work_test.go and fuzz_test.go.

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// Limits of what a client can make us hold.
const (
	// readBytes is how much is read at once. Envoy's messages are below a kilobyte.
	readBytes = 16 << 10
	// maxFrameBytes is the largest frame that is read: the smallest limit that HTTP/2 allows (RFC 9113, section 4.2).
	maxFrameBytes = 16 << 10
	// MaxHeaderList bounds the headers of a stream, with 32 bytes for each field (RFC 9113, section 6.5.2). A stream with more
	// ends. Clients of Envoy decide how long some headers are (tracestate, and what initial_metadata copies). So this is well
	// above the 8 MiB that Envoy can be told to take from one. Only what is used is kept.
	MaxHeaderList = 16 << 20
	// maxBlock bounds the frames of a header block, in which nothing else can be read. A connection with more ends.
	maxBlock = 4 * MaxHeaderList
	// connWindow is how many bytes a client may have on their way to us, on all streams together. What arrives is used or
	// refused at once.
	connWindow = 1 << 20
	// maxUnread bounds the bytes of unfinished messages on all streams of a connection together.
	maxUnread = 16 << 20
	// maxSettings bounds the frames of SETTINGS on a connection, each of which may cost a look at every open stream. Clients
	// send one or two.
	maxSettings = 1000
	// maxSetting bounds the settings in a frame.
	maxSetting = 100
	// maxWaiting bounds the bytes of the answers of a connection that wait for its client to read.
	maxWaiting = 1 << 20
	// waitingBytes is counted for each stream with such an answer, beside the answer.
	waitingBytes = 256
	// yieldReads is after how many reads the loop lets other goroutines run. Without it, a connection whose input never ends
	// would keep its P for 10 ms at a time, the scheduler's limit.
	yieldReads = 8
)

// conn is a connection.
type conn struct {
	server *Server
	net    net.Conn

	// Of the reading goroutine alone:
	in      *bufio.Reader
	framer  *http2.Framer // reads from in, writes to out
	decoder *hpack.Decoder
	head    head  // the header block that is being read
	parts   block // the same, where it comes in several frames

	// mu is held while a frame is handled. The others that write take it too: relays and the drain. The loop never holds it
	// while it waits for bytes of the client.
	mu          sync.Mutex
	streams     map[uint32]*stream
	last        uint32 // the highest stream that was opened
	out         bytes.Buffer
	encoder     *hpack.Encoder
	block       bytes.Buffer         // that encoder writes to
	scratch     []byte               // the message that is being written
	sendWindow  int64                // what may still be sent on the connection
	newWindow   int64                // what may be sent on a new stream; on the others, together with their own window
	maxFrame    int                  // the client's limit
	relays      int                  // streams that are relayed, until nothing of them runs any more
	settings    int                  // frames of SETTINGS that came
	watches     map[*stream]struct{} // streams that watch health
	waits       map[*stream]struct{} // streams whose answers wait for a window
	stalled     map[*stream]struct{} // those of them whose own window is open
	deadlines   deadlines            // streams whose time is limited
	timer       *time.Timer          // that ends those, nil: there was none yet
	waiting     int                  // what those answers hold, in bytes
	received    int                  // bytes of DATA since the connection's window was last refilled
	unread      int                  // bytes of messages that are not whole
	spoke       bool                 // the handshake is done
	used        bool                 // a stream was opened
	draining    bool
	lastAllowed uint32 // streams above are not taken any more, once the drain's second GOAWAY is out
	failed      bool   // a write failed, or the connection was closed by us
	fault       *fault // why we end the connection, nil where we do not
	deadline    time.Time
	greetBy     time.Time // when the handshake has to be done
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		server: s, net: nc,
		in:          bufio.NewReaderSize(nc, readBytes),
		streams:     map[uint32]*stream{},
		watches:     map[*stream]struct{}{},
		waits:       map[*stream]struct{}{},
		stalled:     map[*stream]struct{}{},
		sendWindow:  initialWindow,
		newWindow:   initialWindow,
		maxFrame:    maxFrameBytes,
		lastAllowed: maxStreamID,
	}
	c.framer = http2.NewFramer(&c.out, c.in)
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(maxFrameBytes)
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(hpackTable, c.head.emit)
	c.parts.decoder = c.decoder
	return c
}

const (
	// initialWindow is the size of a window until SETTINGS change it (RFC 9113, section 6.9.2).
	initialWindow = 65535
	// hpackTable is the size of the table of headers (RFC 9113, section 6.5.2).
	hpackTable  = 4096
	maxStreamID = 1<<31 - 1
	maxWindow   = 1<<31 - 1
)

// serve serves the connection until it ends.
func (c *conn) serve() {
	code := codes.Internal // of what is open when a bug of ours ends it
	defer func() { c.close(code) }()
	if c.handshake() {
		c.loop()
	}
	code = codes.OK
}

// loop takes frame after frame.
func (c *conn) loop() {
	for reads := 0; ; {
		if !c.hasFrame() {
			if !c.flush() {
				return
			}
			if reads++; reads%yieldReads == 0 {
				runtime.Gosched()
			}
		}
		if !c.step() {
			c.linger()
			return
		}
	}
}

// step takes one frame. It reports whether there may be more.
func (c *conn) step() bool {
	h, f, err := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		err = c.handle(f)
	case h.Type == http2.FrameHeaders, c.isIdle(h.StreamID):
		// There is no stream, or the header block is lost, which the next one depends on.
		if f, ours := c.faultOf(err); ours {
			err = f
		}
	}
	if err != nil {
		err = c.fail(err)
		c.leave(err)
	}
	c.stirred()
	done := err != nil || c.finished()
	if done || c.out.Len() >= flushBytes {
		c.write()
	}
	return !done && !c.failed
}

// read reads a frame. With an error comes what is known of the frame.
func (c *conn) read() (http2.FrameHeader, http2.Frame, error) {
	h, err := c.framer.ReadFrameHeader()
	if err != nil {
		return http2.FrameHeader{}, nil, err
	}
	f, err := c.framer.ReadFrameForHeader(h)
	return h, f, err
}

// handshake takes the client's preface and sends ours (RFC 9113, section 3.4).
func (c *conn) handshake() bool {
	// For both directions: reading may make a handshake of TLS, which also writes.
	c.mu.Lock()
	c.greetBy = time.Now().Add(c.server.HandshakeTimeout)
	if c.draining {
		c.greetBy = time.Now().Add(min(greeting, c.server.HandshakeTimeout))
	}
	_ = c.net.SetDeadline(c.greetBy)
	settings := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: c.streamWindow()},
		{ID: http2.SettingMaxHeaderListSize, Val: MaxHeaderList},
	}
	if n := c.server.MaxConcurrentStreams; n > 0 {
		settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: n})
	}
	_ = c.framer.WriteSettings(settings...)
	_ = c.framer.WriteWindowUpdate(0, connWindow-initialWindow)
	c.mu.Unlock()

	var preface [len(http2.ClientPreface)]byte
	if _, err := io.ReadFull(c.in, preface[:]); err != nil || string(preface[:]) != http2.ClientPreface {
		return false
	}
	if !c.flush() {
		return false
	}
	// The first frame is SETTINGS; it has the rest of the time.
	_, f, err := c.read()
	if err != nil {
		return false
	}
	if s, ok := f.(*http2.SettingsFrame); !ok || s.IsAck() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.handle(f); err != nil {
		c.announce(err)
		c.write()
		return false
	}
	if !c.greeted() {
		return false
	}
	c.spoke = true
	if c.draining {
		c.goAway()
	}
	return !c.failed
}

// streamWindow is the window of a stream: a message of the largest size, so that no client has to wait in the middle of one.
func (c *conn) streamWindow() uint32 {
	return uint32(min(max(c.server.MaxMessageBytes+prefixBytes, initialWindow), maxWindow))
}

// hasFrame reports whether a whole frame has been read already. While there is one, nothing is sent, so that the answers to
// all that came in one read leave in one write.
func (c *conn) hasFrame() bool {
	const headerBytes = 9
	if c.in.Buffered() < headerBytes {
		return false
	}
	h, err := c.in.Peek(headerBytes)
	return err == nil && c.in.Buffered() >= headerBytes+(int(h[0])<<16|int(h[1])<<8|int(h[2]))
}

// handle takes a frame. An error is a [http2.StreamError] or ends the connection.
func (c *conn) handle(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.onHeaders(f)
	case *http2.ContinuationFrame:
		return c.onContinuation(f)
	case *http2.DataFrame:
		return c.onData(f)
	case *http2.WindowUpdateFrame:
		return c.onWindowUpdate(f)
	case *http2.SettingsFrame:
		return c.onSettings(f)
	case *http2.PingFrame:
		return c.onPing(f)
	case *http2.RSTStreamFrame:
		return c.onReset(f)
	case *http2.PriorityFrame:
		if f.StreamDep == f.StreamID { // RFC 9113 no longer says so, RFC 7540 does in section 5.3.1
			return misused("a stream depends on itself")
		}
	case *http2.PushPromiseFrame:
		return misused("clients do not push") // RFC 9113, section 8.4
	}
	return nil // GOAWAY, and what HTTP/2 does not know yet
}

// fail ends the stream if the error is one of a stream, and returns nil. Otherwise it announces the end of the connection and
// returns the error.
func (c *conn) fail(err error) error {
	var ofStream http2.StreamError
	if errors.As(err, &ofStream) {
		c.reset(ofStream.StreamID, ofStream.Code)
		return nil
	}
	c.announce(err)
	return err
}

// isIdle reports whether a stream was never opened (RFC 9113, section 5.1).
func (c *conn) isIdle(id uint32) bool { return id%2 == 0 || id > c.last }

// close closes the connection and ends its open streams: with code, or with Unavailable if it is we who end the connection.
func (c *conn) close(code codes.Code) {
	c.net.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
	open := len(c.streams)
	if c.fault != nil || c.server.cut.Load() {
		code = codes.Unavailable // what clients call it
	}
	for _, s := range c.streams {
		c.forgetWith(s, code)
	}
	if c.fault != nil && c.server.Ended != nil {
		c.server.Ended(Ended{Client: c.net.RemoteAddr(), Code: c.fault.code, Reason: c.fault.reason, Streams: open})
	}
}

func (c *conn) onSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	switch c.settings++; {
	case c.settings > maxSettings:
		return excessive("too many SETTINGS")
	case f.NumSettings() > maxSetting || f.HasDuplicates():
		return misused("SETTINGS with too many settings, or one twice")
	}
	if err := f.ForeachSetting(c.set); err != nil {
		return err
	}
	return c.framer.WriteSettingsAck()
}

func (c *conn) set(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		return err // whose code depends on the setting
	}
	switch s.ID {
	case http2.SettingHeaderTableSize:
		c.encoder.SetMaxDynamicTableSizeLimit(min(s.Val, hpackTable))
	case http2.SettingMaxFrameSize:
		c.maxFrame = int(min(s.Val, maxFrameBytes))
	case http2.SettingInitialWindowSize:
		// It holds for the streams that are open as well (RFC 9113, section 6.9.2), which are many: only those that wait are
		// looked at. A window that becomes too large is noticed when it is used.
		grown := int64(s.Val) > c.newWindow
		if c.newWindow = int64(s.Val); grown {
			return c.resumeAll()
		}
	}
	return nil
}

func (c *conn) onPing(f *http2.PingFrame) error {
	if !f.IsAck() {
		return c.framer.WritePing(true, f.Data)
	}
	if f.Data == drainPing {
		c.drained()
	}
	return nil
}

func (c *conn) onReset(f *http2.RSTStreamFrame) error {
	if c.isIdle(f.StreamID) {
		return misused("RST_STREAM on a stream that was never opened")
	}
	if s := c.streams[f.StreamID]; s != nil {
		c.forget(s) // a stream whose HTTP request is over: how most of them end
	}
	return nil
}

func (c *conn) onWindowUpdate(f *http2.WindowUpdateFrame) error {
	if f.StreamID == 0 {
		if c.sendWindow += int64(f.Increment); c.sendWindow > maxWindow {
			return fault{http2.ErrCodeFlowControl, "WINDOW_UPDATE makes the window too large"}
		}
		return c.resume()
	}
	s := c.streams[f.StreamID]
	switch {
	case s != nil:
		if s.window += int64(f.Increment); c.windowOf(s) > maxWindow {
			return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeFlowControl}
		}
		return c.sendWaiting(s)
	case c.isIdle(f.StreamID):
		return misused("WINDOW_UPDATE on a stream that was never opened")
	}
	return nil
}
