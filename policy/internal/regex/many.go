package regex

import (
	"encoding/binary"
	"regexp"
	"regexp/syntax"
	"slices"
)

// Many finds the first expression of a list that matches an origin, where there are many: in a few automata in
// place of many expressions. What no automaton can be made of, or only a very large one, is tried as it is, in time
// proportional to the length of the expression times that of the origin (RE2), so that one decision never costs more than
// the list's text times the longest origin.
type Many []group

// group is some expressions that follow each other.
type group struct {
	first     int        // in the list
	automaton *automaton // nil: the first alone is
	alone     *regexp.Regexp
}

// Find returns the index of the first expression that matches, or -1.
func (e Many) Find(text string) int {
	for i := range e {
		switch g := &e[i]; {
		case g.automaton == nil:
			if g.alone.MatchString(text) {
				return g.first
			}
		default:
			if i := g.automaton.find(text); i >= 0 {
				return g.first + i
			}
		}
	}
	return -1
}

const (
	// ManyFrom is from how many expressions on automata are made.
	ManyFrom = 4
	// maxAutomatonSteps bounds the work and the size of one automaton: 8 MiB at most, usually a tenth.
	maxAutomatonSteps = 2_000_000
	// MaxAutomataSteps bounds those of a set, also for what is given up: a fraction of a second.
	MaxAutomataSteps = 10_000_000
)

// Add makes groups of expressions, of which first is the index in the list. Where they are too much for one automaton
// they are made two.
func (e *Many) Add(first int, trees []*syntax.Regexp, list []*regexp.Regexp, left *int) {
	var a *automaton
	if *left > 0 {
		steps := min(maxAutomatonSteps, *left)
		*left -= steps
		a = automatonOf(trees, &steps)
		*left += max(steps, 0)
	}
	switch half := len(list) / 2; {
	case a != nil:
		*e = append(*e, group{first: first, automaton: a})
	case len(list) == 1:
		*e = append(*e, group{first: first, alone: list[0]})
	default:
		e.Add(first, trees[:half], list[:half], left)
		e.Add(first+half, trees[half:], list[half:], left)
	}
}

// automatonOf returns the automaton of some expressions, or nil.
func automatonOf(trees []*syntax.Regexp, steps *int) *automaton {
	alternatives := make([]alternative, len(trees))
	for i, tree := range trees {
		if !isPlainTree(tree) {
			return nil
		}
		alternatives[i] = alternative{i, appendPieces(nil, tree)}
	}
	prog, err := syntax.Compile(alternation(alternatives).Simplify())
	if err != nil {
		return nil
	}
	return newAutomaton(prog, steps)
}

// isPlainTree reports whether an automaton can be made of an expression: one without word boundaries.
func isPlainTree(tree *syntax.Regexp) bool {
	return tree.Op != syntax.OpWordBoundary && tree.Op != syntax.OpNoWordBoundary && !slices.ContainsFunc(tree.Sub, func(sub *syntax.Regexp) bool { return !isPlainTree(sub) })
}

// alternative is what is left of an expression behind the pieces that it has in common with others.
type alternative struct {
	index  int
	pieces []*syntax.Regexp
}

// appendPieces appends the parts of an expression that follow each other, single characters where they are literal, and
// none of them with captures.
func appendPieces(pieces []*syntax.Regexp, tree *syntax.Regexp) []*syntax.Regexp {
	switch tree.Op {
	case syntax.OpCapture:
		return appendPieces(pieces, tree.Sub[0])
	case syntax.OpConcat:
		for _, sub := range tree.Sub {
			pieces = appendPieces(pieces, sub)
		}
		return pieces
	case syntax.OpLiteral:
		for _, c := range tree.Rune {
			pieces = append(pieces, &syntax.Regexp{Op: syntax.OpLiteral, Flags: tree.Flags, Rune: []rune{c}})
		}
		return pieces
	}
	return append(pieces, withoutCaptures(tree))
}

func withoutCaptures(tree *syntax.Regexp) *syntax.Regexp {
	if tree.Op == syntax.OpCapture {
		return withoutCaptures(tree.Sub[0])
	}
	t := *tree
	t.Sub = make([]*syntax.Regexp, len(tree.Sub))
	for i, sub := range tree.Sub {
		t.Sub[i] = withoutCaptures(sub)
	}
	return &t
}

// alternation makes one expression of several, each of which ends with a capture that says which it is. What several
// begin with is there once: otherwise the states of an automaton would hold a place in each of them.
func alternation(list []alternative) *syntax.Regexp {
	all := &syntax.Regexp{Op: syntax.OpAlternate}
	var order []pieceKey
	alike := map[pieceKey][]alternative{} // by the first piece
	for _, a := range list {
		if len(a.pieces) == 0 {
			all.Sub = append(all.Sub, endOf(a.index))
			continue
		}
		key := keyOfPiece(a.pieces[0])
		if alike[key] == nil {
			order = append(order, key)
		}
		alike[key] = append(alike[key], a)
	}
	for _, key := range order {
		group := alike[key]
		sequence := &syntax.Regexp{Op: syntax.OpConcat}
		if len(group) == 1 {
			sequence.Sub = append(append(sequence.Sub, group[0].pieces...), endOf(group[0].index))
		} else {
			first := group[0].pieces[0]
			for i := range group {
				group[i].pieces = group[i].pieces[1:]
			}
			sequence.Sub = append(sequence.Sub, first, alternation(group))
		}
		all.Sub = append(all.Sub, sequence)
	}
	return all
}

// pieceKey is equal for pieces that are the same.
type pieceKey struct {
	char  rune // of one that is literal
	flags syntax.Flags
	text  string // of another one
}

func keyOfPiece(tree *syntax.Regexp) pieceKey {
	if tree.Op == syntax.OpLiteral {
		return pieceKey{char: tree.Rune[0], flags: tree.Flags & syntax.FoldCase}
	}
	return pieceKey{text: string(appendTree(nil, tree))}
}

// appendTree appends a text that is equal for equal trees only. The tree's own text takes milliseconds where it has a
// class such as [^/], of which package syntax then looks at every character.
func appendTree(b []byte, tree *syntax.Regexp) []byte {
	for _, n := range [...]int{int(tree.Op), int(tree.Flags), tree.Min, tree.Max, len(tree.Rune), len(tree.Sub)} {
		b = binary.AppendVarint(b, int64(n))
	}
	for _, c := range tree.Rune {
		b = binary.AppendVarint(b, int64(c))
	}
	for _, sub := range tree.Sub {
		b = appendTree(b, sub)
	}
	return b
}

// endOf is the end of an expression.
func endOf(index int) *syntax.Regexp {
	return &syntax.Regexp{Op: syntax.OpCapture, Cap: index + 1, Sub: []*syntax.Regexp{{Op: syntax.OpEmptyMatch}}}
}
