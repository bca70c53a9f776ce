package fetch

// Tested by fetch_test.go.

import (
	"slices"
	"strings"
)

// The names of the headers of the CORS protocol (Fetch, section 3.3.3), of Private Network Access and of what goes with
// them, in lower case, as HTTP/2 sends names and Envoy hands them on.
const (
	AllowOrigin         = "access-control-allow-origin"
	AllowCredentials    = "access-control-allow-credentials"
	AllowMethods        = "access-control-allow-methods"
	AllowHeaders        = "access-control-allow-headers"
	ExposeHeaders       = "access-control-expose-headers"
	MaxAge              = "access-control-max-age"
	AllowPrivateNetwork = "access-control-allow-private-network"

	RequestMethod         = "access-control-request-method"
	RequestHeaders        = "access-control-request-headers"
	RequestPrivateNetwork = "access-control-request-private-network"

	Vary              = "vary"
	TimingAllowOrigin = "timing-allow-origin"
	CacheControl      = "cache-control"
	ContentType       = "content-type"
)

// CORSPrefix is what the names of all headers of the CORS protocol but Origin begin with.
const CORSPrefix = "access-control-"

// IsForbiddenRequestHeader reports whether no script can set a request header, whatever its value (Fetch, section 2.2.2,
// "forbidden request-header"). The name is lower-case.
func IsForbiddenRequestHeader(lower string) bool {
	return slices.Contains(forbiddenRequestHeaders, lower) || strings.HasPrefix(lower, "proxy-") || strings.HasPrefix(lower, "sec-")
}

var forbiddenRequestHeaders = []string{
	"accept-charset", "accept-encoding", RequestHeaders, RequestMethod,
	"connection", "content-length", "cookie", "cookie2", "date", "dnt", "expect", "host", "keep-alive", "origin",
	"referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
}

// IsSafelistedRequestHeader reports whether pages may send a header without being allowed to, whatever usual value it has
// (Fetch, section 2.2.2, "CORS-safelisted request-header"). Content-Type and Range are not among them: only some of their
// values need no permission. The name is lower-case.
func IsSafelistedRequestHeader(lower string) bool {
	return lower == "accept" || lower == "accept-language" || lower == "content-language"
}

// IsNonWildcardRequestHeader reports whether a request header, in any case, is the one that a "*" never covers (Fetch,
// section 2.2.2, "CORS non-wildcard request-header name").
func IsNonWildcardRequestHeader(name string) bool { return EqualFoldASCII(name, "authorization") }

// IsSafelistedResponseHeader reports whether every script may read a response header (Fetch, section 2.2.2,
// "CORS-safelisted response-header name"). The name is lower-case.
func IsSafelistedResponseHeader(lower string) bool {
	switch lower {
	case "cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma":
		return true
	}
	return false
}

// IsForbiddenResponseHeader reports whether no script may read a response header (Fetch, section 2.2.2, "forbidden
// response-header name"). The name is lower-case.
func IsForbiddenResponseHeader(lower string) bool {
	return lower == "set-cookie" || lower == "set-cookie2"
}
