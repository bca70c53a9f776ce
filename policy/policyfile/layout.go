package policyfile

// Tested by position_test.go and restated_test.go.

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/finding"
)

// A layout knows where everything in a document stands. It holds 20 bytes for a value, so that it can be kept where a
// tree of nodes, at ten times that, could not.
type layout struct {
	spots []spot // the root is the first
	names []string
	// index finds the entries of mappings that are too wide to be searched again and again; by the mapping's spot.
	index map[uint32]map[string]uint32
}

// A spot is a value, or a key of a mapping. The children of a spot stand side by side, in a mapping key and value by
// turns.
type spot struct {
	position
	name         uint32 // of a key: its place in names; otherwise noName
	first, count uint32 // the children
}

const (
	noName  = ^uint32(0)
	unnamed = "\x00" // a key that is no text, and that no path can name
)

// wide is the number of entries from which on a mapping gets an index.
const wide = 32

// newLayout makes the layout of a document. A key that spelling has stands under its right spelling.
func newLayout(root *yaml.Node, spelling map[*yaml.Node]string) *layout {
	l := &layout{index: map[uint32]map[string]uint32{}, spots: make([]spot, 0, countNodes(root))}
	names := map[string]uint32{}
	l.spots = append(l.spots, spot{position: nodePosition(root)})
	var fill func(at uint32, n *yaml.Node)
	fill = func(at uint32, n *yaml.Node) {
		first := uint32(len(l.spots))
		l.spots[at].first, l.spots[at].count = first, uint32(len(n.Content))
		for i, c := range n.Content {
			s := spot{position: nodePosition(c), name: noName}
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				name := c.Value
				if c.Kind != yaml.ScalarNode {
					name = unnamed
				} else if right, ok := spelling[c]; ok {
					name = right
				} else {
					name = string(finding.Path("").Name(name)[1:]) // as paths write it
				}
				id, ok := names[name]
				if !ok {
					id = uint32(len(l.names))
					names[name] = id
					l.names = append(l.names, name)
				}
				s.name = id
			}
			l.spots = append(l.spots, s)
		}
		for i, c := range n.Content {
			if len(c.Content) > 0 {
				fill(first+uint32(i), c)
			}
		}
	}
	fill(0, root)
	return l
}

// countNodes returns the number of nodes of a document.
func countNodes(n *yaml.Node) int {
	count := 1
	for _, c := range n.Content {
		count += countNodes(c)
	}
	return count
}

// find returns the position of a value, or of its key, or of the nearest value around it that stands in the document.
func (l *layout) find(path finding.Path, key bool) position {
	at, pos := uint32(0), l.spots[0].position
	for rest := string(path); rest != ""; {
		kind, text := rest[0], rest[1:]
		if end := strings.IndexAny(text, "\x00\x01"); end >= 0 {
			text, rest = text[:end], text[end:]
		} else {
			rest = ""
		}
		if kind == '\x01' {
			i, err := strconv.ParseUint(text, 10, 32)
			if err != nil || i >= uint64(l.spots[at].count) || l.isMapping(at) {
				return pos
			}
			at = l.spots[at].first + uint32(i)
			pos = l.spots[at].position
			continue
		}
		entry, ok := l.entry(at, text)
		if !ok {
			return pos
		}
		at = entry + 1
		pos = l.spots[at].position
		if key && rest == "" {
			pos = l.spots[entry].position
		}
	}
	return pos
}

// entry returns the spot of the first key of that name in a mapping.
func (l *layout) entry(at uint32, name string) (uint32, bool) {
	if !l.isMapping(at) {
		return 0, false
	}
	s := l.spots[at]
	if s.count/2 >= wide {
		if l.index[at] == nil {
			entries := make(map[string]uint32, s.count/2)
			for i := s.first; i+1 < s.first+s.count; i += 2 {
				if text := l.names[l.spots[i].name]; entries[text] == 0 {
					entries[text] = i
				}
			}
			l.index[at] = entries
		}
		i, ok := l.index[at][name]
		return i, ok
	}
	for i := s.first; i+1 < s.first+s.count; i += 2 {
		if l.names[l.spots[i].name] == name {
			return i, true
		}
	}
	return 0, false
}

// isMapping reports whether a spot is a mapping that has entries.
func (l *layout) isMapping(at uint32) bool {
	s := l.spots[at]
	return s.count > 0 && l.spots[s.first].name != noName
}
