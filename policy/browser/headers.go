package browser

// Tested by model_test.go, against_test.go and usage_test.go.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// maxSafeValue is the length of the longest value of a safelisted request header, in bytes (Fetch, section 2.2.2). The
// standard's other limit, 1,024 bytes for all of them, is never met: there are five names, and browsers join the lines of
// one name before they look.
const maxSafeValue = 128

// isForbiddenHeader reports whether no script can set a header to a value (Fetch, section 2.2.2, "forbidden
// request-header"). The name is lower-case.
func isForbiddenHeader(name, value string) bool {
	switch name {
	case "x-http-method", "x-http-method-override", "x-method-override":
		for method := range strings.SplitSeq(value, ",") {
			if method = fetch.TrimBlanks(method); fetch.IsToken(method) && fetch.IsForbiddenMethod(method) {
				return true
			}
		}
		return false
	}
	return fetch.IsForbiddenRequestHeader(name)
}

// normalizeHeaders returns what a script's headers become: one line for each name, lower-case and sorted.
func (l *faultList) normalizeHeaders(asked []policy.Header) []policy.Header {
	if len(asked) > MaxHeaders {
		l.add(PartHeaders, "%d headers are too many; at most %d are taken", len(asked), MaxHeaders)
		return nil
	}
	var headers []policy.Header
	for _, h := range asked {
		name, value := strings.ToLower(h.Name), strings.Trim(h.Value, " \t\r\n")
		switch {
		case !fetch.IsToken(h.Name):
			l.add(PartHeaderName, "%q is no name of a header", cut(h.Name)).Header = h.Name
			continue
		case strings.ContainsFunc(value, func(r rune) bool { return r == 0 || r == '\n' || r == '\r' || r > 0xff }):
			l.add(PartHeaderValue, "the value of the header %s cannot be sent: it has a line break, a NUL or a character beyond U+00FF", cut(name)).Header = h.Name
			continue
		case isForbiddenHeader(name, value) && strings.HasPrefix(name, "x-"):
			l.add(PartHeaderValue, "scripts cannot set the header %s to a method that they cannot send: CONNECT, TRACE or TRACK", name).Header = h.Name
			continue
		case isForbiddenHeader(name, value):
			l.add(PartHeaderName, "scripts cannot set the header %s: only the browser does", cut(name)).Header = h.Name
			continue
		}
		if i := slices.IndexFunc(headers, func(have policy.Header) bool { return have.Name == name }); i >= 0 {
			headers[i].Value += ", " + value
			continue
		}
		headers = append(headers, policy.Header{Name: name, Value: value})
	}
	slices.SortFunc(headers, func(a, b policy.Header) int { return strings.Compare(a.Name, b.Name) })
	return headers
}

// unsafeNames returns the names of the headers that need a preflight, sorted (Fetch, section 2.2.2, "CORS-unsafe
// request-header names").
func unsafeNames(headers []policy.Header) []string {
	var unsafe []string
	for _, h := range headers {
		if !isSafelisted(h.Name, h.Value) {
			unsafe = append(unsafe, h.Name)
		}
	}
	return unsafe
}

// isSafelisted reports whether a header can be sent anywhere without asking (Fetch, section 2.2.2, "CORS-safelisted
// request-header"). The name is lower-case.
func isSafelisted(name, value string) bool {
	value = latin1(value)
	if len(value) > maxSafeValue {
		return false
	}
	switch name {
	case "accept":
		return !hasUnsafeByte(value)
	case "accept-language", "content-language":
		return !strings.ContainsFunc(value, func(r rune) bool {
			c := r | 0x20
			return (r < '0' || r > '9') && (c < 'a' || c > 'z') && !strings.ContainsRune(" *,-.;=", r)
		})
	case "content-type":
		return !hasUnsafeByte(value) && isFormType(value)
	case "range":
		return isSimpleRange(value)
	}
	return false
}

// hasUnsafeByte reports whether a value has a CORS-unsafe request-header byte.
func hasUnsafeByte(value string) bool {
	for i := 0; i < len(value); i++ {
		if c := value[i]; (c < 0x20 && c != '\t') || c == 0x7f || strings.IndexByte(`"():<>?@[\]{}`, c) >= 0 {
			return true
		}
	}
	return false
}

// isFormType reports whether a media type is one of those that forms have always sent. Only type and subtype count: the
// parameters may be anything that has no unsafe byte.
func isFormType(value string) bool {
	essence, _, _ := strings.Cut(value, ";")
	essence = strings.ToLower(strings.Trim(essence, " \t"))
	return essence == "application/x-www-form-urlencoded" || essence == "multipart/form-data" || essence == "text/plain"
}

// isSimpleRange reports whether a value is one range of bytes with a beginning (Fetch, section 2.2.2, "parse a single
// range header value", without blanks).
func isSimpleRange(value string) bool {
	value, ok := strings.CutPrefix(value, "bytes=")
	start, end, found := strings.Cut(value, "-")
	return ok && found && start != "" && isNumber(start) && isNumber(end) && (end == "" || !isLess(end, start))
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// isLess compares two numbers of any length.
func isLess(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// latin1 returns a value as it is sent: one byte for each character (Web IDL, ByteString).
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}
