package printable

import "strconv"

// ASCII returns a client's text, at most its first bytes, so that no byte of it does anything to who looks at it: as it is
// where that is printable ASCII, otherwise as [Quoted] does. Unlike [Text], it leaves no doubt about what is the client's.
func ASCII(s string, most int) string {
	s = s[:min(len(s), most)]
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return strconv.QuoteToASCII(s)
		}
	}
	return s
}

// Quoted returns at most the first bytes of a client's text in quotes, with all but printable ASCII escaped as Go does it.
func Quoted(s string, most int) string { return strconv.QuoteToASCII(s[:min(len(s), most)]) }
