package admin

// Tested by status_test.go.

import (
	"cmp"
	"slices"
	"sync"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

const (
	maxReloads        = 20
	maxReloadFindings = 100
)

// Reloads remembers the last attempts to load the policy files. It keeps what is said of them, and none of their sets.
type Reloads struct {
	path string

	mu     sync.Mutex
	latest []*corsprocv1.ReloadAttempt // the latest first
}

// NewReloads returns an empty history of a path.
func NewReloads(path string) *Reloads { return &Reloads{path: path} }

// Attempted takes note of an attempt that found something new. Attempts are told in the order in which they were made.
func (l *Reloads) Attempted(a policydir.Attempt) {
	findings := findingsOf(l.path, a)
	m := &corsprocv1.ReloadAttempt{
		Time: timestamppb.New(a.Time), Successful: a.Good(), FindingsTotal: int32(len(findings)),
		Findings: policyfile.FindingMessages(worst(findings, maxReloadFindings)),
	}
	if a.Err == nil {
		m.Hash = a.Result.Hash
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest = slices.Insert(l.latest, 0, m)
	l.latest = l.latest[:min(len(l.latest), maxReloads)]
}

// messages returns the attempts, the latest first. They are shared, and not to be changed.
func (l *Reloads) messages() []*corsprocv1.ReloadAttempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.latest)
}

// worst returns a copy of at most so many findings, errors first, then warnings, otherwise in their order.
func worst(findings []finding.Diagnostic, most int) []finding.Diagnostic {
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b finding.Diagnostic) int { return cmp.Compare(a.Severity, b.Severity) })
	return slices.Clone(sorted[:min(len(sorted), most)])
}
