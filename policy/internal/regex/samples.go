package regex

// Tested by policy/diff_test.go and policy/findings_test.go.

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// Limits of the samples of an expression.
const (
	maxSamples      = 16
	maxSampleLength = origin.MaxLen
)

// Samples returns some of the texts that an expression matches: the shortest ones, with a letter where there is a choice,
// and for what may be left out one with it and one without. What anchors within the expression forbid is not looked at.
func Samples(r *syntax.Regexp) []string {
	switch r.Op {
	case syntax.OpNoMatch:
		return nil
	case syntax.OpLiteral:
		text := []byte(nil)
		for _, c := range r.Rune {
			if r.Flags&syntax.FoldCase != 0 && 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			text = append(text, string(c)...)
		}
		return []string{string(text)}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []string{".", "a"}
	case syntax.OpCharClass:
		return sampleClass(r.Rune)
	case syntax.OpCapture:
		return Samples(r.Sub[0])
	case syntax.OpPlus:
		return letters(r.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		return cut(append([]string{""}, letters(r.Sub[0])...))
	case syntax.OpRepeat:
		list := []string{""}
		for range max(1, r.Min) {
			if list = product(list, letters(r.Sub[0])); len(list) == 0 {
				break
			}
		}
		if r.Min == 0 {
			list = append([]string{""}, list...)
		}
		return cut(list)
	case syntax.OpConcat:
		list := []string{""}
		for _, sub := range r.Sub {
			list = product(list, Samples(sub))
		}
		return list
	case syntax.OpAlternate:
		var list []string
		for _, sub := range r.Sub {
			list = append(list, Samples(sub)...)
		}
		return cut(list)
	}
	return []string{""} // anchors
}

// letters returns samples of what is repeated, of which a letter says more than a dot.
func letters(r *syntax.Regexp) []string {
	if IsAnyChar(r) {
		return []string{"a"}
	}
	return Samples(r)
}

// sampleClass returns a member of a class of characters: a letter or a digit if there is one, or the first.
func sampleClass(ranges []rune) []string {
	for _, c := range []rune{'a', 'x', '1', '-'} {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= c && c <= ranges[i+1] {
				return []string{string(c)}
			}
		}
	}
	if len(ranges) == 0 {
		return nil
	}
	return []string{string(ranges[0])}
}

func product(heads, tails []string) (list []string) {
	for _, tail := range tails {
		for _, head := range heads {
			if len(head)+len(tail) <= maxSampleLength {
				list = append(list, head+tail)
			}
		}
	}
	return cut(list)
}

// cut drops what is too much. It takes from all over the list, so that no part of the expression is always left out.
func cut(list []string) []string {
	if len(list) <= maxSamples {
		return list
	}
	kept := make([]string, 0, maxSamples)
	for i := range maxSamples {
		kept = append(kept, list[i*len(list)/maxSamples])
	}
	return slices.Compact(kept)
}

// MadeFor returns origins that an expression accepts, of those that its syntax suggests.
func MadeFor(tree *syntax.Regexp, whole *regexp.Regexp) (origins []origin.Origin) {
	for _, sample := range Samples(tree) {
		texts := []string{sample}
		// A scheme may be part of what stands for anything.
		if _, rest, ok := strings.Cut(sample, "://"); ok {
			texts = append(texts, "https://"+rest, "http://"+rest)
		} else {
			texts = append(texts, "https://"+sample, "http://"+sample)
		}
		for _, text := range texts {
			if o, ok := origin.Parse(text); ok && !o.Null && whole.MatchString(text) {
				origins = append(origins, o)
			}
		}
	}
	return origins
}

// Parts returns the parts of an expression, without groups around all of it and without anchors at its ends.
func Parts(tree *syntax.Regexp) []*syntax.Regexp {
	for tree.Op == syntax.OpCapture {
		tree = tree.Sub[0]
	}
	if tree.Op != syntax.OpConcat {
		return []*syntax.Regexp{tree}
	}
	parts := tree.Sub
	for len(parts) > 0 && (parts[0].Op == syntax.OpBeginText || parts[0].Op == syntax.OpBeginLine) {
		parts = parts[1:]
	}
	for n := len(parts); n > 0 && (parts[n-1].Op == syntax.OpEndText || parts[n-1].Op == syntax.OpEndLine); n-- {
		parts = parts[:n-1]
	}
	return parts
}

func IsAnyChar(r *syntax.Regexp) bool {
	for r.Op == syntax.OpCapture {
		r = r.Sub[0]
	}
	return r.Op == syntax.OpAnyChar || r.Op == syntax.OpAnyCharNotNL
}
