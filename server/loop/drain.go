package loop

// Tested by loop_test.go and work_test.go.

import (
	"io"
	"time"

	"golang.org/x/net/http2"
)

// drainPing is sent behind the first GOAWAY. Who answers it has read that GOAWAY.
var drainPing = [8]byte{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'}

// greeting is how long a client may take for the rest of HTTP/2's preface once we drain.
const greeting = time.Second

// drain begins the end of the connection, which comes when its streams have ended. A client that is still in its greeting
// gets a moment: it may be about to open a stream, and that is served.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	for s := range c.watches {
		c.end(s, watchEnds)
	}
	if !c.spoke {
		// The earlier one counts, so that a drain gives nobody more time than there was.
		if by := time.Now().Add(greeting); by.Before(c.greetBy) {
			_ = c.net.SetDeadline(by)
		}
		return
	}
	c.goAway()
	c.write()
}

// goAway sends the first GOAWAY, which tells the client to open no more streams. Those that it opens before it has read it are
// still served. The second GOAWAY names the last stream that was (RFC 9113, section 6.8).
func (c *conn) goAway() {
	_ = c.framer.WriteGoAway(maxStreamID, http2.ErrCodeNo, nil)
	_ = c.framer.WritePing(false, drainPing)
}

// drained takes the client's answer.
func (c *conn) drained() {
	if c.draining && c.lastAllowed == maxStreamID {
		c.lastAllowed = c.last
		_ = c.framer.WriteGoAway(c.last, http2.ErrCodeNo, nil)
	}
}

// finished reports whether a drained connection has nothing left to do.
func (c *conn) finished() bool {
	return c.draining && c.lastAllowed != maxStreamID && len(c.streams) == 0
}

// wake lets the loop see that the connection is finished.
func (c *conn) wake() { _ = c.net.SetReadDeadline(time.Unix(1, 0)) }

// lingering is how long a client may take to close a connection that has ended well.
const lingering = time.Second

// linger waits until the client has closed its side. If we closed with something unread, TCP would reset the connection, and
// the client could lose what it has not read yet.
func (c *conn) linger() {
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.Copy(io.Discard, io.LimitReader(c.net, connWindow))
}
