package policyfile

// Tested by compile_test.go.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/printable"
)

// HasErrors reports whether any of the findings keeps the files from loading.
func HasErrors(findings []finding.Diagnostic) bool { return slices.ContainsFunc(findings, isError) }

// Errors returns the findings that keep the files from loading.
func Errors(findings []finding.Diagnostic) []finding.Diagnostic {
	return slices.DeleteFunc(slices.Clone(findings), func(f finding.Diagnostic) bool { return !isError(f) })
}

// isError reports whether a finding keeps its file from loading.
func isError(f finding.Diagnostic) bool { return f.Severity == finding.Error }

// WriteText writes one line per finding: place, severity unless it is an error, field, reason, fix and second place.
// Nothing that a file can hold breaks a line or reaches a terminal as a control sequence. It is written in pieces: there
// may be a thousand findings in each of very many files.
func WriteText(w io.Writer, findings []finding.Diagnostic) error {
	b := bufio.NewWriterSize(w, pieceBytes)
	for _, f := range findings {
		at, rest := textLineOf(f)
		if _, err := b.WriteString(printable.Line(at+rest) + "\n"); err != nil {
			break // nobody reads on
		}
	}
	return b.Flush()
}

// pieceBytes is how much is written at once.
const pieceBytes = 16 << 10

// textLineOf returns the line of a finding: its place and all that follows.
func textLineOf(f finding.Diagnostic) (at, rest string) {
	severity := ": "
	if !isError(f) {
		severity += f.Severity.String() + ": "
	}
	return place(f.Position), severity + sentence(f)
}

// sentence returns what is said of a place: the field, the reason, the fix and the second place.
func sentence(f finding.Diagnostic) string {
	s := ""
	if f.Field != "" {
		s = printable.Cut(f.Field) + ": "
	}
	s += printable.Cut(f.Message)
	if f.Fix != "" {
		s += "; write " + printable.Cut(f.Fix)
	}
	if r := f.Related; r != nil {
		s += " (see " + place(*r) + ")"
	}
	return s
}

func place(at finding.Position) string {
	return fmt.Sprintf("%s:%d:%d", printable.Cut(at.File), at.Line, at.Column)
}

// WriteJSON writes the findings as the JSON form of corsproc.v1.Findings on one line. Every key of a finding is always
// there, but for related, which stands only where there is a second place. It is written in pieces, as [WriteText] does.
func WriteJSON(w io.Writer, findings []finding.Diagnostic) error {
	b := bufio.NewWriterSize(w, pieceBytes)
	b.WriteString(`{"findings":[`)
	var line bytes.Buffer
	for i := range findings {
		data, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(findingMessage(&findings[i]))
		if err != nil {
			return err
		}
		line.Reset()
		if i > 0 {
			line.WriteByte(',')
		}
		// protojson varies its blanks from build to build, so that nobody comes to rely on them.
		if err := json.Compact(&line, data); err != nil {
			return err
		}
		if _, err := b.Write(printable.JSON(line.Bytes())); err != nil {
			return err // nobody reads on
		}
	}
	b.WriteString("]}\n")
	return b.Flush()
}

// maxValue is how much a finding shows of a value, in characters: enough to recognise it by.
const maxValue = 120

// quote quotes a value of a file for a message, cut if it is long.
func quote(value string) string {
	cut, more := cutAfter(value, maxValue)
	text := strconv.Quote(cut)
	if !hasUnprintable(cut) {
		text = `"` + cut + `"` // an expression stays as it is written
	}
	if more {
		text += fmt.Sprintf("... (%d bytes)", len(value))
	}
	return text
}

func hasUnprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return !printable.Is(r) })
}

// cutAfter returns the first n characters of s, and whether there are more.
func cutAfter(s string, n int) (string, bool) {
	if len(s) <= n {
		return s, false
	}
	for i := range s {
		if n == 0 {
			return s[:i], true
		}
		n--
	}
	return s, false
}
