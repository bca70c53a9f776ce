package policyfile

// Tested by stars_test.go and golden_test.go.

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"
)

// An unquoted wildcard is the most frequent mistake of all, and to YAML it is an alias that leads nowhere. The parser
// would end at the first: this is what lets it go on, so that the walk can report each of them, and what else is wrong.

// anchors lets the parser take every alias.
type anchors map[string]*yaml.Node

// anyAlias is the plugin by which the parser gets anchors.
type anyAlias struct{}

func (anyAlias) NewAliasDataContext(yaml.AliasDataServices) (yaml.AliasDataContext, error) {
	return anchors{}, nil
}

func (a anchors) BeginDocument() error { return nil }
func (a anchors) EndDocument() error   { return nil }

func (a anchors) DefineAnchor(name string, n *yaml.Node) error {
	a[name] = n
	return nil
}

// ResolveAlias returns the node that an alias leads to. An alias that leads nowhere leads to one without an anchor.
func (a anchors) ResolveAlias(name string) (*yaml.Node, bool, error) {
	if n := a[name]; n != nil {
		return n, true, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str"}, true, nil
}

// leadsNowhere reports whether an alias has no anchor: it must be text.
func leadsNowhere(alias *yaml.Node) bool { return alias.Alias == nil || alias.Alias.Anchor == "" }

// maxBareStars is the largest number of stars without a name that are found in one file: after each, the file is parsed
// from its beginning.
const maxBareStars = 20

// bareStar returns where a star stands that is no alias because no name follows it, if err is about one.
func bareStar(err error) (position, bool) {
	if e := (*yaml.LoadError)(nil); errors.As(err, &e) && e.ContextMsg == "while scanning an alias" {
		return markPosition(e.ContextMark), true
	}
	return position{}, false
}

// markBareStars makes aliases of the nodes at the positions of bare stars.
func markBareStars(n *yaml.Node, stars map[position]bool) {
	if n.Kind == yaml.ScalarNode && stars[nodePosition(n)] {
		// The parser was given a letter in the place of the star.
		n.Kind, n.Value = yaml.AliasNode, strings.TrimPrefix(n.Value, string(starStandIn))
	}
	for _, c := range n.Content {
		markBareStars(c, stars)
	}
}

// starStandIn is the letter that the parser is given for a bare star.
const starStandIn = 'x'
