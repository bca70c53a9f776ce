package fetch

// Tested by fetch_test.go.

import (
	"slices"
	"strings"
)

// IsSafelistedMethod reports whether a method needs no permission (Fetch, section 2.2.1, "CORS-safelisted method").
func IsSafelistedMethod(s string) bool { return s == "GET" || s == "HEAD" || s == "POST" }

// IsForbiddenMethod reports whether a method is one that no script can use (Fetch, section 2.2.1, "forbidden method").
func IsForbiddenMethod(s string) bool {
	return strings.EqualFold(s, "CONNECT") || strings.EqualFold(s, "TRACE") || strings.EqualFold(s, "TRACK")
}

// IsNormalizedMethod reports whether an upper-case method is one that browsers send in upper case however a script writes
// it (Fetch, section 2.2.1, "normalize"). Every other method is sent as it is written.
func IsNormalizedMethod(upper string) bool {
	switch upper {
	case "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT":
		return true
	}
	return false
}

// IsSafeMethod reports whether a method is safe (RFC 9110, section 9.2.1), TRACE excepted, which no browser sends.
func IsSafeMethod(s string) bool { return s == "GET" || s == "HEAD" || s == "OPTIONS" }

// IsRegisteredMethod reports whether a method that scripts may use stands in the IANA registry of HTTP methods.
func IsRegisteredMethod(s string) bool {
	_, found := slices.BinarySearch(registeredMethods, s)
	return found
}

// registeredMethods is sorted.
var registeredMethods = []string{
	"ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LABEL", "LINK", "LOCK",
	"MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "OPTIONS", "ORDERPATCH",
	"PATCH", "POST", "PROPFIND", "PROPPATCH", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT",
	"UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL",
}
