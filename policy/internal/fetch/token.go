package fetch

// Tested by fetch_test.go.

// IsToken reports whether s is a token (RFC 9110, section 5.6.2), the form of methods and field names.
func IsToken(s string) bool {
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

// LowerASCII returns s with A-Z in lower case. Where that is what s is already, or it fits into buf, nothing is
// allocated; the result must then not outlive buf, which is why it is only for looking up.
func LowerASCII(s string, buf []byte) []byte {
	buf = append(buf[:0], s...)
	for i, c := range buf {
		if 'A' <= c && c <= 'Z' {
			buf[i] = c | 0x20
		}
	}
	return buf
}

// EqualFoldASCII reports whether s is the lower-case text t when A-Z of s are in lower case.
func EqualFoldASCII(s, t string) bool {
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

// HasUpperASCII reports whether s has a letter of A-Z.
func HasUpperASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// IsFieldValue reports whether s can be written as a field's value (RFC 9110, section 5.5).
func IsFieldValue(s []byte) bool {
	for _, c := range s {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// IsASCII reports whether s has nothing but ASCII.
func IsASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
