package logs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

const (
	// maxDecisionLogs is how many virtual hosts and origins are logged at once.
	maxDecisionLogs = 10
	// maxLoggedDecisions is how many decisions are logged in a second.
	maxLoggedDecisions = 100
)

// Decisions logs single decisions of virtual hosts and origins, for as long as somebody asked for it.
//
// While nobody has, a request costs one atomic load. Otherwise it is compared with what was asked for, and if it is to be
// logged, copied. [Decisions.Run] writes the lines in a goroutine of its own: a reader of the log that stops reading delays
// no request.
type Decisions struct {
	log    *slog.Logger // of all levels
	locate func(*policy.Set, policy.Rule) string
	lines  chan decisionLine

	on atomic.Pointer[[]decisionWatch] // nil: nothing

	mu      sync.Mutex
	timers  map[decisionSubject]*time.Timer
	second  time.Time // when the present second began
	logged  int       // in that second
	dropped int       // decisions that were not logged
}

// ErrTooMany is what [Decisions.Set] returns where no more can be switched on.
var ErrTooMany = errors.New("as much as can be logged at once is being logged already; end something with a duration of 0s")

// decisionSubject is whose decisions are logged; empty is anybody's.
type decisionSubject struct{ virtualHost, origin string }

type decisionWatch struct {
	decisionSubject
	until time.Time
}

// decisionLine is a line to be logged: a decision, or how many were not.
type decisionLine struct {
	set      *policy.Set
	decision policy.Decision // its names and rules, which are the set's
	attrs    []slog.Attr     // what is copied of the request
	dropped  int
}

// NewDecisions returns a log of decisions that writes to log, made by [New] and whatever its level, once [Decisions.Run]
// runs. locate says where a rule of a set stands, or nothing where that cannot be said.
func NewDecisions(log *slog.Logger, locate func(*policy.Set, policy.Rule) string) *Decisions {
	return &Decisions{
		log: unleveled(log), locate: locate, lines: make(chan decisionLine, 2*maxLoggedDecisions), timers: map[decisionSubject]*time.Timer{},
	}
}

// Set switches on the logging of a virtual host, an origin, or one on the other, for so long from now; 0 ends it. An empty
// text is any. It returns [ErrTooMany] where no more can be switched on.
func (l *Decisions) Set(virtualHost, origin string, duration time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := decisionSubject{virtualHost, origin}
	old := l.timers[s]
	if old == nil && duration > 0 && len(l.timers) == maxDecisionLogs {
		return ErrTooMany
	}
	if old != nil {
		old.Stop()
		l.remove(s)
	}
	if duration == 0 {
		return nil
	}
	l.replace(append(l.watches(), decisionWatch{s, time.Now().Add(duration)}))
	var timer *time.Timer
	timer = time.AfterFunc(duration, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.timers[s] == timer { // otherwise it was too late to stop it
			l.remove(s)
		}
	})
	l.timers[s] = timer
	return nil
}

// remove ends the logging of a subject. The lock is held.
func (l *Decisions) remove(s decisionSubject) {
	delete(l.timers, s)
	l.replace(slices.DeleteFunc(l.watches(), func(w decisionWatch) bool { return w.decisionSubject == s }))
	l.sayDropped()
}

// watches returns a copy of what is on.
func (l *Decisions) watches() []decisionWatch {
	if on := l.on.Load(); on != nil {
		return slices.Clone(*on)
	}
	return nil
}

func (l *Decisions) replace(on []decisionWatch) {
	if len(on) == 0 {
		l.on.Store(nil)
		return
	}
	slices.SortFunc(on, func(a, b decisionWatch) int {
		return cmp.Or(a.until.Compare(b.until), cmp.Compare(a.virtualHost, b.virtualHost), cmp.Compare(a.origin, b.origin))
	})
	l.on.Store(&on)
}

// Messages returns what is on, in the order in which it ends.
func (l *Decisions) Messages() (on []*corsprocv1.DecisionLog) {
	for _, w := range l.watches() {
		on = append(on, &corsprocv1.DecisionLog{VirtualHost: w.virtualHost, Origin: w.origin, Until: timestamppb.New(w.until)})
	}
	return on
}

// Decided logs a decision if somebody wants to see it. It keeps nothing of r, nor of what d refers to in r.
func (l *Decisions) Decided(set *policy.Set, r *policy.Request, d *policy.Decision, took time.Duration) {
	on := l.on.Load()
	if on == nil {
		return
	}
	for i := range *on {
		w := &(*on)[i]
		if (w.virtualHost == "" || w.virtualHost == d.VirtualHost) && (w.origin == "" || w.origin == r.Origin.Value) {
			l.add(set, r, d, took)
			return
		}
	}
}

func (l *Decisions) add(set *policy.Set, r *policy.Request, d *policy.Decision, took time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.second) >= time.Second {
		l.second, l.logged = now, 0
		l.sayDropped()
	}
	if l.logged == maxLoggedDecisions {
		l.dropped++
		return
	}
	l.logged++
	if !l.send(decisionLine{set: set, decision: namesOf(d), attrs: requestOf(r, d, took)}) {
		l.dropped++
	}
}

func (l *Decisions) sayDropped() {
	if l.dropped > 0 && l.send(decisionLine{dropped: l.dropped}) {
		l.dropped = 0
	}
}

// send hands a line to the goroutine that writes. It returns false if that one does not keep up.
func (l *Decisions) send(line decisionLine) bool {
	select {
	case l.lines <- line:
		return true
	default:
		return false
	}
}

// namesOf copies what a decision has of the set.
func namesOf(d *policy.Decision) policy.Decision {
	return policy.Decision{
		Kind: d.Kind, Outcome: d.Outcome, HasCandidate: d.HasCandidate, Candidate: d.Candidate, VirtualHost: d.VirtualHost, Policy: d.Policy, Rule: d.Rule,
	}
}

// requestOf copies what a request says. Nothing of it has been validated; what is no printable ASCII is escaped.
func requestOf(r *policy.Request, d *policy.Decision, took time.Duration) []slog.Attr {
	var attrs []slog.Attr
	add := func(key, value string, most int) {
		if value != "" {
			attrs = append(attrs, slog.String(key, keep(value, most)))
		}
	}
	path, _, _ := strings.Cut(r.Path, "?") // what follows may be a secret, and decides nothing
	if r.Origin.Lines > 0 {
		attrs = append(attrs, slog.String("origin", strings.Clone(shownOrigin(r.Origin.Value, d.Reason))))
	}
	add("method", r.Method, maxLoggedValue)
	add("scheme", r.Scheme, maxLoggedValue)
	add("authority", r.Authority, policy.MaxOriginBytes)
	add("path", path, maxLoggedPath)
	add("envoy_virtual_host", r.VirtualHost, policy.MaxOriginBytes)
	add("envoy_route", r.Route, policy.MaxOriginBytes)
	add("named_policies", r.Named.Value, policy.MaxOriginBytes)
	add("request_method", r.RequestMethod.Value, maxLoggedValue)
	add("request_headers", strings.Join(r.RequestHeaders, ", "), maxLoggedPath)
	add("upgrade", r.Upgrade, maxLoggedValue)
	add("sec_fetch_site", r.FetchSite.Value, maxLoggedValue)
	if r.Answered {
		attrs = append(attrs, slog.Bool("answered", true))
	}
	return append(attrs, slog.String("took", took.String()))
}

// Run writes the log until ctx is done, and then what is left.
func (l *Decisions) Run(ctx context.Context) {
	for {
		select {
		case line := <-l.lines:
			l.write(line)
		case <-ctx.Done():
			for {
				select {
				case line := <-l.lines:
					l.write(line)
				default:
					return
				}
			}
		}
	}
}

func (l *Decisions) write(line decisionLine) {
	if line.dropped > 0 {
		l.log.Debug("decisions not logged", "count", line.dropped)
		return
	}
	d := &line.decision
	attrs := facts(d)
	if where := l.locate(line.set, d.Rule); where != "" {
		attrs = append(attrs, slog.String("rule", where))
	}
	if advice := d.Reason.Advice(); advice != "" {
		attrs = append(attrs, slog.String("advice", advice))
	}
	l.log.LogAttrs(context.Background(), slog.LevelDebug, "decision", append(attrs, line.attrs...)...)
}
