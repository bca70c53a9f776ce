package learn

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A scanner reads the facts that lines tell. It makes no maps of them, and skips what nobody asks for.
//
// The grammar is that of package jsontext. It holds a line for JSON where encoding/json does, the order of keys that
// stand twice included: the last one counts (scan_test.go).
type scanner struct {
	fields *node
	dec    jsontext.Decoder
	buf    bytes.Buffer
	opts   []jsontext.Options
	rank   [numFields]uint8 // of the value that was taken, plus one; 0: none
	item   []byte           // an element of an array

	// keys, unless it is nil, is called with the keys of the line's object.
	keys func(name string)
}

func newScanner(fields *node) *scanner {
	return &scanner{fields: fields, opts: []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}}
}

var errNotJSON = errors.New("not a JSON object")

// scan reads a line. What values hold that have to be unescaped is appended to text, which is returned. values keep parts
// of line and of text.
func (s *scanner) scan(line, text []byte, values *values) ([]byte, error) {
	*values = noValues
	s.rank = [numFields]uint8{}
	// What stands before an object is what kubectl and container runtimes write before each line.
	begin := bytes.IndexByte(line, '{')
	if begin < 0 {
		return text, errNotJSON
	}
	s.buf = *bytes.NewBuffer(line[begin:]) // the decoder reads a buffer in place
	s.dec.Reset(&s.buf, s.opts...)
	text, err := s.object(s.fields, text, values, true)
	if err != nil {
		return text, errNotJSON
	}
	rest := line[begin+int(s.dec.InputOffset()):]
	if len(bytes.Trim(rest, " \t\r\n")) > 0 {
		return text, errNotJSON
	}
	return text, nil
}

// object reads an object whose keys are looked up in n.
func (s *scanner) object(n *node, text []byte, values *values, top bool) ([]byte, error) {
	if _, err := s.dec.ReadToken(); err != nil {
		return text, err
	}
	for s.dec.PeekKind() != '}' {
		name, err := s.dec.ReadValue()
		if err != nil {
			return text, err
		}
		if len(name) < 2 {
			return text, errNotJSON
		}
		child := n.find(name)
		if top && s.keys != nil {
			s.keys(unquoted(name))
		}
		switch {
		case child == nil:
			err = s.dec.SkipValue()
		case child.children != nil && s.dec.PeekKind() == '{':
			for _, t := range child.targets {
				values.there |= 1 << t.field
			}
			text, err = s.object(child, text, values, false)
		case len(child.targets) == 0:
			err = s.dec.SkipValue()
		default:
			text, err = s.value(child.targets, text, values)
		}
		if err != nil {
			return text, err
		}
	}
	_, err := s.dec.ReadToken()
	return text, err
}

// find returns where the values under a key are looked up, nil if nobody asks for them.
func (n *node) find(name jsontext.Value) *node {
	if bytes.IndexByte(name, '\\') < 0 {
		return n.children[string(name[1:len(name)-1])]
	}
	return n.children[unquoted(name)]
}

func unquoted(v jsontext.Value) string {
	text, _ := jsontext.AppendUnquote(nil, v) // only invalid UTF-8 is an error of what was read
	return string(text)
}

// value reads a value that tells facts.
func (s *scanner) value(targets []target, text []byte, values *values) ([]byte, error) {
	var value []byte
	switch s.dec.PeekKind() {
	case '"', '0', 't', 'f', 'n':
		raw, err := s.dec.ReadValue()
		if err != nil {
			return text, err
		}
		value, text = scalar(raw, text)
	case '[':
		var err error
		if value, text, err = s.array(text); err != nil {
			return text, err
		}
	default:
		if err := s.dec.SkipValue(); err != nil {
			return text, err
		}
	}
	if isNothing(value) {
		value = nil
	}
	for _, t := range targets {
		values.there |= 1 << t.field
		have := s.rank[t.field]
		switch {
		case value != nil && (have == 0 || t.rank+1 <= have):
			s.rank[t.field], values.of[t.field] = t.rank+1, value
		case value == nil && have == t.rank+1:
			s.rank[t.field], values.of[t.field] = 0, nil // the key stands there twice
		}
	}
	return text, nil
}

// scalar returns the text of a value that is no list.
func scalar(raw jsontext.Value, text []byte) (value, _ []byte) {
	switch raw.Kind() {
	case 'n':
		return nil, text
	case '"':
		if bytes.IndexByte(raw, '\\') < 0 {
			return raw[1 : len(raw)-1], text
		}
		begin := len(text)
		text, _ = jsontext.AppendUnquote(text, raw)
		return text[begin:len(text):len(text)], text
	}
	return raw, text
}

// array returns the elements of a list, joined as Envoy joins several lines of a header.
func (s *scanner) array(text []byte) (value, _ []byte, err error) {
	if _, err := s.dec.ReadToken(); err != nil {
		return nil, text, err
	}
	s.item = s.item[:0]
	for s.dec.PeekKind() != ']' {
		switch s.dec.PeekKind() {
		case '{', '[':
			err = s.dec.SkipValue()
		default:
			var raw jsontext.Value
			if raw, err = s.dec.ReadValue(); err != nil {
				break
			}
			var item []byte
			item, text = scalar(raw, text)
			if isNothing(item) {
				break
			}
			if len(s.item) > 0 {
				s.item = append(s.item, ',')
			}
			s.item = append(s.item, item...)
		}
		if err != nil {
			return nil, text, err
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return nil, text, err
	}
	begin := len(text)
	text = append(text, s.item...)
	return text[begin:len(text):len(text)], text, nil
}

// values are what a line tells.
type values struct {
	of    [numFields][]byte // nil: not there
	there uint32            // the facts for which there is a key, whatever it holds
}

var noValues values

func (v *values) has(f field) bool { return v.of[f] != nil }

// hasAny reports whether one of some fields is there; each is a bit.
func (v *values) hasAny(fields uint32) bool {
	for f := range numFields {
		if fields&(1<<f) != 0 && v.has(f) {
			return true
		}
	}
	return false
}

func (v *values) text(f field) string { return string(v.of[f]) }

// isNothing reports whether a text is what logs write where there is nothing.
func isNothing(text []byte) bool { return len(text) == 0 || len(text) == 1 && text[0] == '-' }

// elements calls each for the elements of a list header (RFC 9110, section 5.6.1), without blanks around them.
func elements(list []byte, each func(element []byte)) {
	for len(list) > 0 {
		var element []byte
		element, list, _ = bytes.Cut(list, []byte(","))
		if element = bytes.Trim(element, " \t"); len(element) > 0 {
			each(element)
		}
	}
}

// cut shortens a text to what is kept of values. What it returns does not keep the rest of a long one in memory.
func cut(s string) string {
	if len(s) <= maxValueBytes {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:maxValueBytes], ""))
}
