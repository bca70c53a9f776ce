package policy

import (
	"regexp/syntax"
	"slices"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// Limits of the samples of an expression.
const (
	maxSamples      = 16
	maxSampleLength = origin.MaxLen
)

// samples returns some of the texts that an expression matches: the shortest ones, with a letter where there is a choice,
// and for what may be left out one with it and one without. What anchors within the expression forbid is not looked at.
func samples(r *syntax.Regexp) []string {
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
		return samples(r.Sub[0])
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
			list = product(list, samples(sub))
		}
		return list
	case syntax.OpAlternate:
		var list []string
		for _, sub := range r.Sub {
			list = append(list, samples(sub)...)
		}
		return cut(list)
	}
	return []string{""} // anchors
}

// letters returns samples of what is repeated, of which a letter says more than a dot.
func letters(r *syntax.Regexp) []string {
	if isAnyChar(r) {
		return []string{"a"}
	}
	return samples(r)
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
