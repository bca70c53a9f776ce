package source

// Tested by policy/convert/internal/kube/kube_test.go and policy/convert/golden_test.go.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// JSON is read by its own decoder, not as the YAML that it nearly is: YAML knows no pairs of surrogates, no tabs before a
// value, and keeps much more for a document of one line. What comes of it is the same tree.

// A jsonTree makes nodes of a document that is valid JSON.
type jsonTree struct {
	data    []byte
	decoder *json.Decoder
	most    int // nodes that may still be made
	// The position of offset, which only grows.
	offset int64
	at     TextPosition
}

func (p *Parser) parseJSON(part yamlPart) (*yaml.Node, error) {
	t := &jsonTree{data: part.data, decoder: json.NewDecoder(bytes.NewReader(part.data)),
		most: 2*MaxKubernetesValues - p.values, at: TextPosition{part.lines + 1, 1}}
	t.decoder.UseNumber()
	root, err := t.value(0)
	switch {
	case errors.Is(err, errTooManyValues):
		return nil, p.Fault(TextPosition{1, 1}, fmt.Sprintf("the file has more than %d lists and mappings", MaxKubernetesValues))
	case errors.Is(err, errNestedTooDeep):
		return nil, p.Fault(t.at, fmt.Sprintf("lists and mappings are nested more than %d deep", MaxKubernetesDepth))
	case err != nil:
		return nil, p.Fault(t.at, "not valid JSON: "+err.Error())
	}
	p.values = 2*MaxKubernetesValues - t.most
	return root, nil
}

// value returns the node of the next value.
func (t *jsonTree) value(depth int) (*yaml.Node, error) {
	t.advance()
	at := t.at
	token, err := t.decoder.Token()
	if err != nil {
		return nil, err
	}
	if t.most--; t.most < 0 {
		return nil, errTooManyValues
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: at.Line, Column: at.Column}
	switch v := token.(type) {
	case nil:
		n.Tag, n.Value = "!!null", "null"
	case bool:
		n.Tag, n.Value = "!!bool", fmt.Sprint(v)
	case json.Number:
		n.Tag, n.Value = "!!int", v.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case string:
		n.Tag, n.Value, n.Style = "!!str", v, yaml.DoubleQuotedStyle
	case json.Delim:
		if depth == MaxKubernetesDepth {
			return nil, errNestedTooDeep
		}
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		if v == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		for t.decoder.More() {
			c, err := t.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		_, err = t.decoder.Token()
	}
	return n, err
}

// advance moves the position to where the next value begins.
func (t *jsonTree) advance() {
	to := t.decoder.InputOffset()
	for to < int64(len(t.data)) && strings.IndexByte(" \t\r\n,:", t.data[to]) >= 0 {
		to++
	}
	for ; t.offset < to; t.offset++ {
		switch c := t.data[t.offset]; {
		case c == '\n' || c == '\r' && !bytes.HasPrefix(t.data[t.offset+1:], []byte{'\n'}):
			t.at = TextPosition{t.at.Line + 1, 1}
		case c&0xC0 != 0x80 && c != '\r':
			t.at.Column++
		}
	}
}

// jsonFault says where and why a document is no JSON.
func (p *Parser) jsonFault(part yamlPart) error {
	var raw json.RawMessage
	err := json.Unmarshal(part.data, &raw)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return p.Fault(TextPosition{part.lines + 1, 1}, fmt.Sprintf("not valid JSON: %v", err))
	}
	offset := max(int(syntax.Offset)-1, 0)
	if strings.Contains(err.Error(), "unexpected end") {
		offset = len(bytes.TrimRight(part.data, " \t\r\n"))
	}
	at := textPositionAt(part.data, min(offset, len(part.data)))
	at.Line += part.lines
	if line := templateLine(part.data, at.Line-part.lines); line > 0 {
		return p.Fault(TextPosition{line + part.lines, 1}, TemplateMessage)
	}
	return p.Fault(at, "not valid JSON: "+syntax.Error())
}
