package verify

import (
	"regexp/syntax"

	"github.com/corsproc/corsproc/policy/internal/regex"
)

// samples returns some of the texts that an expression matches as a whole: the shortest ones, with a letter where there is a
// choice. There may be none.
func samples(expression string) (found []string) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	whole, err := regex.Whole(expression, tree)
	if err != nil {
		return nil
	}
	for _, text := range regex.Samples(tree) {
		if whole.MatchString(text) {
			found = append(found, text)
		}
	}
	return found
}
