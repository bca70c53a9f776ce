package policy

import (
	"slices"
	"strconv"
	"strings"
)

// standardMethods are the methods that scripts may use by their names in the IANA registry of HTTP methods, GET, HEAD
// and POST among them.
var standardMethods = map[string]bool{}

func init() {
	for _, m := range []string{
		"ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LABEL", "LINK", "LOCK",
		"MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "OPTIONS", "ORDERPATCH",
		"PATCH", "POST", "PROPFIND", "PROPPATCH", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT",
		"UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL",
	} {
		standardMethods[m] = true
	}
}

// normalizedMethods are those that browsers turn into upper case however a script writes them (Fetch, section 2.2.1,
// "normalize").
var normalizedMethods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"}

func (l *linter) lintMethods(p *lintedPolicy) {
	list := p.message.GetAllowMethods()
	at := p.at.child("allow_methods")
	listed := make(map[string]bool, len(list))
	for _, m := range list {
		listed[m] = true
	}
	for i, m := range list {
		upper := strings.ToUpper(m)
		switch {
		case isForbiddenMethod(m):
			l.warn(at.element(i), CodeMethodNeverSent, m, "no script can use this method, so no browser asks for it", "", nil)
		case m == upper || !standardMethods[upper] || listed["*"]:
		case slices.Contains(normalizedMethods, upper):
			// A script's "put" arrives as PUT, so the entry matches nothing.
			l.warn(at.element(i), CodeMethodCase, m, "methods are compared with their case, and browsers send "+upper, fixUnless(listed[upper], upper), nil)
		case !listed[upper]:
			l.warn(at.element(i), CodeMethodCase, m, "methods are compared with their case: this does not allow "+upper, upper, nil)
		}
	}
	if listed["*"] || listed["POST"] {
		return
	}
	if i := slices.IndexFunc(list, isSafelistedMethod); i >= 0 {
		l.hint(at.element(i), CodePostAlwaysAllowed, list[i],
			"a list without POST does not keep POST out: browsers may always use GET, HEAD and POST; reject: UNSAFE_METHODS stops what is not allowed")
	}
}

// fixUnless returns a fix unless it would only repeat what stands there already.
func fixUnless(there bool, fix string) string {
	if there {
		return ""
	}
	return fix
}

// forbiddenRequestHeaders are request headers that scripts cannot set (Fetch, section 2.2.2, "forbidden
// request-header"), beside those that begin with proxy- or sec-.
var forbiddenRequestHeaders = []string{
	"accept-charset", "accept-encoding", "connection", "content-length", "cookie", "cookie2", "date", "dnt", "expect",
	"host", "keep-alive", "origin", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
}

// safelistedRequestHeaders need no entry (Fetch, section 2.2.2, "CORS-safelisted request-header"). Content-Type and Range
// are not among them: only some of their values need none.
var safelistedRequestHeaders = []string{"accept", "accept-language", "content-language"}

// safelistedResponseHeaders can always be read (Fetch, section 2.2.2, "CORS-safelisted response-header name").
var safelistedResponseHeaders = []string{
	"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma",
}

func isForbiddenRequestHeader(lower string) bool {
	return slices.Contains(forbiddenRequestHeaders, lower) || strings.HasPrefix(lower, "proxy-") || strings.HasPrefix(lower, "sec-")
}

func (l *linter) lintHeaders(p *lintedPolicy) {
	at := p.at.child("allow_headers")
	for i, name := range p.message.GetAllowHeaders() {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(lower, "access-control-"):
			l.warn(at.element(i), CodeCORSHeader, name,
				"this header belongs to the CORS protocol and is never a header that a page asks for: list the page's own request headers", "", nil)
		case isForbiddenRequestHeader(lower):
			l.warn(at.element(i), CodeRequestHeader, name, "only the browser itself sets this header, so no page ever asks for it", "", nil)
		case slices.Contains(safelistedRequestHeaders, lower):
			l.hint(at.element(i), CodeSafelistedHeader, name, "every page may send this header without being allowed to")
		}
	}
	at = p.at.child("expose_headers")
	for i, name := range p.message.GetExposeHeaders() {
		switch lower := strings.ToLower(name); {
		case lower == "set-cookie" || lower == "set-cookie2":
			l.warn(at.element(i), CodeResponseHeader, name, "browsers show this header to no script, whatever is listed", "", nil)
		case strings.HasPrefix(lower, "access-control-") || lower == "origin":
			l.warn(at.element(i), CodeCORSHeader, name,
				"this header belongs to the CORS protocol and tells a page nothing: list the response headers that its scripts read", "", nil)
		case slices.Contains(safelistedResponseHeaders, lower):
			l.hint(at.element(i), CodeSafelistedHeader, name, "scripts may always read this header")
		}
	}
}

// maxHonouredAge is the longest time that the most used engine, Chromium, keeps a preflight, in seconds. WebKit's 600
// are no reason for a hint: who writes 2h for the others loses nothing there.
const maxHonouredAge = 7200

func (l *linter) lintMaxAge(p *lintedPolicy) {
	if seconds, err := strconv.Atoi(p.maxAge); err == nil && seconds > maxHonouredAge {
		l.hint(p.at.child("max_age"), CodeMaxAgeCapped, p.message.GetMaxAge(),
			"browsers cut this: Chromium keeps a preflight for at most 2h, Firefox for 24h, Safari for 10m")
	}
}
