package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// What an entry of a report is about.
const (
	whatOrigin      = "origin"
	whatMethod      = "method"
	whatHeader      = "header"
	whatCredentials = "credentials"
	whatExposed     = "exposed_header"
)

// reasonNotExposed is why an exposed header is lost; no decision has it.
const reasonNotExposed = "header_not_exposed"

// A report is who would lose and who would gain what, if policies were in force.
type report struct {
	lose, gain map[entryKey]*entry
	// assumed are losses by lines without any header of the answer, each of which is taken for granted. They count where
	// the whole log is so.
	assumed map[entryKey]*entry
	text    int // bytes of what they all keep
}

type entryKey struct{ place, origin, what, name string }

// An entry is one thing that somebody loses or gains.
type entry struct {
	entryKey
	reason     string
	policy     string
	rule       policy.Rule
	lines      tally
	cookies    tally           // those of requests that carried a cookie
	request    *policy.Request // one that shows it; nil: it is too long to be kept, or there is no room
	credential bool            // it needs credentials
}

// tally is how many lines show something, and when.
type tally struct {
	count int64
	times period
}

func (t *tally) add(time int64) {
	t.count++
	t.times.add(time)
}

func newReport() *report {
	return &report{lose: map[entryKey]*entry{}, gain: map[entryKey]*entry{}, assumed: map[entryKey]*entry{}}
}

// take compares what a line was answered with what the policies would answer.
func (r *report) take(l *Learner, x *exchange, request *policy.Request, isCORS bool) {
	request.Path = string(pathOf(x.values))
	if x.has(fieldRequestHeaders) {
		request.RequestHeaders = []string{l.texts.of(x.of[fieldRequestHeaders])}
	}
	if string(x.of[fieldFetchMode]) == "websocket" {
		request.Upgrade = "websocket"
	}
	d := l.options.Policies.Decide(request)
	if d.Reason == policy.ReasonPassthrough || d.Verdict == policy.None {
		return
	}
	c := comparison{r: r, l: l, x: x, request: request, decision: &d, into: r.lose}
	if !isCORS || x.malformed { // no browser asks, so that only what is stopped changes
		if d.Verdict == policy.Rejected && (x.answered || x.there&responseHeaders == 0) {
			if !x.answered {
				c.into = r.assumed
			}
			c.note(whatOrigin, "", d.Reason.String(), false)
		}
		return
	}
	if x.granted {
		c.granted()
	} else if x.answered {
		c.refused()
	}
	if x.there&responseHeaders == 0 && !l.hasHeaders() {
		c.into, c.assumed = r.assumed, true
		c.granted()
	}
}

// A comparison is of one line.
type comparison struct {
	r        *report
	l        *Learner
	x        *exchange
	request  *policy.Request
	decision *policy.Decision
	into     map[entryKey]*entry
	assumed  bool // what was asked for was granted
}

// refusesOrigin reports whether the policies let the origin do nothing at all.
func refusesOrigin(d *policy.Decision) bool {
	switch d.Reason {
	case policy.ReasonMethodNotAllowed, policy.ReasonMethodMalformed, policy.ReasonHeaderNotAllowed, policy.ReasonHeaderMalformed:
		return false
	}
	return d.Verdict != policy.Allowed
}

// granted compares a line that was granted.
func (c *comparison) granted() {
	if refusesOrigin(c.decision) {
		c.note(whatOrigin, "", c.decision.Reason.String(), c.x.credentials)
		return
	}
	then := answerOf(c.decision, c.x.of[fieldExposeHeaders])
	gains := *c
	gains.into = c.r.gain
	if c.x.kind == policy.Preflight {
		c.method(c.x.text(fieldRequestMethod), c.grantsName(fieldAllowMethods, c.x.of[fieldRequestMethod]), &gains)
		elements(c.x.of[fieldRequestHeaders], func(e []byte) {
			c.header(strings.ToLower(string(e)), c.grantsName(fieldAllowHeaders, e), &gains)
		})
	} else {
		// Its preflight went before, or is remembered: what it does was granted.
		c.method(c.x.text(fieldMethod), true, &gains)
		c.exposed(then, &gains)
	}
	switch {
	case c.x.credentials && !c.x.star && !then.credentials:
		one := *c
		q, d := c.preflight("GET") // what else is lost has entries of its own
		one.request, one.decision = q, &d
		one.note(whatCredentials, "", browser.CredentialsNotAllowed, true)
	case !c.x.credentials && !c.assumed && then.credentials:
		gains.note(whatCredentials, "", c.decision.Reason.String(), true)
	}
}

// refused compares a line that was refused.
func (c *comparison) refused() {
	if c.decision.Verdict == policy.Allowed {
		c.into = c.r.gain
		c.note(whatOrigin, "", c.decision.Reason.String(), false)
	}
}

// grantsName reports whether the answer to a preflight lists a name.
func (c *comparison) grantsName(f field, name []byte) (granted bool) {
	if c.assumed || f == fieldAllowMethods && fetch.IsSafelistedMethod(string(name)) {
		return true
	}
	elements(c.x.of[f], func(e []byte) {
		switch {
		case isStar(e):
			granted = granted || !c.x.credentials && !fetch.IsNonWildcardRequestHeader(string(name))
		case f == fieldAllowMethods:
			granted = granted || bytes.Equal(e, name)
		default:
			granted = granted || strings.EqualFold(string(e), string(name))
		}
	})
	return granted
}

// preflight asks the policies about one method or one header alone.
func (c *comparison) preflight(method string, headers ...string) (*policy.Request, policy.Decision) {
	q := *c.request
	q.Method, q.RequestMethod, q.RequestHeaders = "OPTIONS", policy.Line(method), headers
	return &q, c.l.options.Policies.Decide(&q)
}

func (c *comparison) method(name string, granted bool, gains *comparison) {
	if fetch.IsSafelistedMethod(name) || name == "" {
		return
	}
	q, d := c.preflight(name)
	c.compare(whatMethod, name, granted, q, &d, gains)
}

func (c *comparison) header(name string, granted bool, gains *comparison) {
	q, d := c.preflight("GET", name)
	c.compare(whatHeader, name, granted, q, &d, gains)
}

// compare notes what is lost or gained of a name.
func (c *comparison) compare(what, name string, granted bool, q *policy.Request, d *policy.Decision, gains *comparison) {
	by := c
	switch allows := d.Verdict == policy.Allowed; {
	case d.Verdict == policy.None || granted == allows:
		return
	case allows:
		by = gains
	}
	one := *by
	one.request, one.decision = q, d
	one.note(what, name, d.Reason.String(), false)
}

// exposed compares the headers that scripts may read.
func (c *comparison) exposed(then answer, gains *comparison) {
	now := c.x.of[fieldExposeHeaders]
	if len(now) == 0 && len(then.exposed) == 0 || c.assumed {
		return
	}
	elements(now, func(e []byte) {
		if isStar(e) && c.x.credentials {
			return // a literal name, which no header has
		}
		if !exposes(then.exposed, e, then.credentials) {
			c.note(whatExposed, strings.ToLower(string(e)), reasonNotExposed, false)
		}
	})
	elements(then.exposed, func(e []byte) {
		if !exposes(now, e, c.x.credentials) {
			gains.note(whatExposed, strings.ToLower(string(e)), c.decision.Reason.String(), false)
		}
	})
}

// exposes reports whether a list exposes a name; "*" does without credentials.
func exposes(list, name []byte, credentials bool) (exposed bool) {
	elements(list, func(e []byte) {
		exposed = exposed || strings.EqualFold(string(e), string(name)) || isStar(e) && !credentials
	})
	return exposed
}

// An answer is what corsproc would answer beside the origin, where the upstream still exposes what it does now.
type answer struct {
	credentials bool
	exposed     []byte // as the header has them
}

func answerOf(d *policy.Decision, now []byte) (a answer) {
	var buf [8]policy.Header
	headers := buf[:0]
	switch d.Action() {
	case policy.Adjust:
		headers = d.AppendFixed(headers)
	case policy.Respond:
		_, headers, _ = d.AppendImmediate(headers)
	}
	for _, h := range headers {
		switch h.Name {
		case "access-control-allow-credentials":
			a.credentials = h.Value == "true"
		case policy.HeaderExposed:
			a.exposed = []byte(h.Value)
		}
	}
	if d.ExposesUpstream() {
		a.exposed, _ = d.AppendExposed(nil, []string{string(now)})
	}
	return a
}

// note counts a line for an entry.
func (c *comparison) note(what, name, reason string, credentials bool) {
	x := c.x
	key := entryKey{c.l.labelOf(x.values), cut(x.origin), what, cut(name)}
	e := c.into[key]
	if e == nil {
		size := len(key.place) + len(key.origin) + len(key.name)
		if len(c.r.lose)+len(c.r.gain)+len(c.r.assumed) >= maxEntries || c.r.text+size > maxEntryText {
			c.l.isFull(tableEntries, nil, 1)
			return
		}
		e = &entry{entryKey: key, reason: reason, policy: c.decision.Policy, rule: c.decision.Rule, credential: credentials}
		if n := sizeOf(c.request); n <= maxRequestText && c.r.text+size+n <= maxEntryText/2 {
			q := *c.request
			e.request, size = &q, size+n
		}
		c.r.text += size
		c.into[key] = e
	}
	e.lines.add(x.time)
	if x.has(fieldCookie) {
		e.cookies.add(x.time)
	}
}

// sizeOf returns how many bytes of text a request keeps.
func sizeOf(q *policy.Request) int {
	n := len(q.VirtualHost) + len(q.Route) + len(q.Authority) + len(q.Method) + len(q.Path) + len(q.Origin.Value) + len(q.RequestMethod.Value) + len(q.FetchSite.Value)
	for _, line := range q.RequestHeaders {
		n += len(line)
	}
	return n
}

// Report returns who would lose and who would gain what, and what was found beside that. It is asked for once, in the end.
func (l *Learner) Report() (*corsprocv1.Breakage, []finding.Diagnostic) {
	l.rest()
	if l.hasHeaders() {
		for _, p := range l.order {
			l.unitsOf(p) // finds what there is to say of it
		}
	}
	judgements := slices.Collect(maps.Values(l.judgements))
	l.places, l.order = nil, nil // a report may be large, and says nothing of them
	lose, gain := l.report.lose, l.report.gain
	if !l.hasHeaders() {
		lose, gain = l.report.assumed, nil
	}
	b := &corsprocv1.Breakage{Lose: l.entries(lose, true), Gain: l.entries(gain, false)}
	b.Summary = &corsprocv1.BreakageSummary{
		Lines: number(l.Lines()), NotJson: number(l.notJSON), CrossOrigin: number(l.crossOrigin),
		Lose: uint32(len(b.Lose)), Gain: uint32(len(b.Gain)),
	}
	*l.report = report{}
	return b, l.messages(l.all(judgements))
}

// entries returns the entries of a table, the most counted first.
func (l *Learner) entries(table map[entryKey]*entry, lost bool) (out []*corsprocv1.BreakageEntry) {
	hasCookies := l.there&(1<<fieldCookie) != 0
	var list []*entry
	for _, e := range table {
		if e.what == whatCredentials && hasCookies {
			e.lines = e.cookies // who sent none does not miss the permission to
		}
		if e.lines.count > 0 {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int {
		return cmp.Or(
			cmp.Compare(b.lines.count, a.lines.count), cmp.Compare(a.place, b.place), cmp.Compare(a.origin, b.origin),
			cmp.Compare(a.what, b.what), cmp.Compare(a.name, b.name),
		)
	})
	for i, e := range list {
		m := &corsprocv1.BreakageEntry{
			Place: valid(e.place), Origin: valid(e.origin), What: e.what, Name: valid(e.name), Reason: e.reason,
			Count: number(e.lines.count), FirstSeen: told(e.lines.times.first), LastSeen: told(e.lines.times.last), Rule: l.locate(e.rule),
		}
		if lost && i < maxChanges {
			m.Change = l.change(e)
		}
		out = append(out, m)
	}
	return out
}

func number(n int64) uint32 { return uint32(min(n, 1<<32-1)) }

func (l *Learner) locate(r policy.Rule) *corsprocv1.Location {
	if l.options.Locate == nil {
		return nil
	}
	return l.options.Locate(r)
}

// change says in words what to change so that nothing is lost.
func (l *Learner) change(e *entry) string {
	if e.what == whatExposed {
		return "add " + e.name + " to policies." + e.policy + ".expose_headers"
	}
	if e.request == nil {
		return ""
	}
	var texts []string
	for _, c := range browser.Changes(l.options.Policies.Gaps(e.request, e.credential), e.credential, l.locate) {
		texts = append(texts, c.GetText())
	}
	return strings.Join(texts, "; ")
}
