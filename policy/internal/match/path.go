package match

import (
	"bytes"
	"iter"
)

// A step is one thing that some servers do to a path before they look at it, and others do not. It works in place, as it
// makes no path longer, and returns what is left.
type step func(path []byte) []byte

// readings are the ways in which servers read a path that leaves them a choice, beside the path as it was received: each
// step alone, and orders of them that are in use. The two long ones differ in what they make of /a//../b; those that begin
// with parameters are Java servers' (Tomcat, Jetty).
var readings = [...][]step{
	{DecodeUnreserved}, {decodeSeparators}, {TurnBackslashes}, {cutParameters}, {RaiseDigits}, {ResolveDots}, {mergeSlashes},
	{RaiseDigits, DecodeUnreserved, decodeSeparators, TurnBackslashes, cutParameters, ResolveDots, mergeSlashes},
	{RaiseDigits, DecodeUnreserved, decodeSeparators, TurnBackslashes, cutParameters, mergeSlashes, ResolveDots},
	{cutParameters, DecodeUnreserved, ResolveDots},
	{cutParameters, mergeSlashes},
	{cutParameters, ResolveDots},
	{DecodeUnreserved, ResolveDots},
}

// MaxReadings is how many other readings a path has at most.
const MaxReadings = len(readings)

// OtherReadings yields what servers make of a path that [ReadPath] says can be read in more than one way, without the path
// itself, and each once. It takes time and memory in proportion to the path.
func OtherReadings(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var found [len(readings)]string
		n := 0
		buf := make([]byte, 0, len(path))
	next:
		for _, steps := range readings {
			read := append(buf, path...)
			for _, do := range steps {
				read = do(read)
			}
			if string(read) == path {
				continue
			}
			for _, f := range found[:n] {
				if string(read) == f {
					continue next
				}
			}
			found[n] = string(read)
			if !yield(found[n]) {
				return
			}
			n++
		}
	}
}

// ReadPath returns a request's path without query and fragment, and whether servers may read it in more than one way: it
// has something that one of the steps would change.
func ReadPath(s string) (path string, twofold bool) {
	for i := 0; i < len(s); i++ {
		if !isPathMark[s[i]] {
			continue
		}
		switch s[i] {
		case '?', '#':
			return s[:i], twofold
		case '\\', ';':
			twofold = true
		case '%':
			twofold = twofold || isTwofoldEscape(s[i:])
		case '/':
			twofold = twofold || isOddSegment(s[i+1:])
		}
	}
	return s, twofold
}

// isPathMark holds the bytes that ReadPath looks at.
var isPathMark = [256]bool{'?': true, '#': true, '\\': true, ';': true, '%': true, '/': true}

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

// IsTwofold reports whether servers may read a path in more than one way.
func IsTwofold(path string) bool {
	_, twofold := ReadPath(path)
	return twofold
}

// isTwofoldEscape reports whether a text begins with an escape that one of the steps would change.
func isTwofoldEscape(s string) bool {
	c, ok := unescape(s)
	return ok && (isUnreserved[c] || isSeparator[c] || c == ';' || isLowerDigit(s[1]) || isLowerDigit(s[2]))
}

// unescape returns the byte that a percent-encoding at the beginning of s stands for (RFC 3986, section 2.1).
func unescape[T string | []byte](s T) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := hexValue(s[1]), hexValue(s[2])
	return high<<4 | low, high < 16 && low < 16
}

// hexValue returns the value of a hexadecimal digit, and 255 of what is none.
func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	case isLowerDigit(c):
		return c - 'a' + 10
	}
	return 255
}

func isLowerDigit(c byte) bool { return 'a' <= c && c <= 'f' }

// isUnreserved holds the bytes whose escapes say the same as they do (RFC 3986, sections 2.3 and 6.2.2.2).
var isUnreserved = func() (is [256]bool) {
	for _, c := range []byte("-._~0123456789") {
		is[c] = true
	}
	for c := byte('a'); c <= 'z'; c++ {
		is[c], is[c-'a'+'A'] = true, true
	}
	return is
}()

// isSeparator holds the bytes that part segments for some servers.
var isSeparator = [256]bool{'/': true, '\\': true}

// DecodeUnreserved puts bytes that say the same as their escapes in place of them (RFC 3986, section 6.2.2.2).
func DecodeUnreserved(path []byte) []byte { return Decode(path, &isUnreserved) }
func decodeSeparators(path []byte) []byte { return Decode(path, &isSeparator) }

// Decode puts the bytes that are wanted in place of their escapes, once: what that makes is not decoded again.
func Decode(path []byte, wanted *[256]bool) []byte {
	w := bytes.IndexByte(path, '%')
	if w < 0 {
		return path
	}
	for i := w; i < len(path); i++ {
		c := path[i]
		if e, ok := unescape(path[i:]); ok && wanted[e] {
			c = e
			i += 2
		}
		path[w] = c
		w++
	}
	return path[:w]
}

// RaiseDigits writes the digits of escapes in upper case (RFC 3986, section 6.2.2.1).
func RaiseDigits(path []byte) []byte {
	i := bytes.IndexByte(path, '%')
	if i < 0 {
		return path
	}
	for ; i < len(path); i++ {
		if _, ok := unescape(path[i:]); ok {
			for range 2 {
				if i++; isLowerDigit(path[i]) {
					path[i] -= 'a' - 'A'
				}
			}
		}
	}
	return path
}

// TurnBackslashes makes slashes of backslashes, as browsers do (URL Standard, section 4.4).
func TurnBackslashes(path []byte) []byte {
	for i, c := range path {
		if c == '\\' {
			path[i] = '/'
		}
	}
	return path
}

// cutParameters cuts each segment at its first semicolon, escaped or not (RFC 2396, section 3.3).
func cutParameters(path []byte) []byte {
	w, cutting := 0, false
	for i, c := range path {
		switch c {
		case '/':
			cutting = false
		case ';':
			cutting = true
		case '%':
			if e, ok := unescape(path[i:]); ok && e == ';' {
				cutting = true
			}
		}
		if !cutting {
			path[w] = c
			w++
		}
	}
	return path[:w]
}

// ResolveDots removes the segments "." and "..", the latter with the segment before them (RFC 3986, section 5.2.4).
func ResolveDots(path []byte) []byte {
	w := bytes.Index(path, []byte("/."))
	if w < 0 {
		return path
	}
	first := bytes.IndexByte(path, '/') // what stands before it is no segment that can be removed
	for i := w; i < len(path); {        // at the slash before a segment
		end := len(path)
		if n := bytes.IndexByte(path[i+1:], '/'); n >= 0 {
			end = i + 1 + n
		}
		segment := path[i:end]
		up := string(segment) == "/.."
		if !up && string(segment) != "/." {
			w += copy(path[w:], segment)
		} else {
			if up && w > first {
				w = bytes.LastIndexByte(path[:w], '/')
			}
			if end == len(path) {
				path[w] = '/'
				w++
			}
		}
		i = end
	}
	return path[:w]
}

// mergeSlashes makes one slash of several.
func mergeSlashes(path []byte) []byte {
	w := 0
	for i, c := range path {
		if c != '/' || i == 0 || path[w-1] != '/' {
			path[w] = c
			w++
		}
	}
	return path[:w]
}
