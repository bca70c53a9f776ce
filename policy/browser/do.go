package browser

// Tested by model_test.go, changes_test.go and against_test.go.

import (
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy"
)

// CredentialsNotAllowed is the reason of a fetch that corsproc allows, but not with the credentials that it carries. But
// for it and those of blocked.go, reasons are package policy's.
const CredentialsNotAllowed = "credentials_not_allowed"

// Outcome is what comes of a fetch.
type Outcome uint8

const (
	Unreadable Outcome = iota // the page may not read the answer
	Readable                  // it may; a WebSocket opens
	Undecided                 // the upstream answers for itself (passthrough)
)

// Result is what a browser meets.
type Result struct {
	Outcome Outcome
	Verdict policy.Verdict // the fetch's: that of the failed preflight, else of the request
	Reason  string

	Preflight *Exchange // nil: none is sent
	Actual    *Exchange // nil: the preflight failed, or the browser sends nothing at all, so it is never sent

	Exposed Exposed
	Cache   Cache  // of the preflight's answer
	Console string // what Chromium says; empty: nothing
	Changes []policy.Gap
	Notes   []string

	credentials bool // the fetch carries credentials to the other origin
}

// Exchange is one request of a fetch and its answer.
type Exchange struct {
	Why     string   // in words
	Causes  []string // of a preflight: "method", and names of headers
	Method  string
	URL     string
	Headers []policy.Header // those that matter to CORS, as sent

	Decision policy.Decision
	Status   int             // 0: only the upstream knows (passthrough)
	Answer   []policy.Header // what corsproc writes
	Passes   bool            // the browser goes on with it

	failure failure
	byEnvoy bool // which answers before corsproc is asked
}

// Do tells what a browser does that fetches f, where set answers. Of the upstream it is assumed that it answers with
// status 200 and has no CORS headers of its own. An error says, for people, what of f no script can ask for, or no
// browser sends.
func Do(set *policy.Set, asked Fetch) (Result, error) {
	f, faults := normalize(asked)
	if len(faults) > 0 {
		return Result{}, faults[0]
	}
	var r Result
	switch reason := f.blocked(); {
	case reason != "":
		r = f.block(reason)
	case f.WebSocket:
		r = f.webSocket(set)
	case f.origin == f.url.origin() && f.origin.IsWeb():
		r = f.sameOrigin(set)
	default:
		r = f.crossOrigin(set)
	}
	r.Notes = append(r.Notes, f.notes(&r)...)
	return r, nil
}

// sameOrigin is a fetch of the page's own origin: CORS does not apply to it (Fetch, section 4.1, "main fetch").
func (f *normalized) sameOrigin(set *policy.Set) Result {
	e := f.ask(set, f.actualRequest())
	e.Why = "the URL is of the page's own origin, so CORS does not apply"
	e.Passes = true
	return Result{
		Outcome: Readable, Verdict: e.Decision.Verdict, Reason: e.Decision.Reason.String(), Actual: e,
		Exposed: Exposed{All: true},
	}
}

// crossOrigin is a fetch of another origin: perhaps a preflight, then the request, each with its checks.
func (f *normalized) crossOrigin(set *policy.Set) Result {
	var r Result
	if why := f.preflightCauses(); why.any() {
		p := f.ask(set, f.preflightRequest())
		p.Why, p.Causes = f.whyPreflight(why), why.names()
		r.Preflight = p
		if !p.undecided() {
			answer := Answer{p.Status, p.Answer}
			if p.failure = f.preflightCheck(&answer, why.headers); p.failure.kind != passes {
				f.refuse(&r, p, set)
				return r
			}
			p.Passes, r.Cache = true, preflightCache(&answer)
		}
	}
	a := f.ask(set, f.actualRequest())
	a.Why = "the preflight allows it"
	r.Actual = a
	if r.Preflight == nil {
		a.Why = "no preflight is needed: " + f.whySimple()
	}
	if a.undecided() {
		if r.Preflight != nil {
			a.Why = "if the upstream's answer to the preflight allows it"
		}
		r.Outcome, r.Verdict, r.Reason = Undecided, a.Decision.Verdict, a.Decision.Reason.String()
		return r
	}
	answer := Answer{a.Status, a.Answer}
	if a.failure = corsCheck(&answer, f.Origin, f.include()); a.failure.kind != passes {
		f.refuse(&r, a, set)
		return r
	}
	a.Passes = true
	r.Outcome, r.Verdict, r.Reason = Readable, a.Decision.Verdict, a.Decision.Reason.String()
	r.Exposed = exposed(&answer, f.include())
	return r
}

// webSocket is a handshake: browsers ask no CORS question about it, so that all that counts is whether it is stopped.
func (f *normalized) webSocket(set *policy.Set) Result {
	e := f.ask(set, f.actualRequest())
	e.Why = "a WebSocket's handshake goes to any origin, with cookies and without a preflight"
	d := &e.Decision
	r := Result{Outcome: Readable, Verdict: d.Verdict, Reason: d.Reason.String(), Actual: e}
	switch {
	case e.undecided():
		r.Outcome = Undecided
	case e.byEnvoy:
		e.failure = failure{rejectedHandshake, strconv.Itoa(e.Status)}
		r.Outcome, r.Verdict, r.Console = Unreadable, policy.Refused, f.console(e.failure, false)
	case d.Action() == policy.Respond:
		e.failure = failure{rejectedHandshake, strconv.Itoa(e.Status)}
		r.Outcome, r.Console = Unreadable, f.console(e.failure, false)
		r.Changes = set.Gaps(f.actualRequest(), false)
		f.noteNoChange(&r)
	default:
		e.Status, e.Passes = 101, true
		if d.Verdict == policy.Refused {
			r.Notes = append(r.Notes, "The policies do not allow this origin, but nothing stops its WebSocket: reject: WEBSOCKETS at the place does.")
		}
	}
	return r
}

// refuse fills in the result of a fetch that fails at e.
func (f *normalized) refuse(r *Result, e *Exchange, set *policy.Set) {
	d := &e.Decision
	r.Outcome, r.Verdict, r.Reason = Unreadable, d.Verdict, d.Reason.String()
	if e.byEnvoy {
		r.Verdict, r.Console = policy.Refused, f.console(e.failure, e == r.Preflight)
		return // no policy changes that (notes.go)
	}
	switch d.Verdict {
	case policy.Allowed:
		r.Verdict, r.Reason = policy.Refused, CredentialsNotAllowed
	case policy.None:
		// The engine takes it for a request of the page's own origin, behind a hop that ends TLS; the browser knows better.
		r.Verdict, r.Reason = policy.Refused, policy.ReasonOriginNotAllowed.String()
	}
	r.Console = f.console(e.failure, e == r.Preflight)
	needs := f.actualRequest()
	if r.Preflight != nil {
		needs = f.preflightRequest()
	}
	r.Changes, r.credentials = set.Gaps(needs, f.include()), f.include()
	f.noteNoChange(r)
}

// noteNoChange says why no change is suggested for a fetch that is refused, where that is so.
func (f *normalized) noteNoChange(r *Result) {
	star := slices.ContainsFunc(f.headers, func(h policy.Header) bool { return h.Name == "*" })
	switch {
	case len(r.Changes) > 0:
	case r.Reason == policy.ReasonPathAmbiguous.String():
		r.Notes = append(r.Notes, "Servers can read this path in two ways, which lead to different places: no policy allows that, ask for it in one spelling.")
	case f.include() && (f.method == "*" || star):
		r.Notes = append(r.Notes, "No change is suggested: with credentials no policy allows a method or a header that is itself called *.")
	case f.include():
		r.Notes = append(r.Notes, "No change is suggested: answers made for the user's credentials must not go to an origin that anybody can have or overhear; serve the page over https.")
	}
}

// whyPreflight says in words what makes a preflight necessary.
func (f *normalized) whyPreflight(c causes) string {
	var why []string
	if c.method {
		why = append(why, "the method "+f.method+" is none of GET, HEAD and POST")
	}
	for _, name := range c.headers {
		switch value := f.header(name); {
		case name == "content-type" && len(value) <= maxSafeValue && !isFormType(value):
			why = append(why, "the content type "+strconv.Quote(value)+" is none that a form can send")
		case isSafelisted(name, ""), name == "content-type", name == "range":
			why = append(why, "the value of the header "+name+" is not safelisted")
		default:
			why = append(why, "the header "+name+" is not safelisted")
		}
	}
	return strings.Join(why, ", and ")
}

// whySimple says in words why no preflight is necessary.
func (f *normalized) whySimple() string {
	if len(f.headers) == 0 {
		return f.method + " without headers of the script"
	}
	return f.method + " with safelisted headers only"
}

func (f *normalized) header(name string) string {
	for _, h := range f.headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}
