package admin

import (
	"cmp"
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
	"github.com/corsproc/corsproc/server/logs"
)

const (
	// maxRefusals is how many different refusals are remembered, half of them such as came again.
	maxRefusals = 1024
	// refusalAge is how long one is remembered after it came last.
	refusalAge = time.Hour
	// maxExample is how many bytes of a request are kept. Real ones have a few hundred.
	maxExample = 4 << 10
	// maxMethod is how many bytes of a method are kept.
	maxMethod = 128
)

// Refusals remembers refused requests: each (virtual host, rule, reason, origin) once, and how often it came. It keeps the facts
// of the first, from which the set in force tells what would allow it.
//
// Anybody can cause any number of different refusals. So the table is bounded, and has two halves: for what has come once,
// and for what came again. A flood of made-up origins fills only the first, and does not hide a page that keeps failing.
type Refusals struct {
	mu      sync.Mutex
	known   map[logs.RefusalKey]*list.Element // of *refusal
	once    list.List                         // the latest in front
	again   list.List
	dropped uint64
}

// refusal is one entry. All but count and last never changes.
type refusal struct {
	key         logs.RefusalKey
	decision    policy.Decision // without its rule, which is one of a set that may be gone
	method      string
	example     *policy.Request // nil: it was too long
	byNow       *perSet[outcome]
	first, last time.Time
	count       uint64
}

// outcome is what a set makes of a refused request. It is kept, because the page asks every few seconds, and with very many
// policies it takes long to say what would allow a request.
type outcome struct {
	verdict string
	rule    *corsprocv1.Location
	changes []*corsprocv1.PolicyChange // shared, and not to be changed
}

// NewRefusals returns an empty table.
func NewRefusals() *Refusals { return &Refusals{known: make(map[logs.RefusalKey]*list.Element)} }

// Add takes note of a refused or rejected request. It keeps nothing of r, nor of what d refers to in r.
func (t *Refusals) Add(r *policy.Request, d *policy.Decision) {
	key := logs.KeyOf(r, d)
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.known[key]
	if e == nil {
		t.add(newRefusal(key, r, d, now))
		return
	}
	known := e.Value.(*refusal)
	known.last = now
	if known.count++; known.count > 2 {
		t.again.MoveToFront(e)
		return
	}
	t.once.Remove(e)
	t.known[known.key] = t.again.PushFront(known)
	t.shrink(&t.again)
}

func (t *Refusals) add(r *refusal) {
	t.known[r.key] = t.once.PushFront(r)
	t.shrink(&t.once)
}

// shrink forgets the oldest entry of a half that has grown too large.
func (t *Refusals) shrink(half *list.List) {
	if half.Len() <= maxRefusals/2 {
		return
	}
	oldest := half.Remove(half.Back()).(*refusal)
	delete(t.known, oldest.key)
	t.dropped += oldest.count
}

func newRefusal(key logs.RefusalKey, r *policy.Request, d *policy.Decision, now time.Time) *refusal {
	method := askedMethod(r, d.Kind)
	key = key.Clone()
	n := &refusal{
		decision: policy.Decision{Kind: d.Kind, Outcome: d.Outcome, VirtualHost: key.VirtualHost, Policy: strings.Clone(d.Policy)},
		key:      key, method: strings.Clone(method[:min(len(method), maxMethod)]), first: now, last: now, count: 1,
	}
	n.example = exampleOf(r)
	n.byNow = &perSet[outcome]{make: n.outcome}
	return n
}

// askedMethod is the method that the page wants to send.
func askedMethod(r *policy.Request, kind policy.Kind) string {
	if kind == policy.Preflight {
		return r.RequestMethod.Value
	}
	return r.Method
}

// exampleOf copies the facts of a request, without the query, on which no decision depends. It returns nil where they are
// too long.
func exampleOf(r *policy.Request) *policy.Request {
	c := *r
	c.Path, _, _ = strings.Cut(c.Path, "?")
	texts := []*string{
		&c.VirtualHost, &c.Route, &c.Method, &c.Scheme, &c.Authority, &c.Path, &c.Protocol, &c.Origin.Value, &c.RequestMethod.Value,
		&c.RequestPrivateNetwork, &c.Upgrade, &c.FetchSite.Value, &c.Named.Value,
	}
	c.RequestHeaders = slices.Clone(c.RequestHeaders)
	for i := range c.RequestHeaders {
		texts = append(texts, &c.RequestHeaders[i])
	}
	size := len(c.RequestHeaders) * 16
	for _, s := range texts {
		size += len(*s)
	}
	if size > maxExample {
		return nil
	}
	for _, s := range texts {
		*s = strings.Clone(*s)
	}
	return &c
}

// latest returns at most so many entries, those that came last first, and how many requests are forgotten.
func (t *Refusals) latest(most int) (latest []refusal, dropped uint64) {
	oldest := time.Now().Add(-refusalAge)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, half := range []*list.List{&t.once, &t.again} {
		for e := half.Back(); e != nil && e.Value.(*refusal).last.Before(oldest); e = half.Back() {
			delete(t.known, half.Remove(e).(*refusal).key)
		}
		for e, n := half.Front(), 0; e != nil && n < most; e, n = e.Next(), n+1 {
			latest = append(latest, *e.Value.(*refusal))
		}
	}
	slices.SortStableFunc(latest, func(a, b refusal) int { return cmp.Or(b.last.Compare(a.last), cmp.Compare(b.count, a.count)) })
	return latest[:min(len(latest), most)], t.dropped
}

// message returns an entry as the API tells it. What a client sent is escaped.
func (r *refusal) message(now *policyfile.Result) *corsprocv1.RecentRefusal {
	m := &corsprocv1.RecentRefusal{
		Decision: browser.DecisionMessage(&r.decision, nil),
		Origin:   r.key.ShownOrigin(), Method: shown(r.method), Count: r.count,
		FirstSeen: timestamppb.New(r.first), LastSeen: timestamppb.New(r.last), Advice: r.key.Reason.Advice(),
	}
	e := r.example
	if e == nil {
		return m
	}
	m.Websocket = e.OpensWebSocket()
	m.Url, m.EnvoyVirtualHost, m.RouteName = shown(e.Scheme+"://"+e.Authority+e.Path), shown(e.VirtualHost), shown(e.Route)
	for _, line := range e.RequestHeaders {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				m.Headers = append(m.Headers, shown(name))
			}
		}
	}
	if m.Advice != "" {
		return m // no policy decided, and none will
	}
	by := r.byNow.get(now)
	m.VerdictNow, m.Decision.Rule, m.Changes = by.verdict, by.rule, by.changes
	return m
}

// outcome decides about the example by the set in force.
func (r *refusal) outcome(now *policyfile.Result) outcome {
	d := now.Set.Decide(r.example)
	by := outcome{verdict: d.Verdict.String(), rule: now.Location(d.Rule)}
	if d.Reason != policy.ReasonPreflightUnanswered && (d.Verdict == policy.Refused || d.Verdict == policy.Rejected) {
		by.changes = browser.Changes(now.Set.Gaps(r.example, false), false, now.Location)
	}
	return by
}
