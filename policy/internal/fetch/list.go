package fetch

// Tested by fetch_test.go.

import "strings"

// Elements walks through the elements of a field whose value is a list (RFC 9110, section 5.6.1), the empty ones too.
// Several lines are one list. A field without a line has no element.
type Elements struct {
	Lines []string // not begun yet
	line  string   // what is left of the current one
	open  bool     // there is a current one
}

// Next returns the next element, without the blanks around it.
func (e *Elements) Next() (element string, ok bool) {
	if !e.open {
		if len(e.Lines) == 0 {
			return "", false
		}
		e.line, e.Lines, e.open = e.Lines[0], e.Lines[1:], true
	}
	i := strings.IndexByte(e.line, ',')
	if i < 0 {
		e.open = false
		return TrimBlanks(e.line), true
	}
	element, e.line = e.line[:i], e.line[i+1:]
	return TrimBlanks(element), true
}

// ListHas reports whether a list of tokens (several elements parted by commas) has the lower-case token, ignoring case.
func ListHas(list, token string) bool {
	for list != "" {
		var element string
		element, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(TrimBlanks(element), token) {
			return true
		}
	}
	return false
}

// TrimBlanks removes optional white space (RFC 9110, section 5.6.3): blanks and tabs, nothing else.
func TrimBlanks(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
