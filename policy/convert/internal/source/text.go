package source

// Tested by policy/convert/internal/kube/kube_test.go and policy/convert/golden_test.go.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Limits of what is read of Kubernetes objects, beside MaxBytes. A list of 5,000 Ingresses with everything that a cluster
// adds to them is 20 MiB, and has a million values.
const (
	// maxKubernetesValues bounds the values of one file: 64 MiB of one byte each would take gigabytes as a tree. They
	// are counted by lines and commas before anything is parsed, and as lists and mappings while it is.
	MaxKubernetesValues = 4_000_000
	// maxKubernetesDepth is the deepest nesting of lists and mappings, that of a List in a List included.
	MaxKubernetesDepth = 100
)

// A TextPosition is a line and a column in characters, both from 1.
type TextPosition struct{ Line, Column int }

// Text returns the data of a file as text without a byte order mark, or what makes it none.
func Text(s Source) ([]byte, error) {
	fault := func(at TextPosition, message string) error {
		return &InputError{File: s.Name, Line: at.Line, Column: at.Column, Message: message}
	}
	data := bytes.TrimPrefix(s.Data, []byte("\uFEFF"))
	if bytes.HasPrefix(data, []byte{0xFE, 0xFF}) || bytes.HasPrefix(data, []byte{0xFF, 0xFE}) {
		return nil, fault(TextPosition{1, 1}, "the file is UTF-16; write it as UTF-8")
	}
	values := 0
	for i := 0; i < len(data); {
		c := data[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && size == 1 {
				return nil, fault(textPositionAt(data, i), fmt.Sprintf("the byte 0x%02x is not UTF-8, so this is no text file", c))
			}
			i += size
			continue
		}
		switch {
		case c == '\n' || c == '\r' || c == ',':
			values++
		case c < ' ' && c != '\t':
			return nil, fault(textPositionAt(data, i), fmt.Sprintf("the control character %U is not allowed, so this is no text file", c))
		}
		i++
	}
	if values > MaxKubernetesValues {
		return nil, fault(TextPosition{1, 1}, fmt.Sprintf("the file has more than %d lines and values", MaxKubernetesValues))
	}
	return data, nil
}

// textPositionAt returns the position of the byte at an offset.
func textPositionAt(data []byte, offset int) TextPosition {
	head := data[:offset]
	line := bytes.Count(head, []byte{'\n'}) + bytes.Count(head, []byte{'\r'}) - bytes.Count(head, []byte("\r\n"))
	start := bytes.LastIndexAny(head, "\r\n") + 1
	return TextPosition{line + 1, utf8.RuneCount(head[start:]) + 1}
}

// A yamlPart is the text of one document of a file, whole lines.
type yamlPart struct {
	data  []byte
	lines int // of the file, before it
}

// yamlParts cuts a file into its documents, so that one need not be kept in memory for the next, and JSON can stand among
// them. A line that begins with --- or ... is a border wherever it stands, in quoted and in block text too (YAML 1.2.2,
// 9.1.2).
func yamlParts(data []byte) []yamlPart {
	var parts []yamlPart
	begin, beginLine, content := 0, 0, false // content: there is more than blank lines, comments and directives
	for at, line := 0, 0; at < len(data); line++ {
		text, rest := cutLine(data[at:])
		next := len(data) - len(rest)
		body := text
		if documentBorder(text) {
			if content {
				parts = append(parts, yamlPart{data[begin:at], beginLine})
			}
			// What stands before a border without content is a directive at most.
			begin, beginLine, content = at, line, false
			if body = text[3:]; !saysSomething(body) {
				begin, beginLine = next, line+1
			}
		}
		content = content || saysSomething(body) && text[0] != '%'
		at = next
	}
	if content {
		parts = append(parts, yamlPart{data[begin:], beginLine})
	}
	return parts
}

// cutLine returns the first line of a text without its end, which is LF, CR or both, and what follows.
func cutLine(text []byte) (line, rest []byte) {
	i := bytes.IndexAny(text, "\r\n")
	if i < 0 {
		return text, nil
	}
	line, rest = text[:i], text[i+1:]
	if text[i] == '\r' {
		rest = bytes.TrimPrefix(rest, []byte{'\n'})
	}
	return line, rest
}

// saysSomething reports whether a line has more than blanks and a comment.
func saysSomething(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\uFEFF")
	return len(line) > 0 && line[0] != '#'
}

func documentBorder(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
		return false
	}
	return len(line) == 3 || line[3] == ' ' || line[3] == '\t'
}

// A Parser parses the documents of one file.
type Parser struct {
	File   string
	Data   []byte // the whole text
	values int    // so far
}

func (p *Parser) Fault(at TextPosition, message string) error {
	return &InputError{File: p.File, Line: at.Line, Column: at.Column, Message: message}
}

// Documents calls use for the root of every document that says anything.
func (p *Parser) Documents(use func(root *yaml.Node) error) error {
	for _, part := range yamlParts(p.Data) {
		if err := p.part(part, use); err != nil {
			return err
		}
	}
	return nil
}

func (p *Parser) part(part yamlPart, use func(root *yaml.Node) error) error {
	if begin := bytes.TrimLeft(part.data, " \t\r\n"); len(begin) > 0 && begin[0] == '{' {
		if json.Valid(part.data) {
			root, err := p.parseJSON(part)
			if err != nil {
				return err
			}
			return use(root)
		}
		if strings.HasSuffix(p.File, ".json") {
			return p.jsonFault(part)
		}
	}
	tooMany, counted := false, 0
	loader, err := yaml.NewLoader(bytes.NewReader(forYAMLParser(part.data)), yaml.WithPlugin(loaderlimits.New(loaderlimits.AliasNone(),
		loaderlimits.DepthFunc(func(depth int, _ *loaderlimits.DepthContext) error {
			if counted++; p.values+counted > MaxKubernetesValues {
				tooMany = true
				return errTooManyValues
			}
			if depth > MaxKubernetesDepth {
				return errNestedTooDeep
			}
			return nil
		}))))
	if err != nil {
		return err
	}
	for {
		var doc yaml.Node
		err := loader.Load(&doc)
		switch {
		case tooMany:
			return p.Fault(TextPosition{1, 1}, fmt.Sprintf("the file has more than %d lists and mappings", MaxKubernetesValues))
		case err == io.EOF:
			p.values += counted
			return nil
		case err != nil:
			return p.yamlFault(part, err)
		case len(doc.Content) == 0 || IsNullNode(doc.Content[0]):
			continue
		}
		root := doc.Content[0]
		moveLines(root, part.lines)
		if err := use(root); err != nil {
			return err
		}
	}
}

var (
	errTooManyValues = errors.New("too many values")
	errNestedTooDeep = errors.New("nested too deep")
)

// forYAMLParser puts a document mark before a mapping in braces: without it the parser takes all of it for what may become
// a key, and keeps every token until its end. Columns on its first line are four too large then, which nobody is told.
func forYAMLParser(data []byte) []byte {
	for at := 0; at < len(data); {
		line, rest := cutLine(data[at:])
		if !saysSomething(line) {
			at = len(data) - len(rest)
			continue
		}
		if body := bytes.TrimLeft(line, " \t\uFEFF"); body[0] == '{' || body[0] == '[' {
			return append(append(append(make([]byte, 0, len(data)+4), data[:at]...), "--- "...), data[at:]...)
		}
		return data
	}
	return data
}

func moveLines(n *yaml.Node, lines int) {
	if lines == 0 {
		return
	}
	n.Line += lines
	for _, c := range n.Content {
		moveLines(c, lines)
	}
}

func IsNullNode(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

const TemplateMessage = "this is a template: import reads what it makes (helm template, kustomize build, kubectl get -o yaml)"

// yamlFault says where and why a document is no YAML.
func (p *Parser) yamlFault(part yamlPart, err error) error {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return p.Fault(TextPosition{part.lines + 1, 1}, "not valid YAML: "+err.Error())
	}
	at := TextPosition{e.Mark.Line + part.lines, max(e.Mark.Column, 1)}
	if e.Mark.Line < 1 {
		at = TextPosition{part.lines + 1, 1}
	}
	if end := textPositionAt(p.Data, len(bytes.TrimRight(p.Data, " \t\r\n"))); end.Line < at.Line {
		at = end // not on a line that nobody sees
	}
	if line := templateLine(part.data, at.Line-part.lines); line > 0 {
		return p.Fault(TextPosition{line + part.lines, 1}, TemplateMessage)
	}
	message := e.Message
	if strings.HasPrefix(message, errNestedTooDeep.Error()) {
		message = fmt.Sprintf("lists and mappings are nested more than %d deep", MaxKubernetesDepth)
	}
	return p.Fault(at, "not valid YAML: "+message)
}

// templateLine returns the last line up to one that has a mark of a template outside of a comment; 0: none.
func templateLine(data []byte, last int) (found int) {
	for line := 1; line <= last && len(data) > 0; line++ {
		text, rest := cutLine(data)
		data = rest
		for _, mark := range []string{"{{", "{%", "<%"} {
			if before, _, ok := bytes.Cut(text, []byte(mark)); ok && bytes.IndexByte(before, '#') < 0 {
				found = line
			}
		}
	}
	return found
}
