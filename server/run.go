package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/server/admin"
	"github.com/corsproc/corsproc/server/certs"
	"github.com/corsproc/corsproc/server/extproc"
	"github.com/corsproc/corsproc/server/logs"
	"github.com/corsproc/corsproc/server/loop"
	"github.com/corsproc/corsproc/server/tracing"
)

// Environment is what the process has beside its settings.
type Environment struct {
	// Log is where log records go.
	Log io.Writer
	// Signals are those sent to the process. SIGHUP has the policy files looked at. SIGTERM drains, and os.Interrupt drains
	// without the delay. A second one of these two stops at once.
	Signals <-chan os.Signal
	// Build is shown in metrics and on the admin page.
	Build Build
}

// Build says what is running.
type Build = admin.Build

// PolicyError is that the policy files hold no usable set when the process starts.
type PolicyError struct{ Findings []finding.Diagnostic }

func (e *PolicyError) Error() string { return "the policy files cannot be used" }

// Run serves until a signal to stop, or until ctx ends, which counts as os.Interrupt. It then returns nil, also if the drain
// timeout cut streams short. A stop during the first load returns at once and leaves the load behind. An error says why the
// process could not start or go on; it is a [*PolicyError] if the policies are why.
func Run(ctx context.Context, s Settings, env Environment) error {
	certificates, err := certs.Load(s.tls())
	if err := errors.Join(s.Validate(), err); err != nil {
		return err
	}
	p := newProcess(&s, env)
	p.certificates = certificates
	if stopped, err := p.awaitFirst(ctx, env.Signals); stopped || err != nil {
		return err
	}
	if err := p.startTracing(ctx); err != nil {
		return err
	}
	defer p.endTracing()
	if err := p.open(ctx); err != nil {
		return err
	}
	return p.serve(ctx, env.Signals)
}

// process is everything that lives as long as Run.
type process struct {
	settings *Settings
	log      *slog.Logger
	metrics  *admin.Metrics
	policies *policies
	refusals *logs.Refusals
	recent   *admin.Refusals // nil: nobody can look at them
	activity *admin.Activity
	logged   *logs.Decisions
	conns    *connLimit // nil: there are no listeners

	certificates *certs.Certificates // nil: no TLS
	tracer       *tracing.Tracer     // nil: no traces

	listeners     []net.Listener // none: the admin address is all there is
	adminListener net.Listener   // nil: there is none
	admin         *http.Server

	ready   atomic.Bool    // health says SERVING
	workers sync.WaitGroup // every goroutine of ours
	version string
	stopBy  time.Time // when streams that are open in a drain are cut short
}

func newProcess(s *Settings, env Environment) *process {
	p := &process{settings: s, log: logs.New(env.Log, s.LogFormat, s.LogLevel), metrics: admin.NewMetrics(env.Build), version: env.Build.Version}
	p.policies = newPolicies(s.Policies, p.metrics, p.log)
	p.refusals = logs.NewRefusals(p.log, p.policies.locate)
	p.logged = logs.NewDecisions(p.log, p.policies.locate)
	p.activity = admin.NewActivity(p.metrics)
	if s.AdminListen != "" {
		p.recent = admin.NewRefusals()
	}
	return p
}

// awaitFirst loads the policy files. A large set takes seconds, and standard input may never end: if a signal to stop comes
// first, it returns true.
func (p *process) awaitFirst(ctx context.Context, signals <-chan os.Signal) (stopped bool, err error) {
	loaded := make(chan error, 1)
	go func() { loaded <- p.loadFirst() }()
	for {
		select {
		case err := <-loaded:
			return false, err
		case <-ctx.Done():
			return true, nil
		case s := <-signals:
			if s != syscall.SIGHUP {
				return true, nil
			}
		}
	}
}

// loadFirst loads the policy files. A process never starts without a good set.
func (p *process) loadFirst() error {
	a := p.policies.read()
	switch {
	case a.Err != nil:
		return fmt.Errorf("policies: %w", a.Err)
	case !a.Good():
		return &PolicyError{Findings: a.Result.Findings}
	}
	p.policies.take(a)
	return nil
}

// open opens all addresses, or none.
func (p *process) open(ctx context.Context) error {
	listeners, err := listenAll(ctx, p.settings.Listen, p.settings.SocketMode)
	if p.settings.AdminListen == "" {
		p.listeners = listeners
		return err
	}
	adminListeners, adminErr := listenAll(ctx, []string{p.settings.AdminListen}, p.settings.SocketMode)
	if err := errors.Join(err, adminErr); err != nil {
		closeAll(listeners)
		closeAll(adminListeners)
		return err
	}
	p.listeners, p.adminListener = listeners, adminListeners[0]
	return nil
}

// serve answers on the open addresses until it is told to stop.
func (p *process) serve(ctx context.Context, signals <-chan os.Signal) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer p.finish()
	defer cancel()
	p.workers.Go(func() { p.refusals.Run(background) })
	p.workers.Go(func() { p.logged.Run(background) })
	if p.recent != nil {
		p.workers.Go(func() { p.activity.Run(background) })
	}
	p.workers.Go(func() { p.policies.run(background) })
	p.workers.Go(func() { p.watch(background) })
	p.startTLS(background)

	if len(p.listeners) > 0 {
		p.conns = p.newConnLimit()
	}
	transport, err := newTransport(p.settings, p.conns, p.hooks(), p.connectionEnded(), p.policies.set)
	if err != nil {
		return err
	}
	defer transport.close()
	failed := make(chan error, len(p.listeners)+1)
	for _, l := range p.listeners {
		p.workers.Go(func() {
			if err := transport.Serve(p.certificates.Secure(p.conns.wrap(l))); err != nil {
				failed <- err
			}
		})
	}
	p.serveAdmin(failed)
	defer p.closeAdmin()

	transport.setServing(true)
	p.ready.Store(true)
	adminAddress := ""
	if p.adminListener != nil {
		adminAddress = addressOf(p.adminListener)
	}
	p.log.Info("ready", "listen", addressesOf(p.listeners), "admin", adminAddress)

	delay, err := p.untilStop(ctx, signals, failed)
	p.ready.Store(false)
	transport.setServing(false)
	if err != nil {
		transport.Stop()
		return err
	}
	p.stopBy = time.Now().Add(delay + p.settings.DrainTimeout)
	p.log.Info("draining", "delay", delay.String(), "timeout", p.settings.DrainTimeout.String())
	(&drain{
		delay: delay, timeout: p.settings.DrainTimeout, log: p.log,
		graceful: transport.GracefulStop,
		stop:     transport.Stop,
	}).run(signals)
	p.log.Info("stopped")
	return nil
}

// untilStop waits for a reason to stop. It returns for how long new streams are still served, or the error of a listener.
func (p *process) untilStop(ctx context.Context, signals <-chan os.Signal, failed <-chan error) (time.Duration, error) {
	for {
		select {
		case <-ctx.Done():
			return 0, nil
		case err := <-failed:
			return 0, err
		case s := <-signals:
			switch s {
			case syscall.SIGHUP:
				p.policies.hangUp()
			case os.Interrupt:
				return 0, nil
			default:
				return p.drainDelay(), nil
			}
		}
	}
}

// drainDelay returns for how long new streams are still served after SIGTERM. Without listeners there are none to wait for.
func (p *process) drainDelay() time.Duration {
	if len(p.listeners) == 0 {
		return 0
	}
	return p.settings.DrainDelay
}

// watch has changed files loaded.
func (p *process) watch(ctx context.Context) {
	err := policydir.Watch(ctx, p.settings.Policies, p.settings.ReloadInterval, p.policies.origins, func() { p.policies.load() })
	if err != nil && ctx.Err() == nil {
		p.log.Error("the policy files are no longer watched; SIGHUP and /-/reload still work", "error", err)
	}
}

// startTLS has changed TLS files taken up from now on, and logs what is in force.
func (p *process) startTLS(ctx context.Context) {
	if p.certificates == nil {
		return
	}
	tls := p.metrics.TLS()
	p.certificates.Report(p.log, certs.Hooks{Loaded: tls.Loaded, Failed: tls.Failed, HandshakeFailed: tls.HandshakeFailed})
	p.workers.Go(func() { p.certificates.Watch(ctx) })
	switch {
	case len(p.listeners) == 0:
		p.log.Warn("TLS is for --listen alone, and there is none: tls-cert, tls-key and tls-client-ca mean nothing; the admin address has no TLS")
	case !slices.ContainsFunc(p.listeners, func(l net.Listener) bool { return l.Addr().Network() != "unix" }):
		p.log.Warn("there is no TLS on unix sockets, and all listeners are: tls-cert, tls-key and tls-client-ca mean nothing")
	}
}

// hooks returns what counts and logs streams.
func (p *process) hooks() extproc.Hooks {
	panics := &logs.Throttle{Interval: time.Second}
	logRefusals := p.log.Enabled(context.Background(), slog.LevelInfo)
	hooks := extproc.Hooks{
		StreamStarted: p.metrics.StreamStarted,
		StreamEnded:   p.metrics.StreamEnded,
		Received:      p.metrics.MessageReceived,
		Decided: func(set *policy.Set, r *policy.Request, d *policy.Decision, took time.Duration) {
			p.metrics.Decided(d, took)
			p.logged.Decided(set, r, d, took)
			if d.Verdict != policy.Refused && d.Verdict != policy.Rejected {
				return
			}
			if logRefusals {
				p.refusals.Refused(set, r, d)
			}
			if p.recent != nil {
				p.recent.Add(r, d)
			}
		},
		Panicked: func(recovered any, stack []byte) {
			p.metrics.Panicked()
			if panics.Allow() {
				p.log.Error("a bug in corsproc ended a stream", "panic", recovered, "stack", string(stack))
			}
		},
	}
	if p.tracer != nil {
		hooks.Observe = p.tracer.Observe
	}
	return hooks
}

// connectionEnded returns what counts and logs connections that we end. Each is worth a look, since all streams of an Envoy's
// worker share one. But whoever reaches the port can cause any number, so few are logged.
func (p *process) connectionEnded() func(loop.Ended) {
	warnings := &logs.Throttle{Interval: 10 * time.Second}
	return func(e loop.Ended) {
		p.metrics.ConnectionEnded(e.Code)
		if warnings.Allow() {
			p.log.Warn("a connection was ended because of what came on it; the streams on it are lost",
				"client", e.Client.String(), "code", e.Code.String(), "reason", e.Reason, "streams", e.Streams)
		}
	}
}

// finish waits for our goroutines, for a second at most: one may be reading a policy file from a disk that does not answer.
func (p *process) finish() {
	const enough = time.Second
	done := make(chan struct{})
	go func() {
		p.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(enough):
		p.log.Warn("something does not end; leaving it behind")
	}
}

// newConnLimit returns the bound on the connections of all listeners.
func (p *process) newConnLimit() *connLimit {
	refused, displaced := &logs.Throttle{Interval: time.Minute}, &logs.Throttle{Interval: time.Minute}
	conns := newConnLimit(p.settings.MaxConnections, func() {
		p.metrics.ConnectionRefused()
		if refused.Allow() {
			p.log.Warn("connections are closed at once: max-connections are open", "max", p.settings.MaxConnections)
		}
	}, func() {
		p.metrics.ConnectionDisplaced()
		if displaced.Allow() {
			p.log.Warn("connections that ask for nothing are closed to make room for others", "max", p.settings.MaxConnections)
		}
	})
	p.metrics.WatchConnections(p.settings.MaxConnections, conns.slots, conns.greeting)
	return conns
}
