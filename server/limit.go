package server

import (
	"net"
	"sync"
	"sync/atomic"
)

// connLimit bounds the connections of several listeners together. Connections over the limit are accepted and closed at
// once, so that their clients learn of it: left in the backlog, they would wait for a place that never comes.
type connLimit struct {
	max     int64
	refused func() // called for every connection over the limit
	open    atomic.Int64
}

func newConnLimit(max int, refused func()) *connLimit {
	return &connLimit{max: int64(max), refused: refused}
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
		if l.limit.open.Add(1) <= l.limit.max {
			return &limitedConn{Conn: conn, limit: l.limit}, nil
		}
		l.limit.open.Add(-1)
		conn.Close()
		l.limit.refused()
	}
}

type limitedConn struct {
	net.Conn
	limit *connLimit
	once  sync.Once
}

func (c *limitedConn) Close() error {
	c.once.Do(func() { c.limit.open.Add(-1) })
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more comes.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
