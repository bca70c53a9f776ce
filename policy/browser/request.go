package browser

// Tested by model_test.go, changes_test.go and against_test.go.

import (
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// actualRequest returns what the engine is told of the fetch's request, as it is told it of one that came through Envoy.
// Origin goes with everything but a GET or HEAD of the page's own origin (Fetch, section 3.1, "append a request Origin
// header").
func (f *normalized) actualRequest() *policy.Request {
	to := f.url.origin()
	r := &policy.Request{
		VirtualHost: f.VirtualHost, Route: f.Route,
		Method: f.method, Scheme: to.Scheme, Authority: f.url.authority(), Path: f.path,
	}
	if f.WebSocket || f.origin != to || f.method != "GET" && f.method != "HEAD" {
		r.Origin = policy.Line(f.Origin)
	}
	switch {
	case f.WebSocket:
		// Chromium (156) sends no Sec-Fetch-Site with it, other browsers do; the outcome is the same.
		r.Upgrade = "websocket"
	case isTrustworthy(to):
		r.FetchSite = policy.Line(site(f.origin, to))
	}
	return r
}

// preflightRequest returns what the engine is told of the fetch's preflight. The names of the headers that it asks for
// are sorted, in lower case and joined by a bare comma; it carries no credentials (Fetch, section 4.8, "CORS-preflight
// fetch", steps 1 to 5).
func (f *normalized) preflightRequest() *policy.Request {
	r := f.actualRequest()
	r.Method = "OPTIONS"
	r.RequestMethod = policy.Line(f.method)
	if names := unsafeNames(f.headers); len(names) > 0 {
		r.RequestHeaders = []string{strings.Join(names, ",")}
	}
	return r
}

// ask returns a request with what the set makes of it.
func (f *normalized) ask(set *policy.Set, r *policy.Request) *Exchange {
	e := &Exchange{Method: r.Method, URL: f.url.String(), Headers: sent(r)}
	if f.unheard {
		// corsproc only sees an answer, and nothing of the request that it is to.
		r = &policy.Request{Method: r.Method}
	}
	e.Decision = set.Decide(r)
	switch e.Decision.Action() {
	case policy.Respond:
		e.Status, e.Answer, _ = e.Decision.AppendImmediate(nil)
	case policy.Adjust:
		e.Status, e.Answer = 200, e.Decision.AppendResponse(nil, nil)
	}
	if f.unheard {
		e.Status, e.byEnvoy = 400, true
	}
	return e
}

// undecided reports whether only the upstream knows the answer to a request.
func (e *Exchange) undecided() bool { return e.Decision.Action() == policy.Pass && !e.byEnvoy }

// sent returns the headers of a request that matter to CORS.
func sent(r *policy.Request) (headers []policy.Header) {
	add := func(name string, f policy.Field) {
		if f.Lines > 0 {
			headers = append(headers, policy.Header{Name: name, Value: f.Value})
		}
	}
	add("origin", r.Origin)
	add(fetch.RequestMethod, r.RequestMethod)
	for _, line := range r.RequestHeaders {
		headers = append(headers, policy.Header{Name: fetch.RequestHeaders, Value: line})
	}
	add("sec-fetch-site", r.FetchSite)
	if r.Upgrade != "" {
		headers = append(headers, policy.Header{Name: "upgrade", Value: r.Upgrade})
	}
	return headers
}
