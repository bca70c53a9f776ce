package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/corsproc/corsproc/server/admin"
)

// tlsLookInterval is how often the files of TLS are read. A change is taken up when two looks have found the same: that
// the certificate is replaced before its key must not be told as an error. There is no watch for events: these are three
// small files, and their change has to be found on every file system, and through every symbolic link.
const tlsLookInterval = time.Second

// certificates hold what TLS is spoken with, and replace it when the files hold something else that is good.
type certificates struct {
	files    *tlsFiles
	log      *slog.Logger
	metrics  *admin.TLSMetrics
	failures *tlsFailures

	current atomic.Pointer[tlsState]

	// Of the watch alone, and before it of newCertificates:
	reads     tlsReads
	attempted [sha256.Size]byte // the content of the latest attempt
	seen      [sha256.Size]byte // the content of the latest look
}

// newCertificates reads the files. It returns nil where the settings name no pair.
func newCertificates(files *tlsFiles) (*certificates, error) {
	if files.cert == "" || files.key == "" {
		return nil, nil
	}
	c := &certificates{files: files}
	content := files.read(&c.reads)
	state, err := files.parse(content)
	if err != nil {
		return nil, err
	}
	c.attempted, c.seen = content.sum, content.sum
	c.current.Store(state)
	return c, nil
}

// report says from now on what becomes of the files.
func (c *certificates) report(log *slog.Logger, metrics *admin.TLSMetrics) {
	c.log, c.metrics, c.failures = log, metrics, newTLSFailures(log, metrics)
	c.adopted(c.current.Load())
}

// watch takes up files that have changed until ctx is done.
func (c *certificates) watch(ctx context.Context) {
	ticker := time.NewTicker(tlsLookInterval)
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

// look reads the files, and takes them up if they have changed and rest.
func (c *certificates) look() {
	content := c.files.read(&c.reads)
	rests := content.sum == c.seen
	c.seen = content.sum
	if !rests || content.sum == c.attempted {
		return
	}
	c.attempted = content.sum
	state, err := c.files.parse(content)
	if err != nil {
		c.metrics.Failed()
		c.log.Error("TLS files not loaded; the last good ones stay in force", "error", err)
		return
	}
	c.current.Store(state)
	c.adopted(state)
}

// adopted tells of a state that is in force from now on.
func (c *certificates) adopted(s *tlsState) {
	c.metrics.Loaded(s.expires, s.clientCAsExpire)
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

// secure returns the listener with TLS; a unix socket as it is: its permissions say who may connect, and no other machine
// can.
func (c *certificates) secure(l net.Listener) net.Listener {
	if c == nil || l.Addr().Network() == "unix" {
		return l
	}
	return &tlsListener{Listener: l, config: c.config(), failures: c.failures}
}

// config returns the configuration of a listener, whose connections each begin with what is in force then. Those that
// are open go on with what they began with.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.current.Load().config, nil
		},
	}
}
