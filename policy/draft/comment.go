package draft

// Tested by file_test.go.

import (
	"fmt"
	"strings"

	"github.com/corsproc/corsproc/policy/printable"
)

var nothing comment

// commentOf returns what is said at a place.
func (p *printer) commentOf(at Place) *comment {
	if c := p.file.comments[at]; c != nil {
		return c
	}
	return &nothing
}

// endLine ends a line with the comment beside it.
func (p *printer) endLine(beside string) {
	if beside != "" {
		p.b = append(p.b, " # "+shown(beside)...)
	}
	p.b = append(p.b, '\n')
}

// comments writes texts on lines of their own.
func (p *printer) comments(columns int, texts []string) {
	for i, s := range texts {
		if i == maxTexts {
			p.comment(columns, fmt.Sprintf("... and %d more", len(texts)-i))
			return
		}
		p.comment(columns, s)
	}
}

// comment writes a text, broken between words where it is longer than a line.
func (p *printer) comment(columns int, s string) {
	rest := shown(s)
	if rest == "" {
		p.indent(columns)
		p.b = append(p.b, "#\n"...)
	}
	for rest != "" {
		var line string
		line, rest = breakLine(rest, max(maxLine-columns, 60))
		p.indent(columns)
		p.b = append(p.b, "# "+line+"\n"...)
	}
}

// shown is a text as a comment can show it: on one line, of at most a thousand characters, and no command to what shows it.
func shown(s string) string { return strings.TrimSpace(printable.Line(printable.Cut(s))) }

// breakLine returns what of a text fits into a line, and what is left. A word that is longer than a line stays whole.
func breakLine(s string, width int) (line, rest string) {
	end, seen := -1, 0
	for i, r := range s {
		if r == ' ' {
			end = i
		}
		if seen++; seen > width && end >= 0 {
			return strings.TrimRight(s[:end], " "), strings.TrimLeft(s[end:], " ")
		}
	}
	return s, ""
}
