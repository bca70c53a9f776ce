package gateway

// Tested by policy/convert/gateway_test.go and policy/convert/gateway_random_test.go.

import (
	"cmp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// A gatewayMatch is a match of a rule of a route: which requests of a host it takes, and what they are granted. The zero
// conditions are those of a match that takes every request with its path.
type gatewayMatch struct {
	path    gatewayPath
	method  string
	headers []string // names
	query   bool     // a condition on the query
	cookie  bool     // a condition on a cookie, which no preflight has
	terms   build.Place
	filter  bool            // the terms are a CORS filter's of the rule
	answers bool            // the gateway answers itself: a redirect
	at      source.Position // of the match
	field   string          // where it stands in its object
	made    int             // its place in the order of age, rule and match
	partly  bool            // it is asked about paths of which it may take only some
}

// A gatewayPath is which paths a match takes.
type gatewayPath struct {
	kind build.MatchKind // matchPath, matchRegex or matchSegments
	text string          // empty for all paths
}

func (m *gatewayMatch) conditional() bool {
	return m.method != "" || len(m.headers) > 0 || m.query || m.cookie
}

// byPrecedence orders matches as Gateway API does (HTTPRouteRule, matches): exact paths, then expressions, then prefixes,
// the longer one first; then by method, by how many headers, by how many parameters of the query; then the older route's,
// and in a route the order of its rules. Of expressions it says nothing, and Envoy Gateway has the longer one first.
func byPrecedence(a, b *gatewayMatch) int {
	return cmp.Or(byPath(a, b), moreFirst(a.method != "", b.method != ""), cmp.Compare(len(b.headers), len(a.headers)),
		moreFirst(a.cookie, b.cookie), moreFirst(a.query, b.query), cmp.Compare(a.made, b.made))
}

func byPath(a, b *gatewayMatch) int {
	if a.path == b.path {
		return 0
	}
	return cmp.Or(cmp.Compare(a.path.rank(), b.path.rank()), cmp.Compare(len(b.path.text), len(a.path.text)), strings.Compare(a.path.text, b.path.text))
}

func (p gatewayPath) rank() int {
	return slices.Index([]build.MatchKind{build.MatchPath, build.MatchRegex, build.MatchSegments}, p.kind)
}

func moreFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// takesPreflight says whether a preflight can match: never, only some, or all for its path. A preflight has no header of a
// script's, and no cookie (Fetch, CORS-preflight fetch). For a rule with a CORS filter and a method implementations make a
// match for its preflights; what has another method has none.
func (m *gatewayMatch) takesPreflight() (some, all bool) {
	if m.method != "" && m.method != "OPTIONS" && !m.filter || m.cookie {
		return false, false
	}
	for _, name := range m.headers {
		if !isAmbient(name) {
			return false, false
		}
	}
	return true, !m.query && len(m.headers) == 0
}

// isAmbient reports whether browsers send a header that no script has set, or let a script set it without a preflight (Fetch,
// CORS-safelisted request-header), or whether proxies add it. All others a preflight has to allow.
func isAmbient(name string) bool {
	name = strings.ToLower(name)
	return fetch.IsForbiddenRequestHeader(name) || fetch.IsSafelistedRequestHeader(name) || strings.HasPrefix(name, ":") || strings.HasPrefix(name, "x-forwarded-") ||
		strings.HasPrefix(name, "x-envoy-") || strings.HasPrefix(name, "access-control-request-") || slices.Contains(ambientNames, name)
}

// ambientNames are further headers that come without a preflight: ones of the browser, and ones that proxies add.
var ambientNames = []string{
	"accept-encoding", "authorization", "cache-control", "content-type", "downlink", "dpr", "ect", "forwarded", "if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "last-event-id", "pragma", "priority", "purpose", "range", "rtt", "save-data", "service-worker", "upgrade-insecure-requests", "user-agent",
	"viewport-width", "width", "x-real-ip", "x-request-id",
}
