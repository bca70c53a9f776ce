package admin

// Tested by status_test.go.

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

const (
	activitySpan = 5 * time.Second
	maxSpans     = 120 // ten minutes
)

// Activity knows how many decisions were made in the last ten minutes, by reason. It does not count: at the end of every span
// it reads the counters of the metrics, and keeps the differences.
type Activity struct {
	decisions *decisions

	mu    sync.Mutex
	seen  map[*atomic.Uint64]uint64 // what each counter had counted when the present span began
	start time.Time                 // of the present span
	past  []span                    // at most maxSpans-1, the oldest first
}

type span struct {
	start   time.Time
	reasons reasonCounts
}

// reasonCounts are decisions by reason.
type reasonCounts []uint64

// NewActivity returns the activity that m counts from now on. It is up to date for as long as Run runs.
func NewActivity(m *Metrics) *Activity {
	a := &Activity{decisions: m.decisions, start: time.Now()}
	_, a.seen = a.count()
	return a
}

// Run ends spans until ctx is done.
func (a *Activity) Run(ctx context.Context) {
	ticker := time.NewTicker(activitySpan)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.next(time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// next ends the present span.
func (a *Activity) next(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	reasons, seen := a.count()
	if len(a.past) == maxSpans-1 {
		a.past = append(a.past[:0], a.past[1:]...)
	}
	a.past = append(a.past, span{a.start, reasons})
	a.start, a.seen = now, seen
}

// count returns the decisions of the present span, and the present value of every counter. What a counter has counted in this
// span is lost if a reload removes it.
func (a *Activity) count() (reasonCounts, map[*atomic.Uint64]uint64) {
	reasons := make(reasonCounts, len(policy.Reasons()))
	seen := make(map[*atomic.Uint64]uint64, len(a.seen))
	for _, h := range a.decisions.inForce.Load().hosts {
		for key, counter := range h.decided.all() {
			n := counter.Load()
			seen[counter] = n
			reasons[key.reason] += n - a.seen[counter]
		}
	}
	return reasons, seen
}

// message returns the spans, with the present one.
func (a *Activity) message() *corsprocv1.DecisionHistory {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := &corsprocv1.DecisionHistory{Span: durationpb.New(activitySpan)}
	for _, s := range a.past {
		m.Spans = append(m.Spans, s.message())
	}
	reasons, _ := a.count()
	m.Spans = append(m.Spans, span{a.start, reasons}.message())
	return m
}

func (s span) message() *corsprocv1.DecisionSpan {
	m := &corsprocv1.DecisionSpan{Start: timestamppb.New(s.start), Reasons: map[string]uint32{}}
	for reason, n := range s.reasons {
		if n > 0 {
			m.Reasons[policy.Reason(reason).String()] = uint32(min(n, math.MaxUint32))
		}
	}
	return m
}
