package admin

import "strconv"

// shown returns a client's text as people see it: as it is where it is printable ASCII, otherwise in quotes and escaped, so
// that no byte of it does anything to who looks at it.
func shown(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return quoted(s)
		}
	}
	return s
}

func quoted(s string) string { return strconv.QuoteToASCII(s) }

// cut returns the first bytes of s.
func cut(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

// maxAsked is how much of what somebody asked for is said again.
const maxAsked = 128

// asked returns a path, a method or a name of a request for an answer that may be shown on a terminal.
func asked(s string) string { return quoted(cut(s, maxAsked)) }
