package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/corsproc/corsproc/server/admin"
)

const (
	// Nobody needs longer than this to send a request to the admin address, or to take an answer. To a profile package
	// pprof adds the time for which it was asked to record.
	adminReadTimeout  = 10 * time.Second
	adminWriteTimeout = 30 * time.Second
	adminIdleTimeout  = 2 * time.Minute
	adminMaxHeader    = 64 << 10
	// adminCloseTimeout is how long an answer that is on its way may take when the process ends.
	adminCloseTimeout = time.Second
)

// serveAdmin answers on the admin address, if there is one.
func (p *process) serveAdmin(failed chan<- error) {
	if p.adminListener == nil {
		return
	}
	refusals := &throttle{interval: time.Minute}
	limit := &adminLimit{max: maxAdminConnections, refused: func() {
		if refusals.allow() {
			p.log.Warn("connections to the admin address are closed at once: all that may be open are being answered", "max", maxAdminConnections)
		}
	}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // for gRPC
	p.admin = &http.Server{
		Protocols: protocols,
		Handler: limit.answers(admin.Handler(admin.Source{
			Policies: p.settings.Policies,
			Status:   p.policies.status,
			Reload:   p.policies.load,
			Ready:    p.ready.Load,
			Metrics:  p.metrics,
			Reloads:  p.policies.history,
			Activity: p.activity,
			Refusals: p.recent,
			Connections: func() (int64, int64) {
				return p.conns.placed(), int64(p.conns.max)
			},
			LogDecisions: p.logged.set,
			Logging:      p.logged.messages,
			Hosts:        p.settings.AdminHosts,
			Pprof:        p.settings.Pprof,
			Version:      p.version,
		})),
		ConnContext:       limit.known,
		ReadHeaderTimeout: adminReadTimeout,
		ReadTimeout:       adminReadTimeout,
		WriteTimeout:      adminWriteTimeout,
		IdleTimeout:       adminIdleTimeout,
		MaxHeaderBytes:    adminMaxHeader,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	p.workers.Go(func() {
		if err := p.admin.Serve(limit.wrap(p.adminListener)); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	})
}

// closeAdmin ends the admin server, the last thing to end, so that a drain can be watched.
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
