package policyfile

// Tested by formats_test.go.

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/printable"
)

// WriteAnnotated writes the findings as [WriteText] does, each with two lines more: the line of the file that it is about,
// and a caret under the place. Both are indented by four blanks, so that the findings are the lines that are not. With
// color it is for a terminal that has colours.
func WriteAnnotated(w io.Writer, findings []finding.Diagnostic, files []File, color bool) error {
	texts := make(map[string]*fileLines, len(files))
	for i := range files {
		if files[i].Outside {
			continue
		}
		texts[validText(files[i].Name)] = &fileLines{data: bytes.TrimPrefix(files[i].Data, []byte("\uFEFF"))}
	}
	var b bytes.Buffer
	for _, f := range findings {
		at, rest := textLineOf(f)
		if safe := printable.Line(at + rest); safe != at+rest {
			at, rest = "", safe
		}
		b.WriteString(printable.Paint(color, "1", at) + rest + "\n")
		if file := texts[f.File]; file != nil {
			if shown, blanks := file.pointAt(int(f.Line), int(f.Column)); shown != "" {
				b.WriteString("    " + printable.LineOfWidth(shown) + "\n    " + blanks + printable.Paint(color, severityColors[f.Severity], "^") + "\n")
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// severityColors are red, yellow and cyan.
var severityColors = map[finding.Severity]string{
	finding.Error: "31", finding.Warning: "33", finding.Hint: "36",
}

// fileLines shows places of a file. Places are best asked for in their order: a file can be one single line.
type fileLines struct {
	data []byte

	// The last line that was looked for, and where it begins and ends in data. There is no table of all lines: a file can
	// be nothing but ends of lines.
	line, start, end int
	column, offset   int // where in that line the last text began, and its offset in data
}

// Limits of what is shown of a line, in characters.
const (
	maxShown    = 120
	shownBefore = 60 // the place, where a line is too long
)

// from returns the text of a line from a column on, without the line's end; both are counted from 1.
func (f *fileLines) from(line, column int) []byte {
	if !f.goTo(line) {
		return nil
	}
	if column < f.column {
		f.column, f.offset = 1, f.start
	}
	for ; f.column < column && f.offset < f.end; f.column++ {
		_, size := utf8.DecodeRune(f.data[f.offset:f.end])
		f.offset += size
	}
	return f.data[f.offset:f.end]
}

// goTo finds a line, from the one that was looked for last or from the first. It reports false where there is no such line.
func (f *fileLines) goTo(line int) bool {
	if line == f.line {
		return line > 0
	}
	if line < f.line || f.line == 0 {
		f.line, f.start = 1, 0
	}
	text, rest := cutLine(f.data[f.start:])
	for ; f.line < line && rest != nil; f.line++ {
		f.start = len(f.data) - len(rest)
		text, rest = cutLine(rest)
	}
	f.end = f.start + len(text)
	f.column, f.offset = 1, f.start
	return f.line == line
}

// pointAt returns what of a line can be shown, and the blanks that bring a caret in the line below it under the character
// at column. Of a line of blanks nothing is shown.
func (f *fileLines) pointAt(line, column int) (shown, blanks string) {
	var text, below strings.Builder
	first := 1
	if column > maxShown-20 {
		first = column - shownBefore
		text.WriteString("...")
		below.WriteString("   ")
	}
	rest := f.from(line, first)
	for n := first; len(rest) > 0; n++ {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		if n == first+maxShown {
			text.WriteString("...")
			break
		}
		switch {
		case r == '\t':
			r = ' '
		case !printable.Is(r):
			r = utf8.RuneError
		}
		text.WriteRune(r)
		if n < column {
			below.WriteString(strings.Repeat(" ", columns(r)))
		}
	}
	return strings.TrimRight(text.String(), " "), below.String()
}

// columns returns how many columns of a terminal a character takes.
func columns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		r >= 0xFF01 && r <= 0xFF60, r >= 0x1F300 && r <= 0x1FAFF:
		return 2
	}
	return 1
}
