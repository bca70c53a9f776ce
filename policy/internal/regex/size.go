package regex

// Tested by policy/regex_size_test.go.

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// Whole compiles an expression, of which tree was parsed, so that it matches whole strings only. That it was parsed
// alone shows that no "a)|(b" reaches beyond itself; what an unfinished \Q does, and the tree written out again does not.
// All other expressions are taken as they stand: to write out a tree with a class such as [^/] takes milliseconds, because
// package syntax then looks at every character of the class.
func Whole(text string, tree *syntax.Regexp) (*regexp.Regexp, error) {
	if strings.Contains(text, `\Q`) {
		text = tree.String()
	}
	return regexp.Compile(`\A(?:` + text + `)\z`)
}

// maxExpandedRegex is how large an expression with counts may be when they are written out, as RE2 does it. Each element
// costs some KiB while a set is made; no origin or path has so many characters.
const maxExpandedRegex = 100_000

// IsTooLarge reports whether an expression gets too large by its counts.
func IsTooLarge(tree *syntax.Regexp, text string) bool {
	return expandedSize(tree) > max(maxExpandedRegex, len(text))
}

// expandedSize returns about how many characters and classes an expression has when its counts are written out.
func expandedSize(tree *syntax.Regexp) int {
	size := 1
	if tree.Op == syntax.OpLiteral {
		size = len(tree.Rune)
	}
	for _, sub := range tree.Sub {
		size += expandedSize(sub)
	}
	if tree.Op == syntax.OpRepeat {
		size *= max(tree.Min, tree.Max, 1) // RE2 bounds their product
	}
	return size
}
