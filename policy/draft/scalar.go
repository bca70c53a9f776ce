package draft

// Tested by file_test.go.

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/corsproc/corsproc/policy/printable"
)

// scalar writes text so that YAML 1.1 and 1.2 read the same text back: plain where nothing could take it for something
// else, in single quotes where it has backslashes (expressions), in double quotes otherwise.
func scalar(s string) string {
	switch {
	case isPlain(s):
		return s
	case strings.ContainsAny(s, `\"`) && !needsEscapes(s):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return doubleQuoted(s)
}

// isPlain reports whether text needs no quotes, also inside a list in brackets. It asks for more than YAML does: what is
// left are the names, methods and origins that make up most of a file.
func isPlain(s string) bool {
	if s == "" || !isLetter(s[0]) && s[0] != '/' && s[0] != '_' {
		return isDuration(s)
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case isLetter(c) || c >= '0' && c <= '9' || strings.IndexByte("._-/+@%=~", c) >= 0:
		case c == '*' || c == '(' || c == ')' || c == '$' || c == ';':
		case c == ':' && i+1 < len(s): // nothing that follows here is a blank
		default:
			return false
		}
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false // something else than text to some reader of YAML
	}
	return true
}

// isDuration reports whether text is a duration with a unit, which no reader takes for a number.
func isDuration(s string) bool {
	digits, units := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case digits > 0 && (c == 'h' || c == 'm' || c == 's'):
			digits = 0
			units++
		default:
			return false
		}
	}
	return units > 0 && digits == 0
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// needsEscapes reports whether text can only be written in double quotes: with what a terminal must not get, or with what
// the log of a build would take for a command.
func needsEscapes(s string) bool {
	return strings.Contains(s, "##") || strings.ContainsFunc(s, func(r rune) bool { return !printable.Is(r) })
}

func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	hash := false // the character before was one
	for i, r := range s {
		wasHash := hash
		hash = false
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '#' && wasHash:
			b.WriteString(`\x23`)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			b.WriteString(`\uFFFD`) // a byte that is no text has no spelling
		case printable.Is(r):
			b.WriteRune(r)
			hash = r == '#'
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02X`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
