package loop

import (
	"errors"
	"os"
	"time"

	"golang.org/x/net/http2"
)

// quietTimeout is how long a connection may be silent before its first stream. After that it may be idle for as long as its
// client likes: Envoy keeps the connections of its workers for an hour, and relies on them.
const quietTimeout = 5 * time.Minute

// greeted ends the handshake, with mu held. It reports whether there is a slot for the connection.
func (c *conn) greeted() bool {
	if g := c.server.Greeted; g != nil && !g(c.net) {
		_ = c.framer.WriteGoAway(0, http2.ErrCodeNo, []byte("too many connections"))
		c.write()
		return false
	}
	_ = c.net.SetReadDeadline(time.Now().Add(quietTimeout))
	return true
}

// stirred notes that a frame has come, with mu held.
func (c *conn) stirred() {
	if c.used {
		return
	}
	if c.last == 0 {
		_ = c.net.SetReadDeadline(time.Now().Add(quietTimeout))
		return
	}
	c.used = true
	_ = c.net.SetReadDeadline(time.Time{})
	if u := c.server.Used; u != nil {
		u(c.net)
	}
}

// leave sends GOAWAY if an error of reading is that quietTimeout is over.
func (c *conn) leave(err error) {
	if !c.used && errors.Is(err, os.ErrDeadlineExceeded) {
		_ = c.framer.WriteGoAway(0, http2.ErrCodeNo, []byte("no stream was opened"))
	}
}
