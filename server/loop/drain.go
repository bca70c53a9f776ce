package loop

// Tested by loop_test.go and work_test.go.

import (
	"io"
	"time"

	"golang.org/x/net/http2"
)

// drainPing is the ping by whose answer we know that the client has heard that it is to open no further stream.
var drainPing = [8]byte{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'}

// greeting is how long a client that has begun to say HTTP/2 may take for the rest of it once we drain.
const greeting = time.Second

// drain ends the connection once its streams have ended. A client that has not said HTTP/2 yet gets a moment to: it may be
// about to open a stream, which is served as those of others are.
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

// goAway sends a first GOAWAY: it tells the client to open no more streams, and those that it opened before it heard of that
// are still served. The second, when it has, says which was the last (RFC 9113, section 6.8).
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

// linger waits for the client to close its side: closing with something unread would make a reset of it, and the client
// could lose what it has not read yet.
func (c *conn) linger() {
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.Copy(io.Discard, io.LimitReader(c.net, connWindow))
}
