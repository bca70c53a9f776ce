package server

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/corsproc/corsproc/server/admin"
)

// tlsListener is a listener whose connections speak TLS. Accepting one waits for nothing: the handshake is made by the
// first read, in the goroutine and within the deadline of whoever reads.
type tlsListener struct {
	net.Listener
	config   *tls.Config
	failures *tlsFailures
}

func (l *tlsListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tlsConn{Conn: tls.Server(conn, l.config), raw: conn, failures: l.failures}, nil
}

// tlsConn is a TLS connection that can be half closed, and closed by anybody at once.
type tlsConn struct {
	*tls.Conn
	raw      net.Conn
	failures *tlsFailures
	shaken   bool // of the reading goroutine alone
}

// Read makes the handshake first.
func (c *tlsConn) Read(p []byte) (int, error) {
	if !c.shaken {
		c.shaken = true
		if err := c.Conn.Handshake(); err != nil {
			if reason := c.failures.count(err, c.raw.RemoteAddr()); reason == admin.HandshakeClientCertificate || reason == admin.HandshakeOther {
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
func (c *tlsConn) linger() {
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
func (c *tlsConn) Close() error { return c.raw.Close() }

// CloseWrite tells the client that nothing more comes, in the words of TLS and then of TCP.
func (c *tlsConn) CloseWrite() error {
	if err := c.Conn.CloseWrite(); err != nil {
		return err
	}
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// tlsFailures counts handshakes that fail, and logs them: of each reason one a minute at most, since anybody can make as
// many as they like, and those of a scanner must not hide those of a client that was forgotten in a rotation.
type tlsFailures struct {
	log     *slog.Logger
	metrics *admin.TLSMetrics
	logged  map[admin.HandshakeFailure]*throttle
}

func newTLSFailures(log *slog.Logger, metrics *admin.TLSMetrics) *tlsFailures {
	f := &tlsFailures{log: log, metrics: metrics, logged: map[admin.HandshakeFailure]*throttle{}}
	for _, reason := range admin.HandshakeFailures {
		if reason != admin.HandshakeClosed { // what a probe of the port does
			f.logged[reason] = &throttle{interval: time.Minute}
		}
	}
	return f
}

// count takes note of a failure, and returns what it is about.
func (f *tlsFailures) count(err error, from net.Addr) admin.HandshakeFailure {
	reason := handshakeFailure(err)
	f.metrics.HandshakeFailed(reason)
	if limit := f.logged[reason]; limit != nil && limit.allow() {
		// An error may quote what the client sent.
		f.log.Warn("TLS handshakes fail", "reason", string(reason), "error", shown(cut(err.Error(), maxLoggedError), false), "client", from.String())
	}
	return reason
}

// maxLoggedError is how many bytes of an error with a client's words are logged.
const maxLoggedError = 512

// handshakeFailure says what an error of a handshake is about.
func handshakeFailure(err error) admin.HandshakeFailure {
	var unverified *tls.CertificateVerificationError
	var name *clientNameError
	var op *net.OpError
	switch {
	case errors.As(err, &unverified), errors.As(err, &name), strings.HasSuffix(err.Error(), "client didn't provide a certificate"):
		return admin.HandshakeClientCertificate
	case errors.Is(err, os.ErrDeadlineExceeded):
		return admin.HandshakeTimeout
	case errors.As(err, &op) && op.Op == "remote error":
		return admin.HandshakeRefusedByClient
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
		return admin.HandshakeClosed
	}
	return admin.HandshakeOther
}
