package certs

// Tested by files_test.go and server/tls_test.go.

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

// lookInterval is how often the TLS files are read. A change is taken up when two looks in a row find the same. Otherwise a
// certificate that is replaced a moment before its key would be told as an error. There is no watch for events: the files
// are three and small, and reading them finds every change, on every file system and behind every symbolic link.
const lookInterval = time.Second

// Certificates hold what TLS is spoken with, and replace it when the files hold something else that is good.
type Certificates struct {
	files    *Files
	log      *slog.Logger
	hooks    Hooks
	failures *failures

	current atomic.Pointer[state]

	// Of the watch alone, and before it of Load:
	reads     reads
	attempted [sha256.Size]byte // the content of the latest attempt
	seen      [sha256.Size]byte // the content of the latest look
}

// Hooks are told what becomes of the files, and of handshakes. They are called from several goroutines, and none is nil.
type Hooks struct {
	// Loaded is told when the certificates that are in force from now on expire. A zero clientCAs: there are none.
	Loaded func(cert, clientCAs time.Time)
	// Failed is called where files have changed and cannot be used.
	Failed func()
	// HandshakeFailed is told why a handshake failed.
	HandshakeFailed func(HandshakeFailure)
}

// Load reads the files. It returns nil where they name no pair, and an error that says everything that is wrong with them,
// one line each.
func Load(files *Files) (*Certificates, error) {
	if files.Cert == "" || files.Key == "" {
		return nil, nil
	}
	c := &Certificates{files: files}
	found := files.read(&c.reads)
	state, err := files.parse(found)
	if err != nil {
		return nil, err
	}
	c.attempted, c.seen = found.sum, found.sum
	c.current.Store(state)
	return c, nil
}

// Report tells log and hooks what is in force, and from now on what becomes of the files. It is called once, before
// [Certificates.Watch] and [Certificates.Secure].
func (c *Certificates) Report(log *slog.Logger, hooks Hooks) {
	c.log, c.hooks, c.failures = log, hooks, newFailures(log, hooks.HandshakeFailed)
	c.adopted(c.current.Load())
}

// Watch takes up files that have changed until ctx is done.
func (c *Certificates) Watch(ctx context.Context) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.look()
		case <-ctx.Done():
			return
		}
	}
}

// look reads the files, and takes them up if they differ from the last attempt and are as they were a look ago.
func (c *Certificates) look() {
	found := c.files.read(&c.reads)
	rests := found.sum == c.seen
	c.seen = found.sum
	if !rests || found.sum == c.attempted {
		return
	}
	c.attempted = found.sum
	state, err := c.files.parse(found)
	if err != nil {
		c.hooks.Failed()
		c.log.Error("TLS files not loaded; the last good ones stay in force", "error", err)
		return
	}
	c.current.Store(state)
	c.adopted(state)
}

// adopted tells of a state that is in force from now on.
func (c *Certificates) adopted(s *state) {
	c.hooks.Loaded(s.expires, s.clientCAsExpire)
	fingerprint := sha256.Sum256(s.leaf.Raw)
	attrs := []any{"sha256", hex.EncodeToString(fingerprint[:]), "expires", s.expires}
	if !s.clientCAsExpire.IsZero() {
		attrs = append(attrs, "client_ca_expires", s.clientCAsExpire)
	}
	c.log.Info("TLS files loaded", attrs...)
	now := time.Now()
	if now.Before(s.leaf.NotBefore) || now.After(s.expires) {
		c.log.Warn("the TLS certificate is not valid now: clients will refuse it", "from", s.leaf.NotBefore, "until", s.expires)
	}
	if !s.clientCAsExpire.IsZero() && now.After(s.clientCAsExpire) {
		c.log.Warn("every client CA has expired: no client will be let in", "until", s.clientCAsExpire)
	}
}

// Secure returns the listener with TLS. It returns l itself if c is nil or l is a unix socket: no other machine reaches that,
// and its permissions say who may connect.
func (c *Certificates) Secure(l net.Listener) net.Listener {
	if c == nil || l.Addr().Network() == "unix" {
		return l
	}
	return &listener{Listener: l, config: c.config(), failures: c.failures}
}

// config returns the configuration of a listener, whose connections each begin with what is in force then. Those that
// are open go on with what they began with.
func (c *Certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.current.Load().config, nil
		},
	}
}
