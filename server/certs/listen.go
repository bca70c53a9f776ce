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

// lingering and lingerBytes are how long, and for how much of what it has sent meanwhile, a client is waited for whose
// handshake has failed.
const (
	lingering   = time.Second
	lingerBytes = 64 << 10
)

// linger lets the client read why its handshake failed: closing with something unread would take the alert away that
// says so. It ends at once where the client is gone.
func (c *conn) linger() {
	half, ok := c.raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.Copy(io.Discard, io.LimitReader(c.raw, lingerBytes))
}

// Close closes the connection without a word, which for TLS is an end that came too early. One that ends well has had
// its CloseWrite before. The library's Close would wait up to 5 s for a client that does not read, of which a stop may
// have a thousand.
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
