package build

// Tested by builder_test.go and policy/convert/golden_test.go.

import "strings"

// A Match says which paths a route covers.
type Match struct {
	Kind MatchKind
	Text string
}

type MatchKind string

// The fields of a route in a policy file.
const (
	MatchPath     MatchKind = "path"
	MatchPrefix   MatchKind = "prefix"
	MatchSegments MatchKind = "path_separated_prefix"
	MatchRegex    MatchKind = "regex"
)

// EveryPath covers what "/" begins, which is every path.
var EveryPath = Match{MatchPrefix, "/"}

// Covers reports whether every path of n is one of m, as far as that can be told from their texts.
func (m Match) Covers(n Match) bool {
	if m == n || m == EveryPath {
		return true
	}
	below := n.Kind == MatchPath || n.Kind == MatchPrefix || n.Kind == MatchSegments
	switch m.Kind {
	case MatchPrefix:
		return below && strings.HasPrefix(n.Text, m.Text)
	case MatchSegments:
		return (n.Kind == MatchPath || n.Kind == MatchSegments) && (n.Text == m.Text || strings.HasPrefix(n.Text, m.Text+"/")) ||
			n.Kind == MatchPrefix && strings.HasPrefix(n.Text, m.Text+"/")
	}
	return false
}

// Meets reports whether a path may be one of both.
func (m Match) Meets(n Match) bool {
	if m.Kind == MatchRegex || n.Kind == MatchRegex {
		return true
	}
	if m.Covers(n) || n.Covers(m) {
		return true
	}
	// Of a plain prefix and one by segments, each may be the longer one.
	if m.Kind == MatchPath && n.Kind == MatchPath {
		return false
	}
	return m.Kind != MatchPath && strings.HasPrefix(n.Text, m.Text) || n.Kind != MatchPath && strings.HasPrefix(m.Text, n.Text)
}
