package policyfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Limits that keep the time and memory bounded that a file can cost. Each is far above what a policy set can use.
const (
	// maxEntries is the largest number of list entries and fields in a file, counted by lines and commas: a file of
	// MaxFileBytes could otherwise hold thirty million values of one byte, and cost gigabytes of memory.
	maxEntries = 4_000_000
	// maxDepth is the deepest nesting of lists and mappings. The deepest value of a PolicySet is at 7.
	maxDepth = 100
)

// A problem is a finding at a position of one file.
type problem struct {
	code      string
	pos       position
	message   string
	fix       string
	relatedAt position // line 0: none
}

// A position is a line and a column in characters, both from 1.
type position struct{ line, column int32 }

// wholeFile is where findings stand that are about a file as a whole: tools that jump to a finding want a line.
var wholeFile = position{1, 1}

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// parse returns the root of the one document of a file, or the problem that makes it unreadable.
func parse(f File) (*yaml.Node, *problem) {
	data := bytes.TrimPrefix(f.Data, []byte("\uFEFF")) // a byte order mark counts for no column
	if p := checkCharacters(f.Data, data); p != nil {
		return nil, p
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, emptyFile(wholeFile)
	}
	if filepath.Ext(f.Name) == ".json" {
		if p := checkJSON(data); p != nil {
			return nil, p
		}
		data = joinSurrogates(data)
	}
	return parseYAML(data)
}

// checkCharacters refuses what is too large, and what is no text that everybody sees in the same lines.
func checkCharacters(raw, data []byte) *problem {
	if len(raw) > MaxFileBytes {
		return &problem{code: CodeFileTooLarge, pos: wholeFile, message: fmt.Sprintf("the file is larger than %d MiB", MaxFileBytes>>20)}
	}
	if bytes.HasPrefix(data, []byte{0xFE, 0xFF}) || bytes.HasPrefix(data, []byte{0xFF, 0xFE}) {
		return &problem{code: CodeSyntax, pos: wholeFile, message: "the file is UTF-16; policy files are UTF-8"}
	}
	for i := 0; i < len(data); {
		c := data[i]
		if c >= ' ' && c < utf8.RuneSelf || c == '\n' || c == '\r' || c == '\t' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		message := ""
		switch {
		case r == utf8.RuneError && size == 1:
			message = fmt.Sprintf("the byte 0x%02x is not UTF-8", c)
		case r == 0x85 || r == 0x2028 || r == 0x2029:
			// Line breaks to YAML 1.1, none to YAML 1.2 and editors: a comment could hide a policy behind one.
			message = fmt.Sprintf("the character %U is not allowed: not every program sees a line break in it", r)
		case r < ' ' || r == 0xFEFF || r == 0xFFFE || r == 0xFFFF:
			message = fmt.Sprintf("the control character %U is not allowed", r)
		}
		if message != "" {
			return &problem{code: CodeSyntax, pos: positionAt(data, i), message: message}
		}
		i += size
	}
	if countEntries(data) > maxEntries {
		return &problem{code: CodeFileTooLarge, pos: wholeFile, message: fmt.Sprintf("the file has more than %d entries", maxEntries)}
	}
	return nil
}

// countEntries counts commas, and lines that are neither blank nor a comment.
func countEntries(data []byte) int {
	n := bytes.Count(data, []byte{','}) + bytes.Count(data, []byte{'\r'})
	for len(data) > 0 {
		line := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		line = bytes.TrimLeft(line, " \t\r")
		if len(line) > 0 && line[0] != '#' {
			n++
		}
	}
	return n
}

// positionAt returns the position of the byte at offset.
func positionAt(data []byte, offset int) position {
	head := data[:offset]
	line := bytes.Count(head, []byte{'\n'}) + bytes.Count(head, []byte{'\r'}) - bytes.Count(head, []byte("\r\n"))
	start := bytes.LastIndexAny(head, "\r\n") + 1
	return position{int32(line + 1), int32(utf8.RuneCount(head[start:]) + 1)}
}

func emptyFile(at position) *problem {
	return &problem{code: CodeEmptyFile, pos: at, message: "the file says nothing; a file that is to say nothing has {}"}
}

func checkJSON(data []byte) *problem {
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return &problem{code: CodeSyntax, message: "not valid JSON: " + err.Error()}
	}
	// Offset is the number of bytes read; the last of them is the one that was not expected, unless the file ended.
	at := max(int(syntax.Offset)-1, 0)
	if strings.Contains(err.Error(), "unexpected end") {
		at = len(bytes.TrimRight(data, " \t\r\n"))
	}
	return &problem{code: CodeSyntax, pos: positionAt(data, at), message: "not valid JSON: " + syntax.Error()}
}

// joinSurrogates writes the pairs of escapes by which JSON names characters beyond U+FFFF as the one escape that YAML has
// for them. What follows on the same line moves by two columns for each.
func joinSurrogates(data []byte) []byte {
	if !bytes.Contains(data, []byte(`\ud`)) && !bytes.Contains(data, []byte(`\uD`)) {
		return data
	}
	unit := func(b []byte) rune { // the value of \uXXXX at the beginning of b, or -1
		if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
			return -1
		}
		n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
		if err != nil {
			return -1
		}
		return rune(n)
	}
	var out []byte
	for i := 0; i < len(data); {
		if data[i] != '\\' {
			out = append(out, data[i])
			i++
			continue
		}
		if r := utf16.DecodeRune(unit(data[i:]), unit(data[min(i+6, len(data)):])); r != utf8.RuneError {
			out = fmt.Appendf(out, `\U%08X`, r)
			i += 12
			continue
		}
		out = append(out, data[i:min(i+2, len(data))]...) // an escape, of which the second byte begins none
		i += 2
	}
	return out
}

func parseYAML(data []byte) (*yaml.Node, *problem) {
	// The limits of aliases do not matter: a node keeps them as they are, and the walk refuses them.
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, &problem{code: CodeSyntax, message: err.Error()}
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case err == io.EOF:
		return nil, emptyFile(wholeFile)
	case err != nil:
		return nil, syntaxProblem(data, err)
	}
	root := doc.Content[0]
	switch err := loader.Load(&second); {
	case err == io.EOF:
	case err != nil:
		return nil, syntaxProblem(data, err)
	default:
		return nil, &problem{code: CodeMultipleDocuments, pos: nodePosition(&second),
			message: "a second YAML document begins here; a policy file has one"}
	}
	if isNull(root) {
		return nil, emptyFile(wholeFile)
	}
	return root, nil
}

func nodePosition(n *yaml.Node) position { return position{int32(n.Line), int32(n.Column)} }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
