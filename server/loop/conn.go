package loop

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Limits of what a client can make us hold.
const (
	// readBytes is how much is read at once. Envoy's messages are below a kilobyte.
	readBytes = 16 << 10
	// maxFrameBytes is the largest frame that is read: the smallest limit that HTTP/2 allows (RFC 9113, section 4.2).
	maxFrameBytes = 16 << 10
	// maxHeaderBytes bounds the header block of a stream: compressed and in all its frames, and what it expands to, with
	// 32 bytes for each field (RFC 9113, section 6.5.2).
	maxHeaderBytes = 32 << 10
	// connWindow is how much a client may send before we take note of it, on all streams together. What is received is
	// used or refused at once, so that this bounds nothing but what is on its way.
	connWindow = 1 << 20
	// maxUnread bounds the parts of messages that have not come whole yet, of all streams of a connection together.
	maxUnread = 16 << 20
	// maxSettings bounds the frames of SETTINGS on a connection, each of which may cost a look at every open stream. Clients
	// send one or two.
	maxSettings = 1000
	// maxSetting bounds the settings in a frame.
	maxSetting = 100
	// maxWaiting bounds the answers that wait in a connection for its client to read on.
	maxWaiting = 1 << 20
)

// conn is a connection.
type conn struct {
	server *Server
	net    net.Conn

	// Of the reading goroutine alone:
	in      *bufio.Reader
	framer  *http2.Framer // reads from in, writes to out
	decoder *hpack.Decoder
	head    head // the header block that is being read

	// mu is held while a frame is handled, and by the few others that answer: relays and the drain. The loop never waits
	// for a client's bytes with it.
	mu          sync.Mutex
	streams     map[uint32]*stream
	last        uint32 // the highest stream that was opened
	out         bytes.Buffer
	encoder     *hpack.Encoder
	block       bytes.Buffer // that encoder writes to
	scratch     []byte       // the message that is being written
	sendWindow  int64        // what may still be sent on the connection
	newWindow   int64        // what may be sent on a new stream
	maxFrame    int          // the client's limit
	relays      int          // streams that are relayed, until nothing of them runs any more
	settings    int          // frames of SETTINGS that came
	blocked     int          // streams whose answers wait for a window
	waiting     int          // bytes of those answers
	received    int          // bytes of DATA since the connection's window was last refilled
	unread      int          // bytes of messages that are not whole
	spoke       bool         // the handshake is done
	used        bool         // a stream was opened
	draining    bool
	lastAllowed uint32 // streams above are not taken any more, once the drain's second GOAWAY is out
	failed      bool   // a write failed, or the connection was closed by us
	deadline    time.Time
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		server: s, net: nc,
		in:          bufio.NewReaderSize(nc, readBytes),
		streams:     map[uint32]*stream{},
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
	c.decoder.SetMaxStringLength(maxHeaderBytes)
	return c
}

const (
	// initialWindow is every window's size until somebody says otherwise (RFC 9113, section 6.9.2).
	initialWindow = 65535
	// hpackTable is the size of the table of headers (RFC 9113, section 6.5.2).
	hpackTable  = 4096
	maxStreamID = 1<<31 - 1
	maxWindow   = 1<<31 - 1
)

// serve serves the connection until it ends.
func (c *conn) serve() {
	defer c.close()
	if !c.handshake() {
		return
	}
	for {
		if !c.hasFrame() && !c.flush() {
			return
		}
		if !c.step() {
			c.linger()
			return
		}
	}
}

// step takes one frame. It reports whether there may be more.
func (c *conn) step() bool {
	f, err := c.framer.ReadFrame()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.announce(err)
		c.leave(err)
	} else if err = c.handle(f); err != nil {
		err = c.fail(err)
	}
	c.stirred()
	done := err != nil || c.finished()
	if done || c.out.Len() >= flushBytes {
		c.write()
	}
	return !done && !c.failed
}

// handshake takes the client's preface and sends ours (RFC 9113, section 3.4).
func (c *conn) handshake() bool {
	// For both directions: reading may make a handshake of TLS, which also writes.
	_ = c.net.SetDeadline(time.Now().Add(c.server.HandshakeTimeout))
	c.mu.Lock()
	settings := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: c.streamWindow()},
		{ID: http2.SettingMaxHeaderListSize, Val: maxHeaderBytes},
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
	f, err := c.framer.ReadFrame()
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
	return !c.failed && !c.draining
}

// streamWindow is how much a client may send on a stream before we refill its window: a message of the largest size, so
// that no client has to wait for us in the middle of one.
func (c *conn) streamWindow() uint32 {
	return uint32(min(max(c.server.MaxMessageBytes+prefixBytes, initialWindow), maxWindow))
}

// hasFrame reports whether a whole frame is here already. While there is one, nothing is sent: the answers to everything
// that came in one read leave in one write.
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
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol) // RFC 9113, section 8.4: clients do not push
	}
	return nil // GOAWAY, and what HTTP/2 does not know yet
}

// fail does what an error of a frame demands: it ends a stream, or else announces the end of the connection and returns
// the error.
func (c *conn) fail(err error) error {
	var ofStream http2.StreamError
	if errors.As(err, &ofStream) {
		c.reset(ofStream.StreamID, ofStream.Code)
		return nil
	}
	c.announce(err)
	return err
}

// announce tells the client why the connection ends, if there is anybody left to tell. An error of a stream in the
// reading of a frame counts for the connection: the header block that it might hold was not read.
func (c *conn) announce(err error) {
	var ofStream http2.StreamError
	var ofConn http2.ConnectionError
	var code http2.ErrCode
	switch {
	case errors.As(err, &ofConn):
		code = http2.ErrCode(ofConn)
	case errors.As(err, &ofStream):
		code = ofStream.Code
	case errors.Is(err, http2.ErrFrameTooLarge):
		code = http2.ErrCodeFrameSize
	default:
		return // the connection is gone
	}
	_ = c.framer.WriteGoAway(min(c.last, c.lastAllowed), code, nil)
}

// isIdle reports whether a stream was never opened (RFC 9113, section 5.1).
func (c *conn) isIdle(id uint32) bool { return id%2 == 0 || id > c.last }

// close ends what is still open.
func (c *conn) close() {
	c.net.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
	for _, s := range c.streams {
		c.forget(s)
	}
}

func (c *conn) onSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	switch c.settings++; {
	case c.settings > maxSettings:
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	case f.NumSettings() > maxSetting || f.HasDuplicates():
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if err := f.ForeachSetting(c.set); err != nil {
		return err
	}
	return c.framer.WriteSettingsAck()
}

func (c *conn) set(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		return err
	}
	switch s.ID {
	case http2.SettingHeaderTableSize:
		c.encoder.SetMaxDynamicTableSizeLimit(min(s.Val, hpackTable))
	case http2.SettingMaxFrameSize:
		c.maxFrame = int(min(s.Val, maxFrameBytes))
	case http2.SettingInitialWindowSize:
		// It holds for the streams that are open as well (RFC 9113, section 6.9.2).
		grown := int64(s.Val) - c.newWindow
		c.newWindow = int64(s.Val)
		for _, s := range c.streams {
			if s.window += grown; s.window > maxWindow {
				return http2.ConnectionError(http2.ErrCodeFlowControl)
			}
		}
		c.resume()
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
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if s := c.streams[f.StreamID]; s != nil {
		c.forget(s) // a stream whose HTTP request is over: how most of them end
	}
	return nil
}

func (c *conn) onWindowUpdate(f *http2.WindowUpdateFrame) error {
	if f.StreamID == 0 {
		shut := c.sendWindow <= 0
		if c.sendWindow += int64(f.Increment); c.sendWindow > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		if shut { // otherwise nothing waits for this window
			c.resume()
		}
		return nil
	}
	s := c.streams[f.StreamID]
	switch {
	case s != nil:
		if s.window += int64(f.Increment); s.window > maxWindow {
			return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeFlowControl}
		}
		c.sendWaiting(s)
	case c.isIdle(f.StreamID):
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return nil
}
