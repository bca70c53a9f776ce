package server

// Tested by adminapi_test.go and hostile_test.go.

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/corsproc/corsproc/server/admin"
)

const (
	// How long a client of the admin address may take to send a request, to read its answer, and between requests. Profiles
	// have times of their own.
	adminReadTimeout  = 10 * time.Second
	adminWriteTimeout = 30 * time.Second
	adminIdleTimeout  = 2 * time.Minute
	adminMaxHeader    = 64 << 10
	// adminMaxConns is how many connections may be open, and adminMaxStreams how many requests of HTTP/2 on each. Operators
	// and Prometheus need a few.
	adminMaxConns   = 128
	adminMaxStreams = 16
	// adminCloseTimeout is how long requests in progress may take when the process ends.
	adminCloseTimeout = time.Second
)

// serveAdmin answers on the admin address, if there is one.
func (p *process) serveAdmin(failed chan<- error) {
	if p.adminListener == nil {
		return
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // for gRPC
	var connections func() (open, most int64)
	if p.conns != nil {
		connections = func() (int64, int64) { return p.conns.slots(), int64(p.conns.max) }
	}
	p.admin = &http.Server{
		Protocols: protocols,
		Handler: admin.Handler(admin.Source{
			Policies:     p.settings.Policies,
			Status:       p.policies.status,
			Reload:       p.policies.load,
			Ready:        p.ready.Load,
			Metrics:      p.metrics,
			Reloads:      p.policies.history,
			Activity:     p.activity,
			Refusals:     p.recent,
			Connections:  connections,
			LogDecisions: p.logged.Set,
			Logging:      p.logged.Messages,
			Hosts:        p.settings.AdminHosts,
			Pprof:        p.settings.Pprof,
			Version:      p.version,
		}),
		ReadHeaderTimeout: adminReadTimeout,
		ReadTimeout:       adminReadTimeout,
		WriteTimeout:      adminWriteTimeout,
		IdleTimeout:       adminIdleTimeout,
		MaxHeaderBytes:    adminMaxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: adminMaxStreams},
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	(&adminConns{most: adminMaxConns}).watch(p.admin)
	p.workers.Go(func() {
		if err := p.admin.Serve(p.adminListener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	})
}

// closeAdmin ends the admin server. It ends last, so that a drain can be watched.
func (p *process) closeAdmin() {
	if p.admin == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminCloseTimeout)
	defer cancel()
	if p.admin.Shutdown(ctx) != nil {
		p.admin.Close()
	}
}
