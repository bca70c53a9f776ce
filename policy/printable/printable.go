// Package printable writes text that others made, names of files above all, so that it can be shown on a terminal and in
// the log of a build: it breaks no line, and is neither a control sequence nor what reorders the text around it (the
// bidirectional controls of Unicode), nor a command to what runs the build.
package printable

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Is reports whether a character can be shown as it is: it is neither a control (C0, DEL, C1) nor a format character, a
// blank other than the usual one, a line or paragraph separator, nor what stands for a byte that is no text.
func Is(r rune) bool { return unicode.IsPrint(r) && r != utf8.RuneError }

// Text escapes what is not to be seen in s, as Go does it in quotes: \x1b, \u202e. What is no UTF-8 becomes \ufffd.
func Text(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !Is(r) }) {
		var b strings.Builder
		for _, r := range s {
			if Is(r) {
				b.WriteRune(r)
			} else {
				b.WriteString(escaped(r))
			}
		}
		s = b.String()
	}
	return s
}

func escaped(r rune) string {
	q := fmt.Sprintf("%+q", r)
	return q[1 : len(q)-1]
}

// maxText is how many characters of a text are shown where a line is to stay one: names and values can be long.
const maxText = 1000

// Cut is Text for the first thousand characters of s, followed by three dots if there are more.
func Cut(s string) string {
	if len(s) <= maxText {
		return Text(s)
	}
	n := 0
	for i := range s {
		if n++; n > maxText {
			return Text(s[:i]) + "..."
		}
	}
	return Text(s)
}

// commandBegins finds what runners of builds take for a command of theirs in a line of output: Azure Pipelines (##vso[)
// and the older form of GitHub Actions (##[) anywhere in it.
var commandBegins = regexp.MustCompile(`##([a-z]*\[)`)

// Line makes a line of Text that is shown alone no command: it is none of GitHub Actions either, which begin with ::,
// behind blanks or not.
func Line(s string) string { return line(s, `\x3a`, `\x23`) }

// LineOfWidth is Line for what has to stay as wide as it is: a replacement character stands for what is escaped.
func LineOfWidth(s string) string { return line(s, "\uFFFD", "\uFFFD") }

func line(s, colon, hash string) string {
	if strings.Contains(s, "##") {
		s = commandBegins.ReplaceAllString(s, "#"+hash+"$1")
	}
	if text := strings.TrimLeft(s, " "); strings.HasPrefix(text, "::") {
		s = s[:len(s)-len(text)] + colon + text[1:]
	}
	return s
}

// JSON escapes in JSON what is not to be seen: it says the same to whoever parses it. In JSON all of that stands in strings.
func JSON(data []byte) []byte {
	unseen := func(r rune) bool { return r >= 0x7f && !Is(r) && r != utf8.RuneError }
	if !bytes.ContainsFunc(data, unseen) {
		return data
	}
	safe := make([]byte, 0, len(data)+64)
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case !unseen(r):
			safe = append(safe, data[:size]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
		data = data[size:]
	}
	return safe
}

// JSONWriter is a writer of JSON that is escaped as JSON does it. Each write is of whole characters.
type JSONWriter struct{ W io.Writer }

func (w JSONWriter) Write(data []byte) (int, error) {
	if _, err := w.W.Write(JSON(data)); err != nil {
		return 0, err
	}
	return len(data), nil
}
