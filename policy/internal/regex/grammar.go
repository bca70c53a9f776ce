package regex

import (
	"regexp/syntax"
	"slices"
	"sync"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// What the automata of http origins tell apart.
const (
	LoopbackOrigin  = iota // on this machine
	InsecureOrigin         // any other one
	bracketedOrigin        // something in brackets that may be an IPv6 address
)

// httpOrigins returns an automaton of the origins of the scheme http. Of IPv6 addresses, whose grammar is by far the
// largest, it knows the brackets.
var httpOrigins = sync.OnceValue(func() *originGrammar {
	return newOriginGrammar(origin.GrammarLoopback, origin.GrammarHTTP, origin.GrammarBracketed)
})

// httpIPv6Origins returns an automaton of those whose host is an IPv6 address.
var httpIPv6Origins = sync.OnceValue(func() *originGrammar {
	return newOriginGrammar(origin.GrammarLoopback, origin.GrammarHTTPIPv6())
})

// domainOrigins returns an automaton of the http(s) origins whose host is a domain.
var domainOrigins = sync.OnceValue(func() *originGrammar {
	return newOriginGrammar(origin.GrammarHTTPDomain, origin.GrammarHTTPSDomain)
})

// originGrammar is the automaton of a grammar, with what leads from each of its states.
type originGrammar struct {
	*automaton
	steps [][]grammarStep // by state
}

// grammarStep is where some symbols lead.
type grammarStep struct {
	by symbolSet
	to uint32
}

// symbolSet is a set of the bytes that http(s) origins are made of: bit i is originSymbols[firstOf+i]. Upper case is not
// in it.
type symbolSet uint64

const firstOf = len("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

// setOf returns the set of some bytes.
func setOf(text string) (set symbolSet) {
	for i := range len(text) {
		set |= 1 << (int(symbolOf[text[i]]) - 1 - firstOf)
	}
	return set
}

// newOriginGrammar makes the automaton of expressions, the first of which counts where several match.
func newOriginGrammar(texts ...string) *originGrammar {
	alternatives := make([]*syntax.Regexp, len(texts))
	for i, text := range texts {
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			panic(err)
		}
		alternatives[i] = tree
	}
	steps := 100_000_000 // the expressions are ours, and small
	g := &originGrammar{automaton: automatonOf(alternatives, &steps)}
	g.steps = make([][]grammarStep, len(g.states))
	for at := range g.states {
		for s := firstOf; s < symbols; s++ {
			to := g.next(uint32(at), uint8(s))
			if to == 0 {
				continue
			}
			i := slices.IndexFunc(g.steps[at], func(step grammarStep) bool { return step.to == to })
			if i < 0 {
				i, g.steps[at] = len(g.steps[at]), append(g.steps[at], grammarStep{to: to})
			}
			g.steps[at][i].by |= 1 << (s - firstOf)
		}
	}
	return g
}
