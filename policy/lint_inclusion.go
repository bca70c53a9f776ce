package policy

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// Limits of the questions whether some routes take every path that another one could, and whether an expression accepts
// any origin: how much work all of a set may
// cost, in steps of some nanoseconds, how many routes are looked at together, and how many kinds of characters are told
// apart. Beyond them nothing is said.
const (
	maxInclusionSteps = 5_000_000
	maxIncluding      = 64
	maxCharacterKinds = 300
)

// inclusion compares what routes take, and what expressions accept, as the regular languages that they are, by walking
// through their automata at the same time.
type inclusion struct{ steps int } // what is left of maxInclusionSteps

// language returns what a route takes as an expression for whole paths; nil for an expression that cannot be parsed.
func language(t *route) *syntax.Regexp {
	literal := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune(t.text)}
	rest := &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{{Op: syntax.OpAnyChar}}}
	switch t.kind {
	case routePath:
		return literal
	case routePrefix:
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{literal, rest}}
	case routeSegments:
		slash := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune("/")}
		below := &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{slash, rest}}
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{literal, {Op: syntax.OpQuest, Sub: []*syntax.Regexp{below}}}}
	}
	tree, err := syntax.Parse(t.text, syntax.Perl)
	if err != nil {
		return nil
	}
	return tree
}

// union returns an expression for what any of some routes takes.
func union(routes []*route) *syntax.Regexp {
	if len(routes) == 0 {
		return &syntax.Regexp{Op: syntax.OpNoMatch}
	}
	all := &syntax.Regexp{Op: syntax.OpAlternate}
	for _, t := range routes {
		tree := language(t)
		if tree == nil {
			return nil
		}
		all.Sub = append(all.Sub, tree)
	}
	if len(all.Sub) == 1 {
		return all.Sub[0]
	}
	return all
}

// extent is how much of what a route takes others take before.
type extent uint8

const (
	extentUnknown extent = iota // it would cost too much to tell
	extentNothing               // the route takes no path at all
	extentCovered               // the others take every path that the route takes
	extentOpen                  // they do not
)

// ask looks at whether others take every path that t takes.
func (x *inclusion) ask(t *route, others []*route) extent {
	a, b := x.machine(language(t), true), x.machine(union(others), false)
	if a == nil || b == nil {
		return extentUnknown
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
		return extentUnknown
	case escaped:
		return extentOpen
	case !accepted:
		return extentNothing
	}
	return extentCovered
}

// states are the instructions that two machines are at after the same text.
type states struct{ a, b []uint32 }

// explore visits all states that two machines can get to while a can go on, or both can, until a visit says stop. It
// reports false if that would cost too much.
func (x *inclusion) explore(a, b *machine, from states, both bool, visit func(states) (stop bool)) (complete bool) {
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
			if x.steps -= 10; x.steps < 0 {
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
	*inclusion
	prog    *syntax.Prog
	lenient bool
}

// machine compiles an expression; nil: that would cost too much.
func (x *inclusion) machine(tree *syntax.Regexp, lenient bool) *machine {
	if tree == nil || x.steps < 0 {
		return nil
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil
	}
	if x.steps -= 50 * len(prog.Inst); x.steps < 0 {
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
	if m.steps -= 1 + len(set)/8; m.steps < 0 || slices.Contains(set, pc) {
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

// behind looks at whether routes of a virtual host that come before t take every path that t could. Where they do it
// returns one that does so alone, or the first of those that do so together.
func (x *inclusion) behind(h *virtualHost, before []reached, t *route, r pathReach) (how extent, first int, alone bool) {
	if t.kind != routeRegex && t.kind != routePrefix && t.kind != routeSegments {
		return extentUnknown, 0, false // a single path was tried already
	}
	var indexes []int
	var routes []*route
	worthwhile := t.kind != routePrefix // many paths do not make a prefix
	for _, b := range before {
		if x.steps--; x.steps < 0 {
			return extentUnknown, 0, false
		}
		if e := &h.routes[b.route]; strings.HasPrefix(b.prefix, r.prefix) || strings.HasPrefix(r.prefix, b.prefix) {
			indexes, routes = append(indexes, b.route), append(routes, e)
			worthwhile = worthwhile || e.kind == routeRegex
		}
	}
	if !worthwhile || len(routes) > maxIncluding || t.kind != routeRegex && len(routes) == 0 {
		return extentUnknown, 0, false
	}
	how = x.ask(t, routes)
	if how != extentCovered {
		return how, 0, false
	}
	for i := range routes {
		if x.ask(t, routes[i:i+1]) == extentCovered {
			return how, indexes[i], true
		}
	}
	return how, indexes[0], len(routes) == 1
}
