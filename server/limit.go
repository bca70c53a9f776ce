package server

import (
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// connLimit bounds the connections of several listeners together. Connections over the limit are accepted and closed at
// once, so that their clients learn of it: left in the backlog, they would wait for a place that never comes.
//
// It also knows which connections are open: gRPC's server waits for those that have not said HTTP/2 yet when it stops,
// which is up to [handshakeTimeout] for a connection that says nothing at all.
type connLimit struct {
	max     int
	refused func() // called for every connection over the limit

	mu     sync.Mutex
	open   map[*limitedConn]struct{}
	closed bool // no further connection is taken
}

func newConnLimit(max int, refused func()) *connLimit {
	return &connLimit{max: max, refused: refused, open: make(map[*limitedConn]struct{})}
}

// take reports whether there is a place for a connection, which it then has.
func (c *connLimit) take(conn *limitedConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.open) >= c.max {
		return false
	}
	c.open[conn] = struct{}{}
	return true
}

func (c *connLimit) release(conn *limitedConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// closeSilent closes the connections that never said anything, on which no stream can be.
func (c *connLimit) closeSilent() {
	c.close(func(conn *limitedConn) bool { return !conn.spoke.Load() })
}

// closeAll closes every connection, and lets none come after it.
func (c *connLimit) closeAll() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.close(func(*limitedConn) bool { return true })
}

func (c *connLimit) close(which func(*limitedConn) bool) {
	c.mu.Lock()
	conns := slices.Collect(maps.Keys(c.open))
	c.mu.Unlock()
	for _, conn := range conns {
		if which(conn) {
			conn.Close()
		}
	}
}

// wrap returns a listener whose connections count.
func (c *connLimit) wrap(l net.Listener) net.Listener { return &limitedListener{Listener: l, limit: c} }

type limitedListener struct {
	net.Listener
	limit *connLimit
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		limited := &limitedConn{Conn: conn, limit: l.limit}
		if l.limit.take(limited) {
			return limited, nil
		}
		conn.Close()
		l.limit.refused()
	}
}

type limitedConn struct {
	net.Conn
	limit *connLimit
	spoke atomic.Bool // a byte was read from it
}

func (c *limitedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.spoke.Load() {
		c.spoke.Store(true)
	}
	return n, err
}

func (c *limitedConn) Close() error {
	c.limit.release(c)
	return c.Conn.Close()
}
