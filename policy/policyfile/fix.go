package policyfile

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/corsproc/corsproc/policy/finding"
	"go.yaml.in/yaml/v4"
)

// Limits of how often files are corrected and looked at again: some faults show only when others are gone, and of a file
// that cannot be parsed only one is found at a time. Of large files the second limit counts; all that can be told at once
// is always corrected at once, however much it is.
const (
	maxFixRounds = 100
	maxFixBytes  = 256 << 20 // that are looked at again
)

// Fix returns the files with the safe fixes of their findings written in place, how many these were, and what became of
// the files. Everything else in a file stays as it is, byte by byte. A round of corrections after which there would be more
// wrong than before is taken back, and is the last. The content itself is not changed.
func (c *Content) Fix() (files []File, fixed int, result *Result) {
	content, fixes := c, corrections{}
	result = c.compileFor(&fixes)
	for round, looked := 0, 0; round < maxFixRounds && looked < maxFixBytes; round++ {
		next, n := fixes.write(content.Files)
		if n == 0 {
			break
		}
		after, left := NewContent(next, content.Origins, content.TooLarge), corrections{}
		looked += after.bytes()
		compiled := after.compileFor(&left)
		if !better(result.Findings, compiled.Findings) {
			break
		}
		content, fixes, result = after, left, compiled
		fixed += n
	}
	return slices.Clone(content.Files), fixed, result
}

// better reports whether a set is nearer to loading after a correction. A file that can be parsed at last may have more
// errors than the one that was in the way.
func better(before, after []finding.Diagnostic) bool {
	was, is := unparsed(before), unparsed(after)
	if len(is) != len(was) {
		return len(is) < len(was)
	}
	further := false
	for file, at := range is {
		old, ok := was[file]
		if !ok || at.before(old) {
			return false
		}
		further = further || old.before(at)
	}
	return further || len(Errors(after)) <= len(Errors(before))
}

// unparsed returns the files of which nothing could be read, each with the place that is in the way.
func unparsed(findings []finding.Diagnostic) map[string]position {
	files := map[string]position{}
	for _, f := range findings {
		// What is in the way of reading is no field of anything.
		if isError(f) && f.Field == "" {
			files[f.File] = position{f.Line, f.Column}
		}
	}
	return files
}

// fixValue returns what stands at a place of a file and what is to be written instead. It reports false where that cannot
// be told for sure, as for values of several lines.
func fixValue(file File, offset int, n *yaml.Node, f *problem) (token, replacement string, ok bool) {
	isJSON := filepath.Ext(file.Name) == ".json"
	rest := file.Data[offset:]
	if n == nil {
		// This is no value to YAML. What can be put right then is a word without quotes, by quoting it.
		word := wordIn(rest)
		return word, f.fix, !isJSON && f.fix == strconv.Quote(word)
	}
	quote := byte(0)
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		quote = '"'
	case n.Style&yaml.SingleQuotedStyle != 0:
		quote = '\''
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return "", "", false
	}
	if token, ok = tokenAt(rest, quote, n.Value, isJSON); !ok {
		return "", "", false
	}
	if isSource(f.code) {
		replacement = f.fix
		if isJSON {
			replacement, ok = toJSON(replacement)
			return token, replacement, ok
		}
		return token, replacement, true
	}
	if isJSON {
		quote = '"' // also where a number stood
	}
	replacement, ok = spell(f.fix, quote)
	return token, replacement, ok
}

// tokenAt returns the text at the beginning of rest, in the quotes that it stands in, which says value.
func tokenAt(rest []byte, quote byte, value string, isJSON bool) (token string, ok bool) {
	if quote == 0 {
		return value, bytes.HasPrefix(rest, []byte(value))
	}
	for end := 1; end < len(rest) && rest[end] != '\n' && rest[end] != '\r'; end++ {
		switch {
		case quote == '"' && rest[end] == '\\' && end+1 < len(rest) && (rest[end+1] == '\n' || rest[end+1] == '\r'):
			return "", false // it goes on in the next line
		case quote == '"' && rest[end] == '\\':
			end++
		case rest[end] != quote:
		case quote == '\'' && end+1 < len(rest) && rest[end+1] == quote:
			end++
		default:
			token = string(rest[:end+1])
			if inner := token[1:end]; strings.IndexByte(inner, '\\') < 0 && strings.IndexByte(inner, '\'') < 0 {
				return token, inner == value // nothing in it stands for something else
			}
			var said string
			var err error
			if isJSON {
				err = json.Unmarshal([]byte(token), &said) // YAML has no pairs of surrogates
			} else {
				err = yaml.Load([]byte(token), &said)
			}
			return token, err == nil && said == value
		}
	}
	return "", false
}

// isSource reports whether the fixes of a code are text of the file, and not the value that is meant.
func isSource(code finding.Code) bool { return code == CodeWrongType }

// spell writes a value as YAML, in the quotes that stand there already, or in double quotes where it needs some.
func spell(value string, quote byte) (text string, ok bool) {
	if !utf8.ValidString(value) || strings.ContainsAny(value, "'\"\\\n") {
		return "", false
	}
	switch {
	case quote != 0:
		return string(quote) + value + string(quote), true
	case isPlainOrigin(value):
		return value, true
	}
	var list []yaml.Node
	if err := yaml.Load([]byte("["+value+"]"), &list); err == nil && len(list) == 1 &&
		list[0].Kind == yaml.ScalarNode && list[0].Value == value && isText(&list[0]) {
		return value, true
	}
	return `"` + value + `"`, true
}

// isPlainOrigin reports whether a value is an origin that YAML takes for text without quotes: what most fixes are, and the
// parser need not be asked.
func isPlainOrigin(value string) bool {
	scheme, rest, ok := strings.Cut(value, "://")
	within := func(s, more string) bool {
		return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(more, c)
		})
	}
	return ok && within(scheme, "") && scheme[0] >= 'a' && within(rest, ".-")
}

// toJSON writes YAML of one line as JSON.
func toJSON(text string) (string, bool) {
	var value any
	if err := yaml.Load([]byte(text), &value); err != nil {
		return "", false
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", false
	}
	return strings.TrimSpace(b.String()), true
}
