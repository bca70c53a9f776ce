package server

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
	"github.com/corsproc/corsproc/server/admin"
	"github.com/corsproc/corsproc/server/extproc"
)

// policies holds the policy set in force, and replaces it when the files hold another good one.
type policies struct {
	loader  *policyfile.Loader
	metrics *admin.Metrics
	log     *slog.Logger
	history *admin.Reloads

	current atomic.Pointer[inForce] // nil before the first good load

	mu   sync.Mutex
	last policyfile.Attempt // the latest that was not unchanged
}

// inForce is a set in force. It is immutable, and replaced as a whole.
type inForce struct {
	prepared *extproc.Prepared
	result   *policyfile.Result
	since    time.Time
}

func newPolicies(path string, metrics *admin.Metrics, log *slog.Logger) *policies {
	p := &policies{metrics: metrics, log: log, history: admin.NewReloads(path)}
	p.loader = policyfile.NewLoader(path, p.apply, aside)
	return p
}

// apply puts a good set in force. The loader calls it, one call at a time.
func (p *policies) apply(r *policyfile.Result) {
	next := &inForce{prepared: extproc.Prepare(r.Set), result: r, since: time.Now()}
	// The metrics learn the new names first, so that no decision of the new set goes uncounted.
	p.metrics.InForce(r.Set, r.Hash)
	p.current.Store(next)
}

// prepared returns the set in force, for a stream that begins.
func (p *policies) prepared() *extproc.Prepared { return p.current.Load().prepared }

// load looks at the files now.
func (p *policies) load() policyfile.Attempt {
	a := p.loader.Load()
	p.attempted(a)
	return a
}

// attempted takes note of an attempt, whoever caused it.
func (p *policies) attempted(a policyfile.Attempt) {
	if a.Unchanged {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.metrics.Attempted(a.Good())
	p.history.Attempted(a)
	// Two attempts in two goroutines are made one after the other, but may be told in another order.
	if !a.Time.Before(p.last.Time) {
		p.last = a
		p.metrics.LastAttempt(a.Time, a.Good())
	}
	p.report(a)
}

// status returns what the admin address shows.
func (p *policies) status() admin.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.current.Load()
	return admin.Status{InForce: now.result, Since: now.since, Last: p.last}
}

// locate returns where a rule stands, or "" where that cannot be said: the files have changed since, or no file says it.
func (p *policies) locate(prepared *extproc.Prepared, rule policy.Rule) string {
	now := p.current.Load()
	if now.prepared != prepared {
		return ""
	}
	l := now.result.Location(rule)
	if l == nil {
		return ""
	}
	return place(l.GetFile(), l.GetLine(), l.GetColumn())
}

// maxLoggedFindings bounds the records that one bad content writes to the log. All of its findings are on the admin
// address, and what `corsproc check` prints.
const maxLoggedFindings = 100

// report logs an attempt that found something new. Only errors are logged one by one: warnings are for those who write
// policies, and check prints them.
func (p *policies) report(a policyfile.Attempt) {
	const bad = "policies not loaded; the last good set stays in force"
	if a.Err != nil {
		p.log.Error(bad, "error", a.Err)
		return
	}
	var faults []*corsprocv1.Finding
	warnings := 0
	for _, f := range a.Result.Findings {
		switch f.GetSeverity() {
		case finding.Error.String():
			faults = append(faults, f)
		case finding.Warning.String():
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
		p.log.Error("policy error", "place", place(f.GetFile(), f.GetLine(), f.GetColumn()),
			"code", f.GetCode(), "field", f.GetField(), "message", f.GetMessage(), "fix", f.GetFix())
	}
}

// place writes a place in a file as compilers do.
func place(file string, line, column int32) string {
	return fmt.Sprintf("%s:%d:%d", file, line, column)
}
