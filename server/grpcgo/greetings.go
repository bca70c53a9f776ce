package grpcgo

// Tested by server/transports_test.go.

import (
	"io"
	"net"
	"sync"

	"golang.org/x/net/http2"
)

// greetings are the connections on which HTTP/2's preface has not come yet. grpc-go does not tell how far a connection is. So
// the bytes that it reads are counted: those of the preface, and of the head of the frame behind it.
type greetings struct {
	done func(net.Conn) bool // told when one has; false: there is no slot for it. It may be nil

	mu    sync.Mutex
	conns map[*greetConn]struct{}
}

// greetingBytes is the length of a preface and of a frame's head (RFC 9113, sections 3.4 and 4.1).
const greetingBytes = len(http2.ClientPreface) + 9

func newGreetings(done func(net.Conn) bool) *greetings {
	return &greetings{done: done, conns: map[*greetConn]struct{}{}}
}

// end closes them.
func (g *greetings) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.Conn.Close()
	}
}

func (g *greetings) forget(c *greetConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

func (g *greetings) wrap(l net.Listener) net.Listener { return &greetListener{l, g} }

type greetListener struct {
	net.Listener
	greetings *greetings
}

func (l *greetListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &greetConn{Conn: nc, greetings: l.greetings}
	l.greetings.mu.Lock()
	defer l.greetings.mu.Unlock()
	l.greetings.conns[c] = struct{}{}
	return c, nil
}

type greetConn struct {
	net.Conn
	greetings *greetings
	seen      int // of the greeting; of the reading goroutine alone
}

func (c *greetConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.seen >= greetingBytes {
		return n, err
	}
	if c.seen += n; c.seen < greetingBytes {
		return n, err
	}
	c.greetings.forget(c)
	if done := c.greetings.done; done != nil && !done(c.Conn) {
		c.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

func (c *greetConn) Close() error {
	c.greetings.forget(c)
	return c.Conn.Close()
}

// RemoteAddr returns where the client is. A stream knows nothing else of its connection, so this leads back to it.
func (c *greetConn) RemoteAddr() net.Addr { return greetAddr{c.Conn.RemoteAddr(), c} }

type greetAddr struct {
	net.Addr
	conn *greetConn
}
