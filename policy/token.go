package policy

import "strings"

// isToken reports whether s is a token (RFC 9110, section 5.6.2), the form of methods and field names.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

var isTokenByte = func() (is [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		is[c] = true
	}
	return
}()

// isForbiddenMethod reports whether a method is one that no script can use (Fetch, section 2.2.1, "forbidden method").
func isForbiddenMethod(s string) bool {
	return strings.EqualFold(s, "CONNECT") || strings.EqualFold(s, "TRACE") || strings.EqualFold(s, "TRACK")
}

// isSafelistedMethod reports whether a method needs no permission (Fetch, section 2.2.1, "CORS-safelisted method").
func isSafelistedMethod(s string) bool { return s == "GET" || s == "HEAD" || s == "POST" }

// lowerASCII returns s with A-Z in lower case. Where that is what s is already, or it fits into buf, nothing is
// allocated; the result must then not outlive buf, which is why it is only for looking up.
func lowerASCII(s string, buf []byte) []byte {
	buf = append(buf[:0], s...)
	for i, c := range buf {
		if 'A' <= c && c <= 'Z' {
			buf[i] = c | 0x20
		}
	}
	return buf
}

// equalFoldASCII reports whether s is the lower-case text t when A-Z of s are in lower case.
func equalFoldASCII(s, t string) bool {
	if s == t {
		return true
	}
	if len(s) != len(t) {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != t[i] {
			return false
		}
	}
	return true
}

// hasUpperASCII reports whether s has a letter of A-Z.
func hasUpperASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// listHas reports whether a list of tokens (several elements parted by commas) has the lower-case token, ignoring case.
func listHas(list, token string) bool {
	for list != "" {
		var element string
		element, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(trimOWS(element), token) {
			return true
		}
	}
	return false
}

// trimOWS removes optional white space (RFC 9110, section 5.6.3): blanks and tabs, nothing else.
func trimOWS(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
