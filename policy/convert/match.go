package convert

// Tested by builder_test.go and golden_test.go.

import "strings"

// A match says which paths a route covers.
type match struct {
	kind matchKind
	text string
}

type matchKind string

// The fields of a route in a policy file.
const (
	matchPath      matchKind = "path"
	matchPrefix    matchKind = "prefix"
	matchSegments  matchKind = "path_separated_prefix"
	matchRegex     matchKind = "regex"
	matchRouteName matchKind = "route_name"
)

// everyPath covers what "/" begins, which is every path.
var everyPath = match{matchPrefix, "/"}

// covers reports whether every path of n is one of m, as far as that can be told from their texts.
func (m match) covers(n match) bool {
	if m == n || m == everyPath {
		return true
	}
	below := n.kind == matchPath || n.kind == matchPrefix || n.kind == matchSegments
	switch m.kind {
	case matchPrefix:
		return below && strings.HasPrefix(n.text, m.text)
	case matchSegments:
		return (n.kind == matchPath || n.kind == matchSegments) && (n.text == m.text || strings.HasPrefix(n.text, m.text+"/")) ||
			n.kind == matchPrefix && strings.HasPrefix(n.text, m.text+"/")
	}
	return false
}

// meets reports whether a path may be one of both.
func (m match) meets(n match) bool {
	if m.kind == matchRegex || n.kind == matchRegex || m.kind == matchRouteName || n.kind == matchRouteName {
		return true
	}
	if m.covers(n) || n.covers(m) {
		return true
	}
	// Of a plain prefix and one by segments, each may be the longer one.
	if m.kind == matchPath && n.kind == matchPath {
		return false
	}
	return m.kind != matchPath && strings.HasPrefix(n.text, m.text) || n.kind != matchPath && strings.HasPrefix(m.text, n.text)
}
