package policyfile

// Tested by golden_test.go, fix_test.go and policy/policytest/policytest_test.go.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/corsproc/corsproc/policy/finding"
	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Limits that keep the time and memory bounded that a file can cost. Each is far above what a policy set can use.
const (
	// maxEntries is the largest number of list entries and fields in a file, counted by lines and commas: a file of
	// MaxFileBytes could otherwise hold thirty million values of one byte, and cost gigabytes of memory.
	maxEntries = 4_000_000
	// maxCollections is the largest number of lists and mappings in a file, which may stand side by side in one entry.
	maxCollections = 4_000_000
	// maxDepth is the deepest nesting of lists and mappings. The deepest value of a PolicySet is at 7.
	maxDepth = 100
)

// Limits are how much a file of another kind than policy files may hold, less than a policy file may, and what is said of
// one that holds more. They are looked at before anything is read, and while it is: nothing is kept of what is too much.
type Limits struct {
	Entries     int // list entries and fields, counted by lines and commas
	Collections int // lists and mappings
	Code        finding.Code
	Message     string
}

// entries and collections return the limits, those of policy files for nil.
func (l *Limits) entries() (most int, tooMany problem) {
	if l != nil {
		return l.Entries, l.problem()
	}
	return maxEntries, problem{code: CodeFileTooLarge, pos: wholeFile, message: fmt.Sprintf("the file has more than %d entries", maxEntries)}
}

func (l *Limits) collections() (most int, tooMany problem) {
	if l != nil {
		return l.Collections, l.problem()
	}
	return maxCollections, problem{code: CodeFileTooLarge, pos: wholeFile, message: fmt.Sprintf("the file has more than %d lists and mappings", maxCollections)}
}

func (l *Limits) problem() problem {
	return problem{code: l.Code, pos: wholeFile, message: l.Message}
}

// A problem is a finding at a position of one file.
type problem struct {
	code      finding.Code
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

// parse returns the root of the one document of a file, or the problems that make it unreadable.
func parse(f File) (*yaml.Node, []problem) { return parseWithin(f, nil) }

// parseWithin is parse with other limits; nil: those of policy files.
func parseWithin(f File, limits *Limits) (*yaml.Node, []problem) {
	data := bytes.TrimPrefix(f.Data, []byte("\uFEFF")) // a byte order mark counts for no column
	if p := checkCharacters(f.Data, data, limits); p != nil {
		return nil, []problem{*p}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, []problem{*emptyFile()}
	}
	isJSON := filepath.Ext(f.Name) == ".json"
	if isJSON {
		if p := checkJSON(data); p != nil {
			return nil, []problem{*p}
		}
	}
	return parsePastStars(data, isJSON, limits)
}

// parsePastStars parses a document, also one in which stars without a name stand where YAML wants a value: the parser
// ends at such a star, and is given the document again with a letter for it.
func parsePastStars(data []byte, isJSON bool, limits *Limits) (*yaml.Node, []problem) {
	stars := map[position]bool{}
	text := data
	for {
		written := forParser(text, isJSON)
		root, p, err := parseYAML(written, limits)
		switch star, ok := bareStar(err); {
		case ok && len(stars) < maxBareStars:
			if len(stars) == 0 {
				text = bytes.Clone(data)
			}
			star = written.position(star)
			from(text, star)[0] = starStandIn
			stars[star] = true
			continue
		case err != nil:
			p = syntaxProblem(data, err, written)
		}
		if p == nil {
			if len(stars) > 0 {
				markBareStars(root, stars)
			}
			return root, nil
		}
		problems := []problem{*p}
		for star := range stars {
			problems = append(problems, *starProblem(data, star))
		}
		return nil, problems
	}
}

// checkCharacters refuses what is too large, and what is no text that everybody sees in the same lines.
func checkCharacters(raw, data []byte, limits *Limits) *problem {
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
	if most, tooMany := limits.entries(); countEntries(data) > most {
		return &tooMany
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

func emptyFile() *problem {
	return &problem{code: CodeEmptyFile, pos: wholeFile, message: "the file says nothing; a file that is to say nothing has {}"}
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

// errTooDeep ends the parser at a collection that is nested too deep.
var errTooDeep = errors.New("nested too deep")

// parseYAML returns the root of the one document of a file, or a problem, or the error at which the parser ends.
func parseYAML(written *yamlText, limits *Limits) (*yaml.Node, *problem, error) {
	most, tooMany := limits.collections()
	counted := 0
	loader, err := yaml.NewLoader(bytes.NewReader(written.data), yaml.WithPlugin(loaderlimits.New(
		loaderlimits.DepthFunc(func(depth int, _ *loaderlimits.DepthContext) error {
			if counted++; counted > most {
				return errors.New(tooMany.message)
			}
			if depth > maxDepth {
				return errTooDeep
			}
			return nil
		})), anyAlias{}))
	if err != nil {
		return nil, nil, err
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case counted > most:
		return nil, &tooMany, nil
	case err == io.EOF:
		return nil, emptyFile(), nil
	case err != nil:
		return nil, nil, err
	}
	root := doc.Content[0]
	switch err := loader.Load(&second); {
	case err == io.EOF:
	case err != nil:
		return nil, nil, err
	default:
		return nil, &problem{code: CodeMultipleDocuments, pos: written.position(nodePosition(&second)),
			message: "a second YAML document begins here; a file has one"}, nil
	}
	if isNull(root) {
		return nil, emptyFile(), nil
	}
	written.restore(root)
	return root, nil, nil
}

func nodePosition(n *yaml.Node) position { return position{int32(n.Line), int32(n.Column)} }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
