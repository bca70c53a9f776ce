package regex

// Tested by policy/internal/lint/lint_test.go.

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode"
)

// Limits of the questions whether some routes take every path that another one could, and whether an expression accepts
// any origin: how much work all of a set may
// cost, in steps of some nanoseconds, how many routes are looked at together, and how many kinds of characters are told
// apart. Beyond them nothing is said.
const (
	MaxInclusionSteps = 5_000_000
	MaxIncluding      = 64
	maxCharacterKinds = 300
)

// Inclusion compares what routes take, and what expressions accept, as the regular languages that they are, by walking
// through their automata at the same time.
type Inclusion struct{ Steps int } // what is left of MaxInclusionSteps

// Extent is how much of what an expression for paths takes others take.
type Extent uint8

const (
	ExtentUnknown Extent = iota // it would cost too much to tell
	ExtentNothing               // it takes no path at all
	ExtentCovered               // the others take every path that it takes
	extentOpen                  // they do not
)

// Compare looks at whether others take every path that an expression takes. No expression, for one that cannot be parsed,
// cannot be compared.
func (x *Inclusion) Compare(tree, others *syntax.Regexp) Extent {
	a, b := x.machine(tree, true), x.machine(others, false)
	if a == nil || b == nil {
		return ExtentUnknown
	}
	// Every path begins with a slash.
	accepted, escaped := false, false
	complete := x.explore(a, b, states{a.step(a.start(), '/'), b.step(b.start(), '/')}, false, func(at states) (stop bool) {
		if a.accepts(at.a) {
			accepted, escaped = true, !b.accepts(at.b)
		}
		return escaped
	})
	switch {
	case !complete:
		return ExtentUnknown
	case escaped:
		return extentOpen
	case !accepted:
		return ExtentNothing
	}
	return ExtentCovered
}

// states are the instructions that two machines are at after the same text.
type states struct{ a, b []uint32 }

// explore visits all states that two machines can get to while a can go on, or both can, until a visit says stop. It
// reports false if that would cost too much.
func (x *Inclusion) explore(a, b *machine, from states, both bool, visit func(states) (stop bool)) (complete bool) {
	kinds := characterKinds(a.prog, b.prog)
	if len(kinds) > maxCharacterKinds {
		return false
	}
	seen := map[string]bool{}
	for queue := []states{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if len(at.a) == 0 || both && len(at.b) == 0 {
			continue
		}
		key := stateKey(at.a, at.b)
		if seen[key] {
			continue
		}
		seen[key] = true
		if visit(at) {
			return true
		}
		for _, c := range kinds {
			if x.Steps -= 10; x.Steps < 0 {
				return false
			}
			queue = append(queue, states{a.step(at.a, c), b.step(at.b, c)})
		}
	}
	return true
}

func stateKey(a, b []uint32) string {
	var key []byte
	for _, pc := range a {
		key = binary.AppendUvarint(key, uint64(pc)+1)
	}
	key = append(key, 0)
	for _, pc := range b {
		key = binary.AppendUvarint(key, uint64(pc)+1)
	}
	return string(key)
}

// characterKinds returns one character of paths and origins for each kind that the instructions of two programs tell apart.
func characterKinds(programs ...*syntax.Prog) []rune {
	from := map[rune]bool{'!': true, '"' + 1: true} // where a kind begins
	for _, c := range "#/?\x7f" {
		from[c], from[c+1] = true, true
	}
	for _, prog := range programs {
		for i := range prog.Inst {
			inst := &prog.Inst[i]
			if inst.Op != syntax.InstRune && inst.Op != syntax.InstRune1 {
				continue
			}
			runes := inst.Rune
			if len(runes) == 1 {
				c := runes[0]
				from[c], from[c+1] = true, true
				if syntax.Flags(inst.Arg)&syntax.FoldCase != 0 {
					for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
						from[f], from[f+1] = true, true
					}
				}
				continue
			}
			for j := 0; j+1 < len(runes); j += 2 {
				from[runes[j]], from[runes[j+1]+1] = true, true
			}
		}
	}
	var kinds []rune
	for c := range from {
		if c > ' ' && c != '#' && c != '?' && c != 0x7f && c <= unicode.MaxRune {
			kinds = append(kinds, c)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// machine is the automaton of an expression. Word boundaries are not looked at: lenient says that they always hold,
// otherwise they never do.
type machine struct {
	*Inclusion
	prog    *syntax.Prog
	lenient bool
}

// machine compiles an expression; nil: that would cost too much.
func (x *Inclusion) machine(tree *syntax.Regexp, lenient bool) *machine {
	if tree == nil || x.Steps < 0 {
		return nil
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil
	}
	if x.Steps -= 50 * len(prog.Inst); x.Steps < 0 {
		return nil
	}
	return &machine{x, prog, lenient}
}

// Where in a text a machine is.
type textPosition uint8

const (
	within textPosition = iota
	atBegin
	atEnd
)

// reach adds the instructions that pc leads to without a character.
func (m *machine) reach(set []uint32, pc uint32, at textPosition) []uint32 {
	if m.Steps -= 1 + len(set)/8; m.Steps < 0 || slices.Contains(set, pc) {
		return set
	}
	set = append(set, pc)
	switch inst := &m.prog.Inst[pc]; inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		return m.reach(m.reach(set, inst.Out, at), inst.Arg, at)
	case syntax.InstCapture, syntax.InstNop:
		return m.reach(set, inst.Out, at)
	case syntax.InstEmptyWidth:
		holds := syntax.EmptyOp(0)
		switch at {
		case atBegin:
			holds = syntax.EmptyBeginLine | syntax.EmptyBeginText
		case atEnd:
			holds = syntax.EmptyEndLine | syntax.EmptyEndText
		}
		if m.lenient {
			holds |= syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary
		}
		if syntax.EmptyOp(inst.Arg)&^holds == 0 {
			return m.reach(set, inst.Out, at)
		}
	}
	return set
}

func (m *machine) start() []uint32 { return m.reach(nil, uint32(m.prog.Start), atBegin) }

// step returns where a character leads to from some instructions, in order.
func (m *machine) step(set []uint32, c rune) (next []uint32) {
	for _, pc := range set {
		if inst := &m.prog.Inst[pc]; isRune(inst.Op) && inst.MatchRune(c) {
			next = m.reach(next, inst.Out, within)
		}
	}
	slices.Sort(next)
	return next
}

func isRune(op syntax.InstOp) bool {
	return op == syntax.InstRune || op == syntax.InstRune1 || op == syntax.InstRuneAny || op == syntax.InstRuneAnyNotNL
}

// accepts reports whether a text may end at some instructions.
func (m *machine) accepts(set []uint32) bool {
	var end []uint32
	for _, pc := range set {
		end = m.reach(end, pc, atEnd)
	}
	return slices.ContainsFunc(end, func(pc uint32) bool { return m.prog.Inst[pc].Op == syntax.InstMatch })
}
