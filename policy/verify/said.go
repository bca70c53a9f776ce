package verify

// Tested by questions_test.go and growth_test.go.

import (
	"fmt"
	"slices"

	"github.com/corsproc/corsproc/policy"
)

// said is what a policy says, as far as it is asked about.
type said struct {
	name        string
	kinds       []string // of the patterns of each kind that it allows, the first
	more        []string // further patterns, the first of them
	denied      []string
	expressions []expression
	methods     []string
	headers     []string
	private     bool

	leftOut []string // what is too much to be asked about
}

// An expression has samples of the origins that it accepts.
type expression struct {
	text    string
	samples []string
}

// Of a policy with very many origins only so many are asked about: each kind is, and the rest is more of the same.
const (
	maxPatterns = 100 // beside the first of each kind
	maxKinds    = 40  // there are some thirty
	maxNames    = 1000
	maxPerRegex = 4
)

// said returns what a policy says.
func (b *planner) said(name string) *said {
	if p := b.known[name]; p != nil {
		return p
	}
	p := &said{name: name}
	b.known[name] = p
	s, ok := b.set.PolicyTerms(name, maxNames)
	if !ok {
		return p
	}
	p.methods, p.headers, p.private = s.AllowMethods.First, s.AllowHeaders.First, s.AllowPrivateNetwork
	p.addPatterns(b.set)
	more := 0
	for pattern := range take(b.set.DeniedPatterns(name), b.options.Most, maxCounted, &more) {
		p.denied = append(p.denied, pattern)
	}
	p.leaveOut(more, "denied origins")
	for _, text := range s.AllowOriginRegexes.First {
		x := expression{text: text}
		for _, sample := range samples(text) {
			if _, _, ok := policy.CheckOrigin(sample); ok && len(x.samples) < maxPerRegex {
				x.samples = append(x.samples, sample)
			}
		}
		if len(x.samples) == 0 {
			p.leftOut = append(p.leftOut, fmt.Sprintf("no origin was found that the expression %s of the policy %s accepts", text, name))
		}
		p.expressions = append(p.expressions, x)
	}
	p.leaveOut(s.AllowOriginRegexes.Total-len(p.expressions), "expressions")
	p.leaveOut(s.AllowMethods.Total-len(p.methods), "methods")
	p.leaveOut(s.AllowHeaders.Total-len(p.headers), "headers")
	return p
}

// addPatterns takes in the patterns that the policy allows.
func (p *said) addPatterns(set *policy.Set) {
	seen := map[string]bool{}
	n, left := 0, 0
	for pattern := range set.AllowedPatterns(p.name) {
		if n++; n > maxCounted {
			break
		}
		kind := kindOf(pattern)
		switch {
		case !seen[kind] && len(p.kinds) < maxKinds:
			seen[kind] = true
			p.kinds = append(p.kinds, pattern)
		case len(p.more) < maxPatterns:
			p.more = append(p.more, pattern)
		default:
			left++
		}
	}
	p.leaveOut(left, "further origin patterns")
	slices.SortStableFunc(p.kinds, func(a, b string) int { return rank(a) - rank(b) })
}

// rank puts the patterns that say most about a policy first.
func rank(pattern string) int {
	switch pattern {
	case "null":
		return 2
	case "*":
		return 1
	}
	return 0
}

func (p *said) leaveOut(n int, what string) {
	if n > 0 {
		p.leftOut = append(p.leftOut, fmt.Sprintf("%d %s of the policy %s are too many to be asked about", n, what, p.name))
	}
}
