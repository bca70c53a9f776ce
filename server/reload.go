package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/corsproc/corsproc/internal/fault"
	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	"github.com/corsproc/corsproc/server/admin"
)

// policies holds the policy set in force, and replaces it when the files hold another good one.
//
// One goroutine loads them ([policies.run]), whoever asks for it: the watch on the files, SIGHUP, or POST /-/reload. So
// attempts are made, counted and told in one order.
type policies struct {
	read    func() policydir.Attempt // looks at the files; not safe for concurrent use
	origins func() []string          // what [policydir.Watch] is to be told
	metrics *admin.Metrics
	log     *slog.Logger
	history *admin.Reloads

	asked   chan chan<- policydir.Attempt // who asks waits for the answer
	hungUp  chan struct{}                 // room for one SIGHUP; more, before it is heard, change nothing
	stopped chan struct{}                 // closed when nobody loads any more

	current atomic.Pointer[inForce]           // nil before the first good load
	last    atomic.Pointer[policydir.Attempt] // the latest that was not unchanged
}

// inForce is a set in force. It is immutable, and replaced as a whole.
type inForce struct {
	result *policyfile.Result
	since  time.Time
}

func newPolicies(path string, metrics *admin.Metrics, log *slog.Logger) *policies {
	loader := policydir.NewLoader(path, whileServing)
	return &policies{
		read: loader.Load, origins: loader.Origins, metrics: metrics, log: log, history: admin.NewReloads(path),
		asked: make(chan chan<- policydir.Attempt), hungUp: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
}

// run loads the files for everybody who asks, until ctx is done. It is called once, after the first load.
func (p *policies) run(ctx context.Context) {
	defer close(p.stopped)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-p.hungUp:
			p.take(p.look())
		case answer := <-p.asked:
			a := p.look()
			p.take(a)
			answer <- a
		}
	}
}

// errFault is why an attempt failed that met a fault of ours, which is logged by itself.
var errFault = errors.New("a bug in corsproc ended the load; the log tells more")

// look looks at the files. A fault of ours is a failed attempt, and not the end of the process: it would not start again with these
// files.
func (p *policies) look() (a policydir.Attempt) {
	defer func() {
		if met := fault.Of(recover()); met != nil {
			p.metrics.Panicked()
			p.log.Error("a bug in corsproc ended a load of the policies", "panic", fmt.Sprint(met.Value), "stack", string(met.Stack))
			a = policydir.Attempt{Time: time.Now(), Err: errFault}
		}
	}()
	a = p.read()
	if a.Good() && p.last.Load().Err == errFault {
		a.Unchanged = false // for the loader, which does not know of the fault
	}
	return a
}

// errStopped is what [policies.load] returns when the process ends.
var errStopped = errors.New("the policy files are not loaded any more: the process ends")

// load has the files loaded, and returns what that very load found. The load begins after the call.
func (p *policies) load() policydir.Attempt {
	answer := make(chan policydir.Attempt, 1)
	select {
	case p.asked <- answer:
		return <-answer
	case <-p.stopped:
		return policydir.Attempt{Time: time.Now(), Err: errStopped}
	}
}

// hangUp has the files loaded, and does not wait for it.
func (p *policies) hangUp() {
	select {
	case p.hungUp <- struct{}{}:
	default: // a load is to come that has not begun
	}
}

// take puts the set of an attempt in force if it is a good one, and tells of the attempt. Unchanged files are no news.
func (p *policies) take(a policydir.Attempt) {
	if a.Unchanged {
		return
	}
	if a.Good() {
		// The metrics learn the new names first, so that no decision of the new set goes uncounted.
		p.metrics.InForce(a.Result.Set, a.Result.Hash)
		p.current.Store(&inForce{result: a.Result, since: time.Now()})
	}
	p.last.Store(&a)
	p.metrics.Attempted(a.Time, a.Good())
	p.history.Attempted(a)
	p.report(a)
}

// set returns the set in force, for a stream that begins.
func (p *policies) set() *policy.Set { return p.current.Load().result.Set }

// status returns what the admin address shows.
func (p *policies) status() admin.Status {
	last, now := p.last.Load(), p.current.Load()
	return admin.Status{InForce: now.result, Since: now.since, Last: *last}
}

// locate returns where a rule of a set stands: file:line:column. It returns "" if the set is not in force any more, or if no
// file says it.
func (p *policies) locate(set *policy.Set, rule policy.Rule) string {
	return p.current.Load().result.Where(set, rule)
}

// maxLoggedFindings bounds how many errors of one bad content are logged. The admin address and `corsproc check` show all.
const maxLoggedFindings = 100

// report logs an attempt that found something new. Errors are logged one by one. Warnings are only counted: they are for
// those who write policies, and check prints them.
func (p *policies) report(a policydir.Attempt) {
	const bad = "policies not loaded; the last good set stays in force"
	if a.Err != nil {
		p.log.Error(bad, "error", a.Err)
		return
	}
	var faults []finding.Diagnostic
	warnings := 0
	for _, f := range a.Result.Findings {
		switch f.Severity {
		case finding.Error:
			faults = append(faults, f)
		case finding.Warning:
			warnings++
		}
	}
	if a.Good() {
		p.log.Info("policies loaded", "hash", a.Result.Hash, "warnings", warnings)
		return
	}
	p.log.Error(bad, "hash", a.Result.Hash, "errors", len(faults))
	for i, f := range faults {
		if i == maxLoggedFindings {
			p.log.Error("further policy errors are not logged", "count", len(faults)-i)
			return
		}
		p.log.Error("policy error", "place", f.FileLine(),
			"code", string(f.Code), "field", f.Field, "message", f.Message, "fix", f.Fix)
	}
}
