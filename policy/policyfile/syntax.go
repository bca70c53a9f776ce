package policyfile

// Tested by golden_test.go and testdata/bad.txt.

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/finding"
)

// syntaxProblem says where and why data is no YAML. The parser names the place where it could not go on; where that is
// far from what has to be changed, the problem stands where the unfinished value begins.
func syntaxProblem(data []byte, err error, written *yamlText) *problem {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return &problem{code: CodeSyntax, message: "not valid YAML: " + err.Error()}
	}
	at, begin := written.position(markPosition(e.Mark)), written.position(markPosition(e.ContextMark))
	p := &problem{code: CodeSyntax, pos: at, message: "not valid YAML: " + e.Message}
	end := positionAt(data, len(bytes.TrimRight(data, " \t\r\n")))
	if end.before(at) {
		p.pos = end // not on a line that nobody sees
	}
	if at, ok := templateAt(data, p.pos, begin); ok { // which is what has to be changed, whatever YAML makes of it
		return &problem{code: CodeSyntax, pos: at, message: "not valid YAML: " + finding.PlaceholderMessage}
	}
	switch {
	case e.ContextMsg == "while scanning an alias":
		p = starProblem(data, begin)
	case strings.HasPrefix(e.Message, errTooDeep.Error()):
		p.message = fmt.Sprintf("lists and mappings are nested more than %d deep", maxDepth)
	case lineAt(data, at).indentation() == "\t":
		p.message = "not valid YAML: a tab cannot indent; write spaces"
	case e.ContextMsg == "while scanning a simple key":
		p.pos, p.message = begin, colonMissing
	case strings.HasPrefix(e.Message, "mapping values are not allowed") && keyWithoutColon(data, at):
		p.pos, p.message = position{at.line - 1, int32(len(lineAt(data, at).indentation()) + 1)}, colonMissing
	case unfinished(data, e, begin, at):
		p.pos = begin
		p.message = "not valid YAML: what is opened here is not closed: " + e.Message
		if at.before(end) {
			p.relatedAt = at
		}
	case strings.Contains(e.Message, "cannot start any token") && startsWith(data, at, "`@%"):
		p.message = "not valid YAML: a value that starts with this character has to be quoted"
		p.fix = `"` + wordAt(data, at) + `"`
	}
	return p
}

// templateAt returns where what belongs to a template begins in the line of one of some positions: {{ … }}, {% … %}, <% … %>.
func templateAt(data []byte, places ...position) (at position, found bool) {
	for _, p := range places {
		if p.line < 1 {
			continue
		}
		line := lineAt(data, p)
		for _, mark := range []string{"{{", "{%", "<%"} {
			if before, _, ok := bytes.Cut(line, []byte(mark)); ok && bytes.IndexByte(before, '#') < 0 {
				return position{p.line, int32(utf8.RuneCount(before) + 1)}, true
			}
		}
	}
	return position{}, false
}

const colonMissing = "not valid YAML: a colon and a blank are expected behind a key"

// keyWithoutColon reports whether the line before p is as deep as the line of p and has no key: YAML takes both for one
// text, and stumbles over the colon in the second.
func keyWithoutColon(data []byte, p position) bool {
	if p.line < 2 {
		return false
	}
	line, before := lineAt(data, p), lineAt(data, position{p.line - 1, 1})
	text := string(bytes.TrimSpace(before))
	return text != "" && !strings.Contains(text+" ", ": ") && line.indentation() == before.indentation()
}

// unfinished reports whether a bracket or quote that was opened at begin is still open where the text at a later line
// goes back to the indentation of begin's line: then it is the bracket that is wrong, not what stands there.
func unfinished(data []byte, e *yaml.LoadError, begin, at position) bool {
	switch e.ContextMsg {
	case "while parsing a flow sequence", "while parsing a flow mapping", "while scanning a quoted scalar":
		return begin.line < at.line &&
			len(lineAt(data, at).indentation()) <= len(lineAt(data, begin).indentation())
	}
	return false
}

// starProblem is about a * that YAML takes for an alias, at the position of the star.
func starProblem(data []byte, at position) *problem {
	return &problem{code: CodeAlias, pos: at, message: starMessage, fix: `"` + wordAt(data, at) + `"`}
}

const starMessage = "YAML takes a value that starts with * for an alias, and aliases are not allowed; a wildcard has to be quoted"

func markPosition(m yaml.Mark) position { return position{int32(m.Line), int32(m.Column)} }

// A textLine is a line without its end.
type textLine []byte

// indentation returns the blanks and tabs that the line starts with; a single tab for any that has a tab among them.
func (l textLine) indentation() string {
	blanks := l[:len(l)-len(bytes.TrimLeft(l, " \t"))]
	if bytes.IndexByte(blanks, '\t') >= 0 {
		return "\t"
	}
	return string(blanks)
}

func lineAt(data []byte, p position) textLine {
	for n := int32(1); n < p.line; n++ {
		_, data = cutLine(data)
	}
	line, _ := cutLine(data)
	return line
}

func cutLine(data []byte) (line textLine, rest []byte) {
	i := bytes.IndexAny(data, "\r\n")
	if i < 0 {
		return data, nil
	}
	if bytes.HasPrefix(data[i:], []byte("\r\n")) {
		return data[:i], data[i+2:]
	}
	return data[:i], data[i+1:]
}

// from returns what stands in the line of p from its column on.
func from(data []byte, p position) []byte {
	line := lineAt(data, p)
	for n := int32(1); n < p.column && len(line) > 0; n++ {
		_, size := utf8.DecodeRune(line)
		line = line[size:]
	}
	return line
}

func startsWith(data []byte, p position, chars string) bool {
	text := from(data, p)
	return len(text) > 0 && strings.IndexByte(chars, text[0]) >= 0
}

// wordAt returns what stands at p up to a blank, a comma, a closing bracket or the end of the line.
func wordAt(data []byte, p position) string { return wordIn(from(data, p)) }

// wordIn returns the word that a text begins with.
func wordIn(text []byte) string {
	if i := bytes.IndexAny(text, " \t,]}\r\n"); i >= 0 {
		text = text[:i]
	}
	return string(text)
}
