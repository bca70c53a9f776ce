package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

func (l *Linter) lintMethods(p *policy) {
	list := p.Message.GetAllowMethods()
	at := p.At.Field("allow_methods")
	listed := make(map[string]bool, len(list))
	for _, m := range list {
		listed[m] = true
	}
	for i, m := range list {
		upper := strings.ToUpper(m)
		switch {
		case fetch.IsForbiddenMethod(m):
			l.found.Warn(finding.Finding{Code: finding.CodeMethodNeverSent, Location: at.Index(i), Value: m,
				Message: "no script can use this method, so no browser asks for it"})
		case m != "*" && strings.Contains(m, "*") && !listed["*"]:
			l.warnStar(at.Index(i), m, "method")
		case m == upper || !fetch.IsRegisteredMethod(upper) || listed["*"]:
		case fetch.IsNormalizedMethod(upper):
			// A script's "put" arrives as PUT, so the entry matches nothing.
			l.found.Warn(finding.Finding{Code: finding.CodeMethodCase, Location: at.Index(i), Value: m,
				Message: "methods are compared with their case, and browsers send " + upper, Fix: fixUnless(listed[upper], upper)})
		case !listed[upper]:
			l.found.Warn(finding.Finding{Code: finding.CodeMethodCase, Location: at.Index(i), Value: m,
				Message: "methods are compared with their case: this does not allow " + upper, Fix: upper})
		}
	}
	if listed["*"] || listed["POST"] {
		return
	}
	if i := slices.IndexFunc(list, fetch.IsSafelistedMethod); i >= 0 {
		l.found.Hint(finding.Finding{Code: finding.CodePostAlwaysAllowed, Location: at.Index(i), Value: list[i],
			Message: "a list without POST does not keep POST out: browsers may always use GET, HEAD and POST; reject: UNSAFE_METHODS stops what is not allowed"})
	}
}

// fixUnless returns a fix unless it would only repeat what stands there already.
func fixUnless(there bool, fix string) string {
	if there {
		return ""
	}
	return fix
}

func (l *Linter) lintHeaders(p *policy) {
	at := p.At.Field("allow_headers")
	allowsAll, exposesAll := slices.Contains(p.Message.GetAllowHeaders(), "*"), slices.Contains(p.Message.GetExposeHeaders(), "*")
	for i, name := range p.Message.GetAllowHeaders() {
		switch lower := strings.ToLower(name); {
		case name != "*" && strings.Contains(name, "*") && !allowsAll:
			l.warnStar(at.Index(i), name, "header")
		case strings.HasPrefix(lower, fetch.CORSPrefix):
			l.found.Warn(finding.Finding{Code: finding.CodeCORSHeader, Location: at.Index(i), Value: name,
				Message: "this header belongs to the CORS protocol and is never a header that a page asks for: list the page's own request headers"})
		case fetch.IsForbiddenRequestHeader(lower):
			l.found.Warn(finding.Finding{Code: finding.CodeRequestHeader, Location: at.Index(i), Value: name,
				Message: "only the browser itself sets this header, so no page ever asks for it"})
		case fetch.IsSafelistedRequestHeader(lower):
			l.found.Hint(finding.Finding{Code: finding.CodeSafelistedHeader, Location: at.Index(i), Value: name,
				Message: "every page may send this header without being allowed to"})
		}
	}
	if p.Message.GetExposeUpstream() && exposesAll && !p.Compiled.Credentials {
		l.found.Hint(finding.Finding{Code: finding.CodeExposeNoEffect, Location: p.At.Field("expose_upstream"), Value: "true",
			Message: "\"*\" in expose_headers exposes what the upstream names too"})
	}
	at = p.At.Field("expose_headers")
	for i, name := range p.Message.GetExposeHeaders() {
		switch lower := strings.ToLower(name); {
		case name != "*" && strings.Contains(name, "*") && !exposesAll:
			l.warnStar(at.Index(i), name, "header")
		case fetch.IsForbiddenResponseHeader(lower):
			l.found.Warn(finding.Finding{Code: finding.CodeResponseHeader, Location: at.Index(i), Value: name,
				Message: "browsers show this header to no script, whatever is listed"})
		case strings.HasPrefix(lower, fetch.CORSPrefix) || lower == "origin":
			l.found.Warn(finding.Finding{Code: finding.CodeCORSHeader, Location: at.Index(i), Value: name,
				Message: "this header belongs to the CORS protocol and tells a page nothing: list the response headers that its scripts read"})
		case fetch.IsSafelistedResponseHeader(lower):
			l.found.Hint(finding.Finding{Code: finding.CodeSafelistedHeader, Location: at.Index(i), Value: name,
				Message: "scripts may always read this header"})
		}
	}
}

// warnStar warns of a name that is most likely meant for many.
func (l *Linter) warnStar(at finding.Location, name, what string) {
	l.found.Warn(finding.Finding{Code: finding.CodeStarInName, Location: at, Value: name,
		Message: "beside other characters a star is nothing but a star, so this is one " + what + " of this very name: list the names, or \"*\" alone for all"})
}

// maxHonouredAge is the longest time that the most used engine, Chromium, keeps a preflight, in seconds. WebKit's 600
// are no reason for a hint: who writes 2h for the others loses nothing there.
const maxHonouredAge = 7200

func (l *Linter) lintMaxAge(p *policy) {
	if seconds, err := strconv.Atoi(p.Compiled.MaxAge); err == nil && seconds > maxHonouredAge {
		l.found.Hint(finding.Finding{Code: finding.CodeMaxAgeCapped, Location: p.At.Field("max_age"), Value: p.Message.GetMaxAge(),
			Message: "browsers cut this: Chromium keeps a preflight for at most 2h, Firefox for 24h, Safari for 10m"})
	}
}
