package certs

// Tested by names_test.go and server/tls_test.go.

import (
	"crypto/tls"
	"io"
	"net"
	"time"
)

// listener is a listener whose connections speak TLS. Accepting one waits for nothing: the handshake is made by the
// first read, in the goroutine and within the deadline of whoever reads.
type listener struct {
	net.Listener
	config   *tls.Config
	failures *failures
}

func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: tls.Server(inner, l.config), raw: inner, failures: l.failures}, nil
}

// conn is a TLS connection that can be half closed, and closed by anybody at once.
type conn struct {
	*tls.Conn
	raw      net.Conn
	failures *failures
	shaken   bool // of the reading goroutine alone
}

// Read makes the handshake first.
func (c *conn) Read(p []byte) (int, error) {
	if !c.shaken {
		c.shaken = true
		if err := c.Conn.Handshake(); err != nil {
			if reason := c.failures.count(err, c.raw.RemoteAddr()); reason == HandshakeClientCertificate || reason == HandshakeOther {
				c.linger() // it is we who refuse
			}
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// After a failed handshake, we wait for the client this long at most, and read this many bytes at most.
const (
	lingering   = time.Second
	lingerBytes = 64 << 10
)

// linger lets the client read the alert that says why its handshake failed. If we closed with something unread, TCP would
// reset the connection, and the alert would be lost. It returns at once if the client is gone.
func (c *conn) linger() {
	half, ok := c.raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.Copy(io.Discard, io.LimitReader(c.raw, lingerBytes))
}

// Close closes the connection without TLS's closing alert. A connection that ends well has sent it by CloseWrite before. The
// library's Close would wait up to 5 s for a client that does not read, and a stop may have a thousand of them.
func (c *conn) Close() error { return c.raw.Close() }

// CloseWrite tells the client that nothing more comes, in the words of TLS and then of TCP.
func (c *conn) CloseWrite() error {
	if err := c.Conn.CloseWrite(); err != nil {
		return err
	}
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
