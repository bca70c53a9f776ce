package origin

// Tested by policy/patterns_test.go and policy/testdata/lines.yaml.

import "strings"

// Lines stands, where the field is asked for in which a text stands, for a file of origins.
const Lines = "origin_files"

// aloneInLine returns the pattern in what a program has written as an element of a list: of YAML, JSON or CSV. It is empty
// where there is none, or nothing beside it.
func aloneInLine(s string) string {
	text := strings.TrimSpace(strings.TrimRight(s, ",; \t"))
	if item, ok := strings.CutPrefix(text, "- "); ok {
		text = strings.TrimSpace(item)
	}
	for _, quote := range []string{`"`, "'", "`"} {
		if inner, ok := strings.CutPrefix(text, quote); ok {
			if inner, ok = strings.CutSuffix(inner, quote); ok {
				text = inner
				break
			}
		}
	}
	if text == s {
		return ""
	}
	if p, why := ParsePattern(text); why == "" && p.Kind == PatternOrigin {
		return text
	}
	if fix, _, guess, ok := canonical(text); ok && !guess && fix != "null" {
		return fix
	}
	return ""
}
