package policy

import (
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// coveringElement returns the rule of a list that covers an element of it: matches, that is, every origin that the
// element matches. Of two that say the same the second is covered by the first. Its time grows with the labels of a host,
// not with the list.
func coveringElement(s *match.Origins, p *entry) (by compiled.Rule) {
	switch {
	case p.same != 0:
		return p.same
	case p.Kind != origin.PatternOrigin:
		return 0 // whether "*" covers null depends on the policy
	}
	return compiled.Rule(s.CoveringWider(&p.Pattern, nil))
}
