package policyfile

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// maxFixRounds bounds how often files are corrected and looked at again: some faults show only when others are gone, and
// of a file that cannot be parsed only one is found at a time.
const maxFixRounds = 100

// Fix returns the files with the safe fixes of their findings written in place, and how many these were. Everything else
// in a file stays as it is, byte by byte. A round of corrections after which there would be more wrong than before is
// taken back, and is the last. The content itself is not changed.
func (c *Content) Fix() (files []File, fixed int) {
	files = slices.Clone(c.Files)
	before := (&Content{Files: files}).Compile().Findings
	for range maxFixRounds {
		next, n := fixRound(files, before)
		if n == 0 {
			break
		}
		after := (&Content{Files: next}).Compile().Findings
		if !better(before, after) {
			break
		}
		files, before = next, after
		fixed += n
	}
	return files, fixed
}

// better reports whether a set is nearer to loading after a correction. A file that can be parsed at last may have more
// errors than the one that was in the way.
func better(before, after []*corsprocv1.Finding) bool {
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
	return further || errorsIn(after) <= errorsIn(before)
}

// unparsed returns the files of which nothing could be read, each with the place that is in the way.
func unparsed(findings []*corsprocv1.Finding) map[string]position {
	files := map[string]position{}
	for _, f := range findings {
		// What is in the way of reading is no field of anything.
		if f.GetSeverity() == policy.Error.String() && f.GetField() == "" {
			files[f.GetFile()] = position{f.GetLine(), f.GetColumn()}
		}
	}
	return files
}

func errorsIn(findings []*corsprocv1.Finding) (n int) {
	for _, f := range findings {
		if f.GetSeverity() == policy.Error.String() {
			n++
		}
	}
	return n
}

// fixRound writes all safe fixes that can be written at once.
func fixRound(files []File, findings []*corsprocv1.Finding) (fixed []File, n int) {
	fixed = slices.Clone(files)
	for i := range files {
		name := validText(files[i].Name)
		var mine []*corsprocv1.Finding
		for _, f := range findings {
			if e := Explain(f.GetCode()); f.GetFile() == name && f.GetFix() != "" && e != nil && e.SafeFix {
				mine = append(mine, f)
			}
		}
		if len(mine) > 0 {
			var count int
			fixed[i].Data, count = fixFile(files[i], mine)
			n += count
		}
	}
	return fixed, n
}

// fixFile writes fixes of findings, which are sorted by their places, into a file.
func fixFile(file File, findings []*corsprocv1.Finding) (data []byte, n int) {
	bom := len(file.Data) - len(bytes.TrimPrefix(file.Data, []byte("\uFEFF")))
	lines := fileLines{data: file.Data[bom:]}
	nodes := map[position]*yaml.Node{}
	if root, problem := parse(file); problem == nil {
		collectScalars(root, nodes)
	}
	end := 0 // of what is copied
	for _, f := range findings {
		at := position{f.GetLine(), f.GetColumn()}
		lines.from(int(at.line), int(at.column))
		offset := bom + lines.offset
		if offset < end {
			continue // a fix of the same value is written already; the next round sees what is left
		}
		token, replacement, ok := fixValue(file, offset, nodes[at], f)
		if !ok {
			continue
		}
		data = append(append(data, file.Data[end:offset]...), replacement...)
		end = offset + len(token)
		n++
	}
	return append(data, file.Data[end:]...), n
}

// collectScalars notes the scalars of a document, keys too, by where they stand.
func collectScalars(n *yaml.Node, nodes map[position]*yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		nodes[nodePosition(n)] = n
	}
	for _, c := range n.Content {
		collectScalars(c, nodes)
	}
}

// fixValue returns what stands at a place of a file and what is to be written instead. It reports false where that cannot
// be told for sure, as for values of several lines.
func fixValue(file File, offset int, n *yaml.Node, f *corsprocv1.Finding) (token, replacement string, ok bool) {
	isJSON := filepath.Ext(file.Name) == ".json"
	rest := file.Data[offset:]
	if n == nil {
		// This is no value to YAML. What can be put right then is a word without quotes, by quoting it.
		line, _ := cutLine(rest)
		word := wordAt(line, position{1, 1})
		return word, f.GetFix(), !isJSON && f.GetFix() == strconv.Quote(word)
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
	if isSource(f.GetCode()) {
		replacement = f.GetFix()
		if isJSON {
			replacement, ok = toJSON(replacement)
			return token, replacement, ok
		}
		return token, replacement, true
	}
	if isJSON {
		quote = '"' // also where a number stood
	}
	replacement, ok = spell(f.GetFix(), quote)
	return token, replacement, ok
}

// tokenAt returns the text at the beginning of rest, in the quotes that it stands in, which says value.
func tokenAt(rest []byte, quote byte, value string, isJSON bool) (token string, ok bool) {
	if quote == 0 {
		return value, bytes.HasPrefix(rest, []byte(value))
	}
	line, _ := cutLine(rest)
	for end := 1; end < len(line); end++ {
		switch {
		case quote == '"' && line[end] == '\\':
			end++
		case line[end] != quote:
		case quote == '\'' && end+1 < len(line) && line[end+1] == quote:
			end++
		default:
			token = string(line[:end+1])
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
func isSource(code string) bool { return code == CodeWrongType }

// spell writes a value as YAML, in the quotes that stand there already, or in double quotes where it needs some.
func spell(value string, quote byte) (text string, ok bool) {
	if !utf8.ValidString(value) || strings.ContainsAny(value, "'\"\\\n") {
		return "", false
	}
	if quote != 0 {
		return string(quote) + value + string(quote), true
	}
	var list []yaml.Node
	if err := yaml.Load([]byte("["+value+"]"), &list); err == nil && len(list) == 1 &&
		list[0].Kind == yaml.ScalarNode && list[0].Value == value && isText(&list[0]) {
		return value, true
	}
	return `"` + value + `"`, true
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
