package policy

import "strings"

// readPath returns a request's path without query and fragment, and whether two servers may read it in two ways: escaped
// dots and slashes, backslashes, empty segments and dot segments are resolved by some and not by others.
func readPath(s string) (path string, ambiguous bool) {
	for i := 0; i < len(s); i++ {
		if !isPathMark[s[i]] {
			continue
		}
		switch s[i] {
		case '?', '#':
			return s[:i], ambiguous
		case '\\':
			ambiguous = true
		case '%':
			ambiguous = ambiguous || unescape(s[i:]) != 0
		case '/':
			ambiguous = ambiguous || isOddSegment(s[i+1:])
		}
	}
	return s, ambiguous
}

// isPathMark holds the bytes that readPath looks at.
var isPathMark = [256]bool{'?': true, '#': true, '\\': true, '%': true, '/': true}

// isOddSegment reports whether a path goes on with an empty segment that is not its last, with "." or with "..".
func isOddSegment(rest string) bool {
	if rest == "" || rest[0] != '.' {
		return rest != "" && rest[0] == '/'
	}
	rest = rest[1:]
	if rest != "" && rest[0] == '.' {
		rest = rest[1:]
	}
	return rest == "" || rest[0] == '/' || rest[0] == '?' || rest[0] == '#'
}

func isAmbiguous(path string) bool {
	_, ambiguous := readPath(path)
	return ambiguous
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

// normalizePath resolves what makes a path ambiguous: escapes, backslashes (which are slashes to browsers), empty segments and
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
