package verify

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
)

// A Question is one request, and what the policies answer to it.
type Question struct {
	Place  *Place
	Method string // OPTIONS, which is a preflight, or GET or HEAD
	Origin string // empty: none

	// Of a preflight:
	RequestMethod  string
	RequestHeaders []string // lower-case and sorted
	PrivateNetwork bool

	Decision policy.Decision
	// Answer is what corsproc writes. Its status is 0 where the upstream has one of its own.
	Answer browser.Answer
}

// IsPreflight reports whether the question is a preflight.
func (q *Question) IsPreflight() bool { return q.Method == "OPTIONS" }

// Headers returns the header lines that make the request what it is.
func (q *Question) Headers() []policy.Header {
	var all []policy.Header
	add := func(name, value string) {
		if value != "" {
			all = append(all, policy.Header{Name: name, Value: value})
		}
	}
	add("Origin", q.Origin)
	add("Access-Control-Request-Method", q.RequestMethod)
	add("Access-Control-Request-Headers", strings.Join(q.RequestHeaders, ","))
	if q.PrivateNetwork {
		add("Access-Control-Request-Private-Network", "true")
	}
	return all
}

// key tells questions about one place apart.
func (q *Question) key() string {
	return fmt.Sprint(q.Method, "\n", q.Origin, "\n", q.RequestMethod, "\n", q.RequestHeaders, q.PrivateNetwork)
}

// String returns the question in one line.
func (q *Question) String() string {
	text := q.Method
	if q.IsPreflight() {
		text = "preflight for " + q.RequestMethod
		if len(q.RequestHeaders) > 0 {
			text += " with " + strings.Join(q.RequestHeaders, ", ")
		}
		if q.PrivateNetwork {
			text += ", of a private network"
		}
	}
	if q.Origin == "" {
		return text + " without Origin"
	}
	return text + " from " + q.Origin
}

// decide fills in what the policies answer. It reports false where they leave that to the upstream.
func (q *Question) decide(set *policy.Set, o *Options) bool {
	t := q.Place.Site.Target
	path, _ := browser.EnvoyPath(q.Place.Path)
	r := &policy.Request{
		VirtualHost: q.Place.Site.VirtualHost, Route: q.Place.route,
		Method: q.Method, Scheme: t.Scheme, Authority: t.Authority(), Path: path, FetchSite: o.FetchSite,
	}
	for _, h := range q.Headers() {
		switch h.Name {
		case "Origin":
			r.Origin = policy.Line(h.Value)
		case "Access-Control-Request-Method":
			r.RequestMethod = policy.Line(h.Value)
		case "Access-Control-Request-Headers":
			r.RequestHeaders = []string{h.Value}
		default:
			r.RequestPrivateNetwork = h.Value
		}
	}
	q.Decision = set.Decide(r)
	switch q.Decision.Action() {
	case policy.Respond:
		q.Answer.Status, q.Answer.Headers, _ = q.Decision.AppendImmediate(nil)
	case policy.Adjust:
		q.Answer.Headers = q.Decision.AppendResponse(nil, nil)
	default:
		return false
	}
	return true
}

// questions yields what is to be asked about a place, the most telling first, each once.
func (b *planner) questions(p *Place) iter.Seq[*Question] {
	return func(yield func(*Question) bool) {
		a := asker{b: b, place: p, yield: yield, seen: map[string]bool{}}
		a.run()
	}
}

// An asker makes the questions about one place.
type asker struct {
	b     *planner
	place *Place
	yield func(*Question) bool
	seen  map[string]bool
	done  bool // nobody wants more
}

// ask yields a question unless it was asked before, or is not to be asked.
func (a *asker) ask(q Question) {
	q.Place = a.place
	if a.done || q.IsPreflight() && q.Origin == "" || !q.IsPreflight() && a.b.options.PreflightsOnly || a.place.Site.Target.IsOwn(q.Origin) {
		return
	}
	if key := q.key(); a.seen[key] {
		return
	} else {
		a.seen[key] = true
	}
	if !q.decide(a.b.set, &a.b.options) {
		return
	}
	if q.IsPreflight() && q.Answer.Status != 403 {
		a.place.lists[listsOf(&q.Answer)] = true
		a.place.statuses[q.Answer.Status] = true
	}
	a.done = !a.yield(&q)
}

// listsOf returns the lists of methods and headers of a preflight's answer.
func listsOf(answer *browser.Answer) string {
	methods, _ := answer.Get("access-control-allow-methods")
	headers, _ := answer.Get("access-control-allow-headers")
	return methods + "\n" + headers
}

// request asks for what a page of an origin reads.
func (a *asker) request(origin string) { a.ask(Question{Method: a.b.options.Method, Origin: origin}) }

// preflight asks for what a page of an origin may send.
func (a *asker) preflight(origin, method string, headers ...string) {
	a.ask(Question{Method: "OPTIONS", Origin: origin, RequestMethod: method, RequestHeaders: headers})
}

// both asks for a preflight and a request.
func (a *asker) both(origin string) {
	a.preflight(origin, "GET")
	a.request(origin)
}

func (a *asker) run() {
	var policies []*said
	for _, name := range a.place.policies {
		if name != "none" && name != "passthrough" {
			policies = append(policies, a.b.said(name))
		}
	}
	leads := make([]string, len(policies))
	for i, p := range policies {
		if leads[i] = a.lead(p); leads[i] != "" {
			a.both(leads[i])
		}
	}
	a.request("")
	a.both(stranger)
	a.both("null")
	odd := stranger
	if i := slices.IndexFunc(leads, func(s string) bool { return s != "" }); i >= 0 {
		odd = leads[i]
		a.near("", odd)
	}
	for _, value := range malformed(odd) {
		a.both(value)
	}
	for i, p := range policies {
		if leads[i] != "" {
			a.terms(p, leads[i])
		}
	}
	for _, p := range policies {
		a.patterns(p)
	}
	for _, p := range policies {
		for _, pattern := range p.denied {
			for _, origin := range covered(pattern) {
				a.both(origin)
			}
		}
	}
	for _, p := range policies {
		for _, pattern := range p.more {
			for _, origin := range covered(pattern) {
				a.preflight(origin, "GET")
			}
		}
	}
}

// lead returns an origin that a policy allows at the place; empty: there is none, for instance as policies in front of it
// answer all of them.
func (a *asker) lead(p *said) string {
	try := func(origins []string) string {
		for _, origin := range origins {
			q := Question{Place: a.place, Method: "GET", Origin: origin}
			if !a.place.Site.Target.IsOwn(origin) && q.decide(a.b.set, &a.b.options) &&
				q.Decision.Verdict == policy.Allowed && q.Decision.Policy == p.name {
				return origin
			}
		}
		return ""
	}
	for _, pattern := range slices.Concat(p.kinds, p.more) {
		if origin := try(covered(pattern)); origin != "" {
			return origin
		}
	}
	for _, x := range p.expressions {
		if origin := try(x.samples); origin != "" {
			return origin
		}
	}
	return ""
}

// terms asks for what a policy grants beside reading: methods, headers, a private network.
func (a *asker) terms(p *said, origin string) {
	for _, method := range p.methods {
		if method != "*" {
			a.preflight(origin, method)
		}
	}
	a.preflight(origin, unlisted(p.methods, "DELETE", "PATCH", "PUT", "CORSPROC-VERIFY"))
	var all []string
	for _, name := range p.headers {
		if name != "*" {
			all = append(all, strings.ToLower(name))
		}
	}
	for _, name := range all {
		a.preflight(origin, "GET", name)
	}
	a.preflight(origin, "GET", unlisted(all, "x-corsproc-verify", "x-corsproc-verify-2"))
	a.preflight(origin, "GET", "authorization")
	if slices.Sort(all); len(all) > 1 && len(strings.Join(all, ",")) < maxHeaderList {
		a.preflight(origin, "GET", slices.Compact(all)...)
	}
	if p.private {
		a.ask(Question{Method: "OPTIONS", Origin: origin, RequestMethod: "GET", PrivateNetwork: true})
	}
}

// maxHeaderList bounds a list of header names that is asked for at once: servers take some kilobytes.
const maxHeaderList = 4 << 10

// unlisted returns the first of some names that a list does not have; the last if it has all.
func unlisted(list []string, names ...string) string {
	for _, name := range names {
		if !slices.Contains(list, name) {
			return name
		}
	}
	return names[len(names)-1]
}

// patterns asks about a pattern of each kind, about every expression, and about what looks like them.
func (a *asker) patterns(p *said) {
	for _, pattern := range p.kinds {
		for _, origin := range covered(pattern) {
			a.both(origin)
		}
		a.near(pattern, covered(pattern)[0])
	}
	for _, x := range p.expressions {
		for _, origin := range x.samples {
			a.both(origin)
		}
		if len(x.samples) > 0 {
			a.near("", x.samples[0])
		}
	}
}

// near asks about what looks like an origin that is allowed. Where everybody is, nothing does.
func (a *asker) near(pattern, origin string) {
	if origin == stranger {
		return
	}
	for _, near := range nearMisses(pattern, origin) {
		a.both(near)
	}
}
