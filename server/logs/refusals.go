package logs

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/corsproc/corsproc/policy"
)

const (
	// refusalPeriod is how long the same refusal is logged once.
	refusalPeriod = time.Minute
	// maxRefusals is how many different refusals are logged in a period. It bounds what a client that makes up origins
	// can do to the log and to our memory.
	maxRefusals = 1024
)

// Refusals logs refused requests so that someone can act: each (place, reason, origin) at most once a minute, as many of them
// as the table holds, and then how many more there were.
//
// Anybody can cause any number of refusals. So each costs one look-up under a lock that is held for nothing else. Lines are
// written by [Refusals.Run], in a goroutine of its own: a reader of the log that stops reading delays no request.
type Refusals struct {
	log    *slog.Logger
	locate func(*policy.Set, policy.Rule) string
	lines  chan refusal

	mu      sync.Mutex
	known   map[RefusalKey]struct{}
	ring    [maxRefusals]expiry // of the keys in known, the oldest at first
	first   int
	dropped int // refusals that the table, or the log, had no room for
}

type expiry struct {
	key RefusalKey
	at  time.Time
}

// refusal is a line to be logged.
type refusal struct {
	set      *policy.Set
	decision policy.Decision // its names and rules, which are the set's
	origin   string
	method   string
	asked    string // the method or the headers that a preflight asks for, where they are what is refused
}

// NewRefusals returns a log of refusals that writes to log, once [Refusals.Run] runs. locate says where a rule of a set
// stands, or nothing where that cannot be said.
func NewRefusals(log *slog.Logger, locate func(*policy.Set, policy.Rule) string) *Refusals {
	return &Refusals{
		log:    log,
		locate: locate,
		lines:  make(chan refusal, maxRefusals),
		known:  make(map[RefusalKey]struct{}, maxRefusals),
	}
}

// Refused takes note of a refused or rejected request. It keeps nothing of r, nor of what d refers to in r: their text is
// overwritten by the next request.
func (t *Refusals) Refused(set *policy.Set, r *policy.Request, d *policy.Decision) {
	key := KeyOf(r, d)
	if !t.admit(key, time.Now()) {
		return
	}
	line := refusal{
		set:      set,
		decision: policy.Decision{Kind: d.Kind, Outcome: d.Outcome, VirtualHost: d.VirtualHost, Policy: d.Policy, Rule: d.Rule},
		origin:   strings.Clone(key.Origin), method: keep(r.Method, maxLoggedValue),
	}
	switch d.Reason {
	case policy.ReasonMethodNotAllowed, policy.ReasonMethodMalformed:
		line.asked = keep(r.RequestMethod.Value, maxLoggedValue)
	case policy.ReasonHeaderNotAllowed, policy.ReasonHeaderMalformed:
		line.asked = keep(strings.Join(r.RequestHeaders, ", "), maxLoggedValue)
	}
	select {
	case t.lines <- line:
	default:
		t.mu.Lock()
		t.dropped++
		t.mu.Unlock()
	}
}

// admit reports whether a refusal is to be logged now.
func (t *Refusals) admit(key RefusalKey, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.known) > 0 && !t.ring[t.first].at.After(now) {
		delete(t.known, t.ring[t.first].key)
		t.ring[t.first] = expiry{}
		t.first = (t.first + 1) % maxRefusals
	}
	if _, ok := t.known[key]; ok {
		return false
	}
	if len(t.known) == maxRefusals {
		t.dropped++
		return false
	}
	key = key.Clone()
	t.ring[(t.first+len(t.known))%maxRefusals] = expiry{key, now.Add(refusalPeriod)}
	t.known[key] = struct{}{}
	return true
}

// Run writes the log until ctx is done, and then what is left.
func (t *Refusals) Run(ctx context.Context) {
	period := time.NewTicker(refusalPeriod)
	defer period.Stop()
	for {
		select {
		case line := <-t.lines:
			t.write(line)
		case <-period.C:
			t.writeDropped()
		case <-ctx.Done():
			for {
				select {
				case line := <-t.lines:
					t.write(line)
				default:
					t.writeDropped()
					return
				}
			}
		}
	}
}

func (t *Refusals) write(line refusal) {
	d := &line.decision
	attrs := append(facts(d), slog.String("origin", shownOrigin(line.origin, d.Reason)), slog.String("method", line.method))
	if line.asked != "" {
		attrs = append(attrs, slog.String("asked", line.asked))
	}
	if where := t.locate(line.set, d.Rule); where != "" {
		attrs = append(attrs, slog.String("rule", where))
	}
	if advice := d.Reason.Advice(); advice != "" {
		attrs = append(attrs, slog.String("advice", advice))
	}
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "refused", attrs...)
}

func (t *Refusals) writeDropped() {
	t.mu.Lock()
	n := t.dropped
	t.dropped = 0
	t.mu.Unlock()
	if n > 0 {
		t.log.Warn("refusals not logged: there were too many different ones", "count", n)
	}
}
