package regex

// Tested by policy/internal/lint/lint_test.go.

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// PathReach is which paths an expression, or a route of another kind, covers, as far as that can be told by their beginning.
type PathReach struct {
	Prefix  string // what each of them begins with
	All     bool   // and all that begin so are covered
	Nothing bool   // no path is
}

// ReachOf looks at the beginning of an expression for whole paths, and at whether the rest of it is ".*".
func ReachOf(text string) PathReach {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return PathReach{Prefix: "/"}
	}
	parts := Parts(tree)
	r := PathReach{}
	if len(parts) > 0 && parts[0].Op == syntax.OpLiteral && parts[0].Flags&syntax.FoldCase == 0 {
		r.Prefix = string(parts[0].Rune)
		parts = parts[1:]
	}
	// Every path has a slash, so that ".+" says the same as ".*" at the beginning.
	if len(parts) == 1 && (parts[0].Op == syntax.OpStar || r.Prefix == "" && parts[0].Op == syntax.OpPlus) {
		r.All = IsAnyChar(parts[0].Sub[0])
	}
	if r.Prefix == "" {
		r.Prefix = "/"
	}
	r.Nothing = r.Prefix[0] != '/'
	return r
}

// SamplePaths returns some paths that an expression matches, which is text as it is written and whole as it is compiled.
func SamplePaths(text string, whole *regexp.Regexp) (paths []string) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil
	}
	for _, s := range Samples(tree) {
		if strings.HasPrefix(s, "/") && whole.MatchString(s) {
			paths = append(paths, s)
		}
	}
	return paths
}
