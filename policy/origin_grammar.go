package policy

import (
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
)

// The grammar of http(s) origins as expressions: what parseOrigin accepts of these schemes, but for the bound on its
// length. Expressions can be held against each other (originWalk), functions cannot. TestOriginGrammar keeps both alike.
const (
	grammarLabel = `[a-z0-9_-]`
	// A last label that is no number, which would make the host an IPv4 address (readHost, isNumber).
	grammarLastLabel = `(?:[a-z_-]` + grammarLabel + `*|[1-9][0-9]*[a-z_-]` + grammarLabel + `*|0[0-9]+[a-z_-]` + grammarLabel + `*|` +
		`0[a-wyz_-]` + grammarLabel + `*|0x[0-9a-f]*[g-z_-]` + grammarLabel + `*)`
	grammarDomain = `(?:` + grammarLabel + `+\.)*` + grammarLastLabel + `\.?`
	grammarOctet  = `(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	grammarIPv4   = `(?:` + grammarOctet + `\.){3}` + grammarOctet
	grammarGroup  = `[1-9a-f][0-9a-f]{0,3}` // of an IPv6 address, other than 0

	grammarLongPort = `[1-9][0-9]{3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]`
	grammarNot80    = `(?::(?:[1-9]|[1-79][0-9]|8[1-9]|[1-9][0-9]{2}|` + grammarLongPort + `))?`
	grammarNot443   = `(?::(?:[1-9]|[1-9][0-9]|[1-35-9][0-9]{2}|4[0-35-9][0-9]|44[0-24-9]|` + grammarLongPort + `))?`

	// Hosts that are this machine (W3C Secure Contexts, section 3.1, for the addresses, also where IPv6 maps them, and
	// RFC 6761, section 6.3, for localhost and its subdomains).
	grammarLoopback = `(?:(?:` + grammarLabel + `+\.)*localhost\.?|127(?:\.` + grammarOctet + `){3}|\[::1\]|\[::ffff:7f[0-9a-f]{2}:(?:0|` + grammarGroup + `)\])`
)

// What the automata of http origins tell apart.
const (
	loopbackOrigin  = iota // on this machine
	insecureOrigin         // any other one
	bracketedOrigin        // something in brackets that may be an IPv6 address
)

// httpOrigins returns an automaton of the origins of the scheme http. Of IPv6 addresses, whose grammar is by far the
// largest, it knows the brackets.
var httpOrigins = sync.OnceValue(func() *originGrammar {
	return newOriginGrammar(
		`http://`+grammarLoopback+grammarNot80,
		`http://(?:`+grammarDomain+`|`+grammarIPv4+`)`+grammarNot80,
		`http://\[[0-9a-f:]+\]`+grammarNot80,
	)
})

// httpIPv6Origins returns an automaton of those whose host is an IPv6 address.
var httpIPv6Origins = sync.OnceValue(func() *originGrammar {
	return newOriginGrammar(`http://`+grammarLoopback+grammarNot80, `http://`+grammarIPv6()+grammarNot80)
})

// domainOrigins returns an automaton of the http(s) origins whose host is a domain.
var domainOrigins = sync.OnceValue(func() *originGrammar {
	return newOriginGrammar(`http://`+grammarDomain+grammarNot80, `https://`+grammarDomain+grammarNot443)
})

// isLoopback reports whether a host of an origin is this machine.
func isLoopback(host string) bool {
	return httpOrigins().find("http://"+host) == loopbackOrigin
}

// grammarIPv6 returns an expression for the bracketed IPv6 addresses as they are serialised (URL standard, "IPv6
// serializer"): the first of the longest runs of two or more groups that are 0 is written "::".
func grammarIPv6() string {
	var all [][]string
	for zeros := range 1 << 8 { // which of the eight groups are 0
		isZero := func(group int) bool { return group < 8 && zeros>>group&1 == 1 }
		from, length := 0, 1 // of the longest run
		for i := 0; i < 8; i++ {
			end := i
			for isZero(end) {
				end++
			}
			if end-i > length {
				from, length = i, end-i
			}
			i = end
		}
		var parts []string
		for i := 0; i < 8; i++ {
			switch {
			case length > 1 && i == from:
				parts = append(parts, "::")
				i += length - 1
				continue
			case i > 0 && parts[len(parts)-1] != "::":
				parts = append(parts, ":")
			}
			if isZero(i) {
				parts = append(parts, "0")
			} else {
				parts = append(parts, grammarGroup)
			}
		}
		all = append(all, parts)
	}
	return `\[` + oneOf(all) + `\]`
}

// oneOf returns an expression for some sequences of parts. What several begin with is there once.
func oneOf(all [][]string) string {
	var order, texts []string
	rests := map[string][][]string{} // by the first part
	for _, parts := range all {
		if len(parts) == 0 {
			texts = append(texts, "")
			continue
		}
		if rests[parts[0]] == nil {
			order = append(order, parts[0])
		}
		rests[parts[0]] = append(rests[parts[0]], parts[1:])
	}
	for _, first := range order {
		texts = append(texts, first+oneOf(rests[first]))
	}
	return "(?:" + strings.Join(texts, "|") + ")"
}

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
