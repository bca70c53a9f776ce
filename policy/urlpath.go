package policy

import "strings"

// pathOnly returns a request's path without query and fragment.
func pathOnly(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] == '?' || s[i] == '#' {
			return s[:i]
		}
	}
	return s
}

// isAmbiguous reports whether two servers may read a path in two ways: escaped dots and slashes, backslashes, empty
// segments and dot segments are resolved by some and not by others.
func isAmbiguous(path string) bool {
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '\\':
			return true
		case '%':
			if unescape(path[i:]) != 0 {
				return true
			}
		case '/':
			rest := path[i+1:]
			if strings.HasPrefix(rest, "/") {
				return true
			}
			segment, _, _ := strings.Cut(rest, "/")
			if segment == "." || segment == ".." {
				return true
			}
		}
	}
	return false
}

// unescape returns the byte that an escape at the beginning of s stands for, where it is a dot, a slash or a backslash;
// otherwise 0.
func unescape(s string) byte {
	if len(s) < 3 {
		return 0
	}
	switch s[1:3] {
	case "2e", "2E":
		return '.'
	case "2f", "2F":
		return '/'
	case "5c", "5C":
		return '\\'
	}
	return 0
}

// normalizePath resolves what isAmbiguous finds: escapes, backslashes (which are slashes to browsers), empty segments and
// dot segments (RFC 3986, section 5.2.4). Servers disagree on whether empty segments go before the dot segments are
// resolved (merge) or after, which matters for /a//../b.
func normalizePath(path string, merge bool) string {
	decoded := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			if e := unescape(path[i:]); e != 0 {
				c = e
				i += 2
			}
		}
		if c == '\\' {
			c = '/'
		}
		decoded = append(decoded, c)
	}
	segments := strings.Split(string(decoded), "/")
	out := make([]string, 0, len(segments))
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case segment == "." || segment == "..":
			if segment == ".." && len(out) > 1 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		case segment == "" && merge && i > 0 && !last:
		default:
			out = append(out, segment)
		}
	}
	normal := strings.Join(out, "/")
	if merge {
		return normal
	}
	for strings.Contains(normal, "//") {
		normal = strings.ReplaceAll(normal, "//", "/")
	}
	return normal
}
