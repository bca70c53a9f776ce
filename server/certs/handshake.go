package certs

// Tested by names_test.go and server/tls_test.go.

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

	"github.com/corsproc/corsproc/policy/printable"
	"github.com/corsproc/corsproc/server/logs"
)

// HandshakeFailure is why a TLS handshake failed, as a label says it.
type HandshakeFailure string

// The reasons for which TLS handshakes fail.
const (
	// HandshakeClientCertificate: the client has no certificate, or none that is let in.
	HandshakeClientCertificate HandshakeFailure = "client_certificate"
	// HandshakeRefusedByClient: the client said why it does not go on, mostly because it does not trust our certificate.
	HandshakeRefusedByClient HandshakeFailure = "refused_by_client"
	// HandshakeTimeout: the client took too long.
	HandshakeTimeout HandshakeFailure = "timeout"
	// HandshakeClosed: the client went away, as port probes do.
	HandshakeClosed HandshakeFailure = "closed"
	// HandshakeOther: anything else, such as a client that speaks no TLS or too old a one.
	HandshakeOther HandshakeFailure = "other"
)

// HandshakeFailures are all of them.
var HandshakeFailures = []HandshakeFailure{
	HandshakeClientCertificate, HandshakeRefusedByClient, HandshakeTimeout, HandshakeClosed, HandshakeOther,
}

// failures counts handshakes that fail, and logs them: of each reason one a minute at most, since anybody can make as
// many as they like, and those of a scanner must not hide those of a client that was forgotten in a rotation.
type failures struct {
	log    *slog.Logger
	told   func(HandshakeFailure)
	logged map[HandshakeFailure]*logs.Throttle
}

func newFailures(log *slog.Logger, told func(HandshakeFailure)) *failures {
	f := &failures{log: log, told: told, logged: map[HandshakeFailure]*logs.Throttle{}}
	for _, reason := range HandshakeFailures {
		if reason != HandshakeClosed { // what a probe of the port does
			f.logged[reason] = &logs.Throttle{Interval: time.Minute}
		}
	}
	return f
}

// count takes note of a failure, and returns what it is about.
func (f *failures) count(err error, from net.Addr) HandshakeFailure {
	reason := handshakeFailure(err)
	f.told(reason)
	if limit := f.logged[reason]; limit != nil && limit.Allow() {
		// An error may quote what the client sent.
		f.log.Warn("TLS handshakes fail", "reason", string(reason), "error", printable.ASCII(err.Error(), maxLoggedError), "client", from.String())
	}
	return reason
}

// maxLoggedError is how many bytes of an error with a client's words are logged.
const maxLoggedError = 512

// handshakeFailure says what an error of a handshake is about.
func handshakeFailure(err error) HandshakeFailure {
	var unverified *tls.CertificateVerificationError
	var name *clientNameError
	var op *net.OpError
	switch {
	case errors.As(err, &unverified), errors.As(err, &name), strings.HasSuffix(err.Error(), "client didn't provide a certificate"):
		return HandshakeClientCertificate
	case errors.Is(err, os.ErrDeadlineExceeded):
		return HandshakeTimeout
	case errors.As(err, &op) && op.Op == "remote error":
		return HandshakeRefusedByClient
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
		return HandshakeClosed
	}
	return HandshakeOther
}
