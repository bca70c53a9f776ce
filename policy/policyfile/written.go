package policyfile

// Tested by fix_test.go and position_test.go.

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A yamlText is the text of a file as the YAML parser is given it, where the file's own text would be refused or cost too
// much. It knows where what it holds stands in the file.
type yamlText struct {
	data   []byte
	shifts []shift // in the order of the text
}

// A shift moves what stands in a line of the parser's text, at or behind a column, to the right in the file; or to the
// left.
type shift struct {
	at position
	by int32
}

// position returns where what stands at p of the parser's text stands in the file.
func (t *yamlText) position(p position) position {
	column := p.column
	for _, s := range t.shifts {
		if s.at.line == p.line && !p.before(s.at) {
			column += s.by
		}
	}
	return position{p.line, max(column, 1)}
}

// restore gives a node and all below it the positions that they have in the file. A document is in the order of its
// text, so every shift is looked at once.
func (t *yamlText) restore(root *yaml.Node) {
	if len(t.shifts) == 0 {
		return
	}
	next, line, by := 0, int32(0), int32(0)
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		p := nodePosition(n)
		for ; next < len(t.shifts) && !p.before(t.shifts[next].at); next++ {
			if s := t.shifts[next]; s.at.line != line {
				line, by = s.at.line, s.by
			} else {
				by += s.by
			}
		}
		if p.line == line {
			n.Column += int(by)
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(root)
}

// documentMark begins a document on the line on which its content begins.
const documentMark = "--- "

// forParser returns the text that the YAML parser is given of a file.
//
// In front of a mapping in braces, as all of JSON is, comes a document mark: without it the parser takes the whole of it
// for something that may become a key, and keeps every token until its end, at gigabytes for a file of a few megabytes.
func forParser(data []byte, isJSON bool) *yamlText {
	t := &yamlText{}
	rest := data
	if start, line, ok := bracketLine(data); ok {
		t.data = append(append(make([]byte, 0, len(data)+len(documentMark)), data[:start]...), documentMark...)
		t.shifts = []shift{{position{line, 1}, -int32(len(documentMark))}}
		rest = data[start:]
	}
	switch {
	case isJSON && (bytes.Contains(data, []byte(`\ud`)) || bytes.Contains(data, []byte(`\uD`))):
		t.joinSurrogates(rest)
	case len(t.shifts) > 0:
		t.data = append(t.data, rest...)
	default:
		t.data = data
	}
	return t
}

// bracketLine returns where the first line begins that is neither blank nor a comment, if it begins with a bracket.
func bracketLine(data []byte) (offset int, line int32, ok bool) {
	line = 1
	for offset < len(data) {
		text, rest := cutLine(data[offset:])
		if content := bytes.TrimLeft(text, " \t"); len(content) > 0 && content[0] != '#' {
			return offset, line, content[0] == '{' || content[0] == '['
		}
		offset, line = len(data)-len(rest), line+1
	}
	return 0, 0, false
}

// joinSurrogates adds JSON with the characters beyond U+FFFF as themselves: JSON has to write their escapes as two, and
// YAML knows no such pairs.
func (t *yamlText) joinSurrogates(data []byte) {
	at := positionAt(t.data, len(t.data))
	for i := 0; i < len(data); {
		if data[i] == '\\' {
			if char := utf16.DecodeRune(escapedUnit(data[i:]), escapedUnit(data[min(i+6, len(data)):])); char != utf8.RuneError {
				t.data = utf8.AppendRune(t.data, char)
				at.column++
				t.shifts = append(t.shifts, shift{at, 11}) // of twelve characters, one is left
				i += 12
				continue
			}
			t.data = append(t.data, data[i], data[i+1]) // valid JSON has a character behind it, which begins no escape
			at.column += 2
			i += 2
			continue
		}
		switch c := data[i]; {
		case c == '\n' || c == '\r' && !bytes.HasPrefix(data[i+1:], []byte{'\n'}):
			at = position{at.line + 1, 1}
		case utf8.RuneStart(c):
			at.column++
		}
		t.data = append(t.data, data[i])
		i++
	}
}

// escapedUnit returns the value of the \uXXXX that b begins with, or a negative number.
func escapedUnit(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
