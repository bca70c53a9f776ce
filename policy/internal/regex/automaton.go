package regex

// Tested by many_test.go.

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// An automaton finds the first of several expressions that matches the whole of an origin, in one walk over the origin:
// one look at a table for each byte, however many expressions there are. Package regexp tries them one after the other,
// and an alternation of them takes it longer still.
//
// It is made when the set is compiled, state by state (the subset construction), and given up where that takes too many
// steps. It knows no word boundaries; of other expressions it accepts exactly what they do, as long as the text is an
// origin: on one line, and made of the bytes that origins are made of.
type automaton struct {
	states []autoState // the first goes nowhere, the second is where it begins
	edges  []autoEdge  // of states with few of them
	rows   []uint32    // of the others: the next state for each symbol
}

type autoState struct {
	from, edges uint32 // what of edges, or of rows, is the state's; no edges: a row
	accepts     uint32 // the expression that matches what ends here, plus 1; 0: none
}

type autoEdge struct {
	symbol uint8
	to     uint32
}

// originSymbols are the bytes of well-formed origins, other than null. A symbol is the place in here.
const originSymbols = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/[]+"

const symbols = len(originSymbols)

// symbolOf is the symbol of a byte, plus 1; 0: no origin has the byte.
var symbolOf = func() (of [256]uint8) {
	for i := range symbols {
		of[originSymbols[i]] = uint8(i + 1)
	}
	return
}()

// find returns the index of the first expression that matches, or -1.
func (a *automaton) find(text string) int {
	at := uint32(1)
	for i := 0; i < len(text); i++ {
		symbol := symbolOf[text[i]]
		if symbol == 0 {
			return -1
		}
		if at = a.next(at, symbol-1); at == 0 {
			return -1
		}
	}
	return int(a.states[at].accepts) - 1
}

func (a *automaton) next(at uint32, symbol uint8) uint32 {
	s := &a.states[at]
	if s.edges == 0 {
		return a.rows[int(s.from)+int(symbol)]
	}
	for _, e := range a.edges[s.from : s.from+s.edges] {
		if e.symbol == symbol {
			return e.to
		}
	}
	return 0
}

// manyEdges is from how many edges on a state has a row.
const manyEdges = 8

// automatonMaker makes an automaton of a program whose captures say which expression has matched.
type automatonMaker struct {
	automaton
	prog  *syntax.Prog
	takes [][]uint8 // by instruction: which symbols it takes
	steps *int      // what is left

	known map[string]uint32 // states by their instructions
	sets  [][]uint32        // the instructions of states
	seen  []int             // by instruction: in which closure it was
	round int               // of closures
	set   []uint32          // the one at hand
	key   []byte
}

// newAutomaton makes the automaton of expressions that are one program. It takes from steps what it costs: about ten
// nanoseconds and at most four bytes each. It returns nil where they are used up.
func newAutomaton(prog *syntax.Prog, steps *int) *automaton {
	m := automatonMaker{
		prog: prog, steps: steps, takes: make([][]uint8, len(prog.Inst)),
		known: map[string]uint32{}, sets: make([][]uint32, 1), seen: make([]int, len(prog.Inst)),
	}
	if *steps -= 4 * len(prog.Inst); *steps < 0 {
		return nil
	}
	for i := range prog.Inst {
		inst := &prog.Inst[i]
		switch inst.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			for s := range symbols {
				if inst.MatchRune(rune(originSymbols[s])) {
					m.takes[i] = append(m.takes[i], uint8(s))
				}
			}
		}
	}
	m.states, m.rows = make([]autoState, 1), make([]uint32, symbols)
	m.begin()
	m.follow(uint32(prog.Start), syntax.EmptyBeginText|syntax.EmptyBeginLine)
	m.state()
	var targets [symbols][]uint32
	for at := 1; at < len(m.states); at++ {
		for i := range targets {
			targets[i] = targets[i][:0]
		}
		for _, pc := range m.sets[at] {
			for _, s := range m.takes[pc] {
				targets[s] = append(targets[s], m.prog.Inst[pc].Out)
			}
			*steps -= len(m.takes[pc])
		}
		m.sets[at] = nil
		m.edgesTo(at, &targets)
		if *steps < 0 {
			return nil
		}
	}
	m.edges, m.rows, m.states = slices.Clip(m.edges), slices.Clip(m.rows), slices.Clip(m.states)
	a := m.automaton
	return &a
}

// edgesTo gives a state its edges, to where the instructions for each symbol lead.
func (m *automatonMaker) edgesTo(at int, targets *[symbols][]uint32) {
	var next [symbols]uint32
	edges, last := 0, -1
	for s := range symbols {
		switch {
		case len(targets[s]) == 0:
			continue
		case last >= 0 && slices.Equal(targets[s], targets[last]): // as within a class of characters
			next[s] = next[last]
		default:
			m.begin()
			for _, pc := range targets[s] {
				m.follow(pc, 0)
			}
			next[s] = m.state()
		}
		last = s
		if next[s] != 0 {
			edges++
		}
	}
	state := &m.states[at]
	switch {
	case edges == 0:
		return // the row of the first state, which goes nowhere
	case edges >= manyEdges:
		state.from = uint32(len(m.rows))
		m.rows = append(m.rows, next[:]...)
		*m.steps -= symbols
		return
	}
	state.from, state.edges = uint32(len(m.edges)), uint32(edges)
	for s, to := range next {
		if to != 0 {
			m.edges = append(m.edges, autoEdge{uint8(s), to})
		}
	}
}

// begin begins a set of instructions.
func (m *automatonMaker) begin() {
	m.round++
	m.set = m.set[:0]
}

// follow adds the instructions to which one leads without a symbol, where such empty matches hold as are given. It keeps
// what takes a symbol, what waits for the end of the text, and the ends of expressions.
func (m *automatonMaker) follow(pc uint32, holds syntax.EmptyOp) {
	if m.seen[pc] == m.round {
		return
	}
	m.seen[pc] = m.round
	*m.steps--
	switch inst := &m.prog.Inst[pc]; inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		m.follow(inst.Out, holds)
		m.follow(inst.Arg, holds)
	case syntax.InstNop:
		m.follow(inst.Out, holds)
	case syntax.InstEmptyWidth:
		if missing := syntax.EmptyOp(inst.Arg) &^ holds; missing == 0 {
			m.follow(inst.Out, holds)
		} else if missing&^(syntax.EmptyEndText|syntax.EmptyEndLine) == 0 {
			m.set = append(m.set, pc)
		}
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL, syntax.InstCapture:
		m.set = append(m.set, pc)
	}
}

// state returns the state of the set at hand, a new one if it is new; 0: the set is empty.
func (m *automatonMaker) state() uint32 {
	if len(m.set) == 0 {
		return 0
	}
	slices.Sort(m.set)
	m.key = m.key[:0]
	for _, pc := range m.set {
		m.key = binary.LittleEndian.AppendUint32(m.key, pc)
	}
	*m.steps -= len(m.set)
	if at, ok := m.known[string(m.key)]; ok {
		return at
	}
	at := uint32(len(m.states))
	m.known[string(m.key)] = at
	set := slices.Clone(m.set)
	m.sets = append(m.sets, set)
	m.states = append(m.states, autoState{accepts: m.accepts(set)})
	return at
}

// accepts returns the first expression, plus 1, that has matched if the text ends now.
func (m *automatonMaker) accepts(set []uint32) (first uint32) {
	m.begin()
	for _, pc := range set {
		m.follow(pc, syntax.EmptyEndText|syntax.EmptyEndLine)
	}
	for _, pc := range m.set {
		if inst := &m.prog.Inst[pc]; inst.Op == syntax.InstCapture {
			if i := inst.Arg / 2; first == 0 || i < first {
				first = i
			}
		}
	}
	return first
}
