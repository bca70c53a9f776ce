package regex

import (
	"math/bits"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// MaxSteps bounds the work on one question about one expression: some hundredths of a second, and some tens of megabytes.
// Most take a few thousand.
const MaxSteps = 2_000_000

// An originWalk is what an expression accepts of the origins of a grammar: the product of the expression's program and the
// grammar's automaton, as a graph. Each text that leads from its first node to a node that accepts is such an origin, and
// each such origin is such a text.
//
// The program is not made deterministic: the graph has as many nodes at most as the program has instructions, times the
// states of the grammar. No expression makes it explode; one that is very large takes too many steps.
type originWalk struct {
	grammar *originGrammar
	prog    *syntax.Prog
	words   bool // the program has word boundaries
	steps   *int // what is left: some nanoseconds and at most 16 bytes each

	takes    map[uint32]symbolSet         // by instruction: which symbols it takes
	closures map[closureKey][]closurePart // where an instruction leads without a symbol
	seen     map[closurePart]bool         // in the closure at hand

	nodes []walkNode
	known map[walkKey]int32
}

// walkKey is a place in the expression, an instruction that takes a symbol or the end, and one in the grammar.
type walkKey struct {
	part closurePart
	at   uint32
}

type walkNode struct {
	walkKey
	from  int32 // from where it was got to first, which is a shortest way, and by which symbol
	by    uint8
	edges []walkEdge
}

// walkEdge leads to a node, by each symbol of a set.
type walkEdge struct {
	to int32
	by symbolSet
}

type closureKey struct {
	pc   uint32
	last symbolKind // the kind of the symbol that was taken last
}

// closurePart is an instruction and what its empty matches ask of what comes next.
type closurePart struct {
	pc   uint32
	next symbolKind
}

// symbolKind is a set of what word boundaries and ends tell apart.
type symbolKind uint8

const (
	wordSymbol symbolKind = 1 << iota
	otherSymbol
	noSymbol // the beginning, or the end
)

var wordSymbols = setOf("abcdefghijklmnopqrstuvwxyz0123456789_")

// walkOrigins makes the graph of an expression, at the most until a text is found which enough says is enough: accepted
// tells what the grammar calls it. It returns the node at which that text ends, or -1. It returns nil where the steps are
// used up before.
func walkOrigins(re *regexp.Regexp, grammar *originGrammar, steps *int, enough func(accepted int) bool) (w *originWalk, end int32) {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil, -1
	}
	if *steps -= 10 * expandedSize(tree); *steps < 0 {
		return nil, -1
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, -1
	}
	w = &originWalk{
		grammar: grammar, prog: prog, words: !isPlainTree(tree), steps: steps,
		takes: map[uint32]symbolSet{}, closures: map[closureKey][]closurePart{}, seen: map[closurePart]bool{}, known: map[walkKey]int32{},
	}
	for _, part := range w.closure(uint32(prog.Start), noSymbol) {
		w.node(walkKey{part, 1}, -1, 0)
	}
	for at := int32(0); int(at) < len(w.nodes); at++ {
		if w.accepts(at) && enough != nil && enough(w.accepted(at)) {
			return w, at
		}
		w.leave(at)
		if *steps < 0 {
			return nil, -1
		}
	}
	return w, -1
}

// accepted returns what the grammar calls a text that ends at a node, or -1.
func (w *originWalk) accepted(at int32) int { return int(w.grammar.states[w.nodes[at].at].accepts) - 1 }

// accepts reports whether an origin may end at a node.
func (w *originWalk) accepts(at int32) bool {
	n := &w.nodes[at]
	return w.prog.Inst[n.part.pc].Op == syntax.InstMatch && n.part.next&noSymbol != 0 && w.accepted(at) >= 0
}

// node returns the node of a key, a new one if it is new.
func (w *originWalk) node(key walkKey, from int32, by uint8) int32 {
	at, ok := w.known[key]
	if !ok {
		at = int32(len(w.nodes))
		w.known[key] = at
		w.nodes = append(w.nodes, walkNode{walkKey: key, from: from, by: by})
		*w.steps -= 8
	}
	return at
}

// leave gives a node its edges.
func (w *originWalk) leave(at int32) {
	n := w.nodes[at]
	if !isRune(w.prog.Inst[n.part.pc].Op) {
		return
	}
	takes := w.symbolsOf(n.part.pc)
	if n.part.next&wordSymbol == 0 {
		takes &^= wordSymbols
	}
	if n.part.next&otherSymbol == 0 {
		takes &= wordSymbols
	}
	out := w.prog.Inst[n.part.pc].Out
	for _, step := range w.grammar.steps[n.at] {
		*w.steps--
		by := takes & step.by
		if !w.words {
			n.edges = w.appendEdges(n.edges, at, walkKey{closurePart{pc: out}, step.to}, otherSymbol, by)
			continue
		}
		n.edges = w.appendEdges(n.edges, at, walkKey{closurePart{pc: out}, step.to}, wordSymbol, by&wordSymbols)
		n.edges = w.appendEdges(n.edges, at, walkKey{closurePart{pc: out}, step.to}, otherSymbol, by&^wordSymbols)
	}
	w.nodes[at].edges = n.edges
}

// appendEdges appends the edges by some symbols of one kind from a node to all to which an instruction leads.
func (w *originWalk) appendEdges(edges []walkEdge, from int32, to walkKey, kind symbolKind, by symbolSet) []walkEdge {
	if by == 0 {
		return edges
	}
	for _, part := range w.closure(to.part.pc, kind) {
		if *w.steps -= 2; *w.steps < 0 {
			break
		}
		edges = append(edges, walkEdge{w.node(walkKey{part, to.at}, from, uint8(bits.TrailingZeros64(uint64(by)))), by})
	}
	return edges
}

// symbolsOf returns the symbols that an instruction takes.
func (w *originWalk) symbolsOf(pc uint32) symbolSet {
	set, ok := w.takes[pc]
	if !ok {
		*w.steps -= 20
		for s := firstOf; s < symbols; s++ {
			if w.prog.Inst[pc].MatchRune(rune(originSymbols[s])) {
				set |= 1 << (s - firstOf)
			}
		}
		w.takes[pc] = set
	}
	return set
}

// closure returns where an instruction leads without a symbol, after one of a kind.
func (w *originWalk) closure(pc uint32, last symbolKind) []closurePart {
	key := closureKey{pc, last}
	parts, ok := w.closures[key]
	if !ok {
		clear(w.seen)
		parts = w.appendClosure(nil, closurePart{pc, wordSymbol | otherSymbol | noSymbol}, last)
		w.closures[key] = parts
	}
	return parts
}

func (w *originWalk) appendClosure(parts []closurePart, at closurePart, last symbolKind) []closurePart {
	if at.next == 0 || w.seen[at] {
		return parts
	}
	if *w.steps -= 2; *w.steps < 0 {
		return parts
	}
	w.seen[at] = true
	inst := &w.prog.Inst[at.pc]
	switch inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		parts = w.appendClosure(parts, closurePart{inst.Out, at.next}, last)
		return w.appendClosure(parts, closurePart{inst.Arg, at.next}, last)
	case syntax.InstCapture, syntax.InstNop:
		return w.appendClosure(parts, closurePart{inst.Out, at.next}, last)
	case syntax.InstEmptyWidth:
		return w.appendClosure(parts, closurePart{inst.Out, at.next & follows(syntax.EmptyOp(inst.Arg), last)}, last)
	case syntax.InstFail:
		return parts
	}
	return append(parts, at)
}

// follows returns what may come next where an empty match holds after a symbol of a kind. An origin is a single line.
func follows(empty syntax.EmptyOp, last symbolKind) symbolKind {
	next := wordSymbol | otherSymbol | noSymbol
	if empty&(syntax.EmptyBeginLine|syntax.EmptyBeginText) != 0 && last != noSymbol {
		return 0
	}
	if empty&(syntax.EmptyEndLine|syntax.EmptyEndText) != 0 {
		next = noSymbol
	}
	boundary := otherSymbol | noSymbol // what makes one
	if last != wordSymbol {
		boundary = wordSymbol
	}
	if empty&syntax.EmptyWordBoundary != 0 {
		next &= boundary
	}
	if empty&syntax.EmptyNoWordBoundary != 0 {
		next &^= boundary
	}
	return next
}

// text returns a shortest text that leads to a node.
func (w *originWalk) text(at int32) string {
	var text []byte
	for ; w.nodes[at].from >= 0; at = w.nodes[at].from {
		text = append(text, symbolAt(w.nodes[at].by))
	}
	slices.Reverse(text)
	return string(text)
}

// symbolAt returns the byte of a place in a symbolSet.
func symbolAt(i uint8) byte { return originSymbols[firstOf+int(i)] }

// HTTPOriginOf returns an origin of the scheme http that an expression accepts, one of InsecureOrigin or LoopbackOrigin;
// empty: there is none. It reports false where it would cost too much to tell.
func HTTPOriginOf(re *regexp.Regexp, kind int, steps *int) (accepted string, judged bool) {
	bracketed := false
	w, end := walkOrigins(re, httpOrigins(), steps, func(accepted int) bool {
		bracketed = bracketed || accepted == bracketedOrigin
		return accepted == kind
	})
	if w != nil && end < 0 && bracketed {
		w, end = walkOrigins(re, httpIPv6Origins(), steps, func(accepted int) bool { return accepted == kind })
	}
	switch {
	case w == nil:
		return "", false
	case end < 0:
		return "", true
	}
	if accepted = w.text(end); len(accepted) > origin.MaxLen {
		return "", true // it is a shortest one
	}
	return accepted, true
}
