package browser

import (
	"bytes"
	"strings"
)

// EnvoyPath returns what Envoy with the reference configuration makes of the path of a request, with its query, before
// routes and corsproc see it: normalize_path, merge_slashes, escaped slashes as they are. It reports false where Envoy
// answers with 400 itself. What it does beyond RFC 3986 was found by asking it (testdata/paths.yaml).
func EnvoyPath(s string) (path string, ok bool) {
	path, query := split(s, "?")
	path = cutParameters(path)
	if strings.Contains(path, "%00") {
		return s, false
	}
	path = mergeSlashes(canonicalPath(path))
	return path + query, true
}

// cutParameters drops what stands behind a semicolon in segments of dots alone.
func cutParameters(path string) string {
	if !strings.Contains(path, ".;") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if name, _, ok := strings.Cut(segment, ";"); ok && (name == "." || name == "..") {
			segments[i] = name
		}
	}
	return strings.Join(segments, "/")
}

// canonicalPath resolves dot segments, decodes what needs no escape and escapes what does.
func canonicalPath(path string) string { return resolvePath(path, canonicalSegment) }

// canonicalSegment decodes unreserved characters (RFC 3986, section 2.3) and escapes what cannot stand in a path. A
// percent sign that begins no escape stays, unless one would be made of it by what is decoded behind it.
func canonicalSegment(s string) string {
	out := make([]byte, 0, len(s))
	bare := -1 // where the last percent sign stands that begins no escape
	add := func(c byte) {
		out = append(out, c)
		if bare >= 0 && bare == len(out)-3 && isHex(out[bare+1]) && isHex(out[bare+2]) {
			out = append(out[:bare], append([]byte("%25"), out[bare+1:]...)...)
			bare = -1
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			if decoded := unhex(s[i+1])<<4 | unhex(s[i+2]); isUnreserved(decoded) {
				add(decoded)
			} else {
				out = append(out, s[i:i+3]...)
			}
			i += 2
		case c == '%':
			bare = len(out)
			out = append(out, c)
		case c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte("\"<>^`{|}"), c) >= 0:
			const digits = "0123456789ABCDEF"
			out = append(out, '%', digits[c>>4], digits[c&15])
		default:
			add(c)
		}
	}
	return string(out)
}

// mergeSlashes makes one of several slashes. A path of slashes alone keeps two.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	merged := "/" + strings.Join(strings.FieldsFunc(path, func(c rune) bool { return c == '/' }), "/")
	if strings.HasSuffix(path, "/") {
		merged += "/"
	}
	return merged
}

func isUnreserved(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
