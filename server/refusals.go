package server

import (
	"context"
	"log/slog"
	"strconv"
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
	// maxLoggedValue is how many bytes of a client's text are logged. An origin that is well-formed is never longer than
	// maxLoggedOrigin.
	maxLoggedValue  = 128
	maxLoggedOrigin = 326
)

// refusals logs refused requests so that someone can act: each (place, reason, origin) at most once a period, as many
// as the table holds, and how many more there were.
//
// Anybody can cause refusals, as many as they like. So one costs a look-up under a lock that is held for nothing else,
// and what is logged is written by a goroutine of its own: a reader of the log that stops reading delays no request.
type refusals struct {
	log    *slog.Logger
	locate func(*policy.Set, policy.Rule) string
	lines  chan refusal

	mu      sync.Mutex
	known   map[refusalKey]struct{}
	ring    [maxRefusals]expiry // of the keys in known, the oldest at first
	first   int
	dropped int // refusals that the table, or the log, had no place for
}

// refusalKey is what makes two refusals the same. The place is the virtual host and the rule, which is of one place.
type refusalKey struct {
	virtualHost string
	rule        policy.Rule
	reason      policy.Reason
	origin      string
}

type expiry struct {
	key refusalKey
	at  time.Time
}

// refusal is a line to be logged.
type refusal struct {
	set      *policy.Set
	decision policy.Decision // what names and rules of the set say of it
	origin   string
	method   string
	asked    string // the method or the headers that a preflight asks for, where they are what is refused
}

func newRefusals(log *slog.Logger, locate func(*policy.Set, policy.Rule) string) *refusals {
	return &refusals{
		log:    log,
		locate: locate,
		lines:  make(chan refusal, maxRefusals),
		known:  make(map[refusalKey]struct{}, maxRefusals),
	}
}

// refused takes note of a refused or rejected request. It keeps nothing of r, nor of what d refers to in r: their text is
// overwritten by the next request.
func (t *refusals) refused(set *policy.Set, r *policy.Request, d *policy.Decision) {
	key := refusalKey{d.VirtualHost, d.Rule, d.Reason, cut(r.Origin.Value, maxLoggedOrigin)}
	if d.Reason == policy.ReasonOriginMalformed {
		key.origin = cut(key.origin, maxLoggedValue)
	}
	if !t.admit(key, time.Now()) {
		return
	}
	line := refusal{
		set:      set,
		decision: policy.Decision{Kind: d.Kind, Outcome: d.Outcome, VirtualHost: d.VirtualHost, Policy: d.Policy, Rule: d.Rule},
		origin:   strings.Clone(key.origin), method: strings.Clone(cut(r.Method, maxLoggedValue)),
	}
	switch d.Reason {
	case policy.ReasonMethodNotAllowed, policy.ReasonMethodMalformed:
		line.asked = strings.Clone(cut(r.RequestMethod.Value, maxLoggedValue))
	case policy.ReasonHeaderNotAllowed, policy.ReasonHeaderMalformed:
		line.asked = strings.Clone(cut(strings.Join(r.RequestHeaders, ", "), maxLoggedValue))
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
func (t *refusals) admit(key refusalKey, now time.Time) bool {
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
	key.virtualHost, key.origin = strings.Clone(key.virtualHost), strings.Clone(key.origin)
	t.ring[(t.first+len(t.known))%maxRefusals] = expiry{key, now.Add(refusalPeriod)}
	t.known[key] = struct{}{}
	return true
}

// run writes the log until ctx is done, and then what is left.
func (t *refusals) run(ctx context.Context) {
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

func (t *refusals) write(line refusal) {
	d := &line.decision
	attrs := []slog.Attr{
		slog.String("virtual_host", d.VirtualHost),
		slog.String("policy", d.Policy),
		slog.String("kind", d.Kind.String()),
		slog.String("verdict", d.Verdict.String()),
		slog.String("reason", d.Reason.String()),
		slog.String("origin", shown(line.origin, d.Reason == policy.ReasonOriginMalformed)),
		slog.String("method", shown(line.method, false)),
	}
	if line.asked != "" {
		attrs = append(attrs, slog.String("asked", shown(line.asked, false)))
	}
	if where := t.locate(line.set, d.Rule); where != "" {
		attrs = append(attrs, slog.String("rule", where))
	}
	if advice := d.Reason.Advice(); advice != "" {
		attrs = append(attrs, slog.String("advice", advice))
	}
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "refused", attrs...)
}

func (t *refusals) writeDropped() {
	t.mu.Lock()
	n := t.dropped
	t.dropped = 0
	t.mu.Unlock()
	if n > 0 {
		t.log.Warn("refusals not logged: there were too many different ones", "count", n)
	}
}

// cut returns the first bytes of s.
func cut(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

// shown returns a client's text as it is logged: in quotes and escaped where asked for, or where it holds anything but
// printable ASCII.
func shown(s string, quoted bool) string {
	for i := 0; i < len(s) && !quoted; i++ {
		quoted = s[i] < ' ' || s[i] > '~'
	}
	if quoted {
		return strconv.QuoteToASCII(s)
	}
	return s
}
