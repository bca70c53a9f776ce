package browser

// Tested by model_test.go, changes_test.go and against_test.go.

import (
	"slices"
	"strconv"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// causes says what of a fetch makes a preflight necessary.
type causes struct {
	method  bool     // it is none of GET, HEAD and POST
	headers []string // the names that are not safelisted, sorted
}

// preflightCauses returns why a cross-origin fetch needs a preflight (Fetch, section 4.1, "main fetch", step 11).
func (f *normalized) preflightCauses() causes {
	return causes{method: !fetch.IsSafelistedMethod(f.method), headers: unsafeNames(f.headers)}
}

func (c causes) any() bool { return c.method || len(c.headers) > 0 }

// names returns the causes for programs.
func (c causes) names() []string {
	var names []string
	if c.method {
		names = append(names, "method")
	}
	return append(names, c.headers...)
}

// preflightCheck decides whether a preflight's answer lets the request follow (Fetch, section 4.8, "CORS-preflight
// fetch", from step 7).
func (f *normalized) preflightCheck(r *Answer, unsafe []string) failure {
	if failed := corsCheck(r, f.Origin, f.include()); failed.kind != passes {
		return failed
	}
	if r.Status < 200 || r.Status > 299 {
		return failure{kind: statusNotOK}
	}
	methods, ok := r.tokens(fetch.AllowMethods)
	if !ok {
		return failure{kind: methodsUnreadable}
	}
	headers, ok := r.tokens(fetch.AllowHeaders)
	if !ok {
		return failure{kind: headersUnreadable}
	}
	has := func(list []string, s string) bool { return slices.Contains(list, s) }
	if !has(methods, f.method) && !fetch.IsSafelistedMethod(f.method) && (f.include() || !has(methods, "*")) {
		return failure{methodMissing, f.method}
	}
	for _, name := range unsafe {
		listed := slices.ContainsFunc(headers, func(s string) bool { return strings.EqualFold(s, name) })
		if !listed && (f.include() || fetch.IsNonWildcardRequestHeader(name) || !has(headers, "*")) {
			return failure{headerMissing, name}
		}
	}
	return failure{}
}

// Cache is for how many seconds browsers remember the answer to a preflight; 0: not at all.
type Cache struct{ Chromium, Firefox, Safari int }

// The most that browsers remember a preflight's answer for, in seconds, and what they do where it says nothing.
const (
	maxChromium  = 7200
	maxFirefox   = 86400
	maxSafari    = 600
	defaultCache = 5
)

// preflightCache returns for how long the answer to a preflight that passed is remembered.
func preflightCache(r *Answer) Cache {
	seconds := uint64(defaultCache)
	if value, ok := r.Get(fetch.MaxAge); ok {
		n, err := strconv.ParseUint(value, 10, 64)
		switch {
		case err == nil:
			seconds = n
		case isNumber(value) && value != "": // larger than anybody can count
			seconds = maxFirefox
		}
	}
	cap := func(most uint64) int { return int(min(seconds, most)) }
	return Cache{Chromium: cap(maxChromium), Firefox: cap(maxFirefox), Safari: cap(maxSafari)}
}
