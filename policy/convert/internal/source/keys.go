package source

// Tested by policy/convert/internal/kube/kube_test.go and policy/convert/golden_test.go.

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// CheckKeys refuses keys that stand twice, and those that are no text, in all of a document. It follows no alias: what it
// leads to has been looked at.
func (p *Parser) CheckKeys(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		var seen map[string]bool
		if len(n.Content) > 2 {
			seen = make(map[string]bool, len(n.Content)/2)
		}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			at := TextPosition{key.Line, key.Column}
			if key.Kind == yaml.AliasNode && key.Alias != nil {
				key = key.Alias
			}
			switch {
			case key.Kind == yaml.MappingNode:
				return p.Fault(at, "a key that is a mapping: "+TemplateMessage)
			case key.Kind != yaml.ScalarNode:
				return p.Fault(at, "a key is text, and this is a list")
			case seen[key.Value]:
				return p.Fault(at, fmt.Sprintf("the key %q stands here a second time", CutText(key.Value)))
			case seen != nil:
				seen[key.Value] = true
			}
		}
	}
	for _, c := range n.Content {
		if err := p.CheckKeys(c); err != nil {
			return err
		}
	}
	return nil
}

// NodeWord says what a node is.
func NodeWord(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!bool":
		return "true or false"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!str":
		return "text"
	case n.Tag == "!!timestamp":
		return "a date"
	}
	return "neither text nor a mapping"
}

// CutText is a text of a file, short enough for a message. Who shows the message escapes it.
func CutText(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	for i := range s {
		if i > most-4 {
			return s[:i] + "..."
		}
	}
	return s
}
