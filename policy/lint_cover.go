package policy

import "math"

// Limits of the questions what covers a whole origin set, and which origins an expression covers: how many entries are
// looked at for all policies together. Beyond them nothing is said.
const (
	maxSetLooks   = 5_000_000
	maxRegexTries = 500_000
)

// lintSetReferences finds references to origin sets of which the rest of the list covers every entry. The last one goes
// first: of two sets that say the same the first is kept.
func (l *linter) lintSetReferences(list *patternList) {
	var left []pattern // what is not said to be covered itself
	for _, p := range list.own {
		if !list.covered[p.index] {
			left = append(left, p)
		}
	}
	own := newCoverage(left)
	for i := len(list.sets) - 1; i >= 0; i-- {
		set := list.sets[i]
		if list.covered[set.index] || len(set.patterns) == 0 {
			continue
		}
		var first Place
		var words string
		for j := range set.patterns {
			by, text, ok := l.coveringEntry(list, own, &set, &set.patterns[j])
			if !ok {
				words = ""
				break
			}
			switch {
			case j == 0:
				first, words = by, text
			case words != text:
				words = "what stands beside it"
			}
		}
		if words != "" {
			list.covered[set.index] = true
			l.covered(list.at.element(set.index), "@"+set.name, first, words)
		}
	}
}

// coveringEntry returns what in a list covers an entry of an origin set that the list refers to, other than that set.
func (l *linter) coveringEntry(list *patternList, own *coverage, of *setReference, p *pattern) (by Place, words string, ok bool) {
	if l.setLooks++; l.setLooks > maxSetLooks {
		return Place{}, "", false
	}
	if i, ok := own.covering(p, math.MaxInt); ok {
		return list.at.element(i), textAt(list.own, i), true
	}
	for _, set := range list.sets[:min(len(list.sets), maxSetsLookedAt)] {
		if set.index == of.index || set.originSet == of.originSet || list.covered[set.index] {
			continue
		}
		if _, ok := l.coverage(set.originSet).covering(p, math.MaxInt); ok {
			return list.at.element(set.index), "@" + set.name, true
		}
	}
	return Place{}, "", false
}

// lintRegexCover finds expressions that stand twice or beside "*", and exact origins that an expression accepts.
func (l *linter) lintRegexCover(p *lintedPolicy) {
	at := p.at.child("allow_origin_regexes")
	first := map[string]int{}
	star := newCoverage(p.allow.own).any
	for i, text := range p.message.GetAllowOriginRegexes() {
		switch earlier, again := first[text]; {
		case again:
			l.covered(at.element(i), text, at.element(earlier), text)
			continue
		case star >= 0:
			l.covered(at.element(i), text, p.allow.at.element(star), "*")
		}
		first[text] = i
	}
	if star >= 0 || len(p.regexes) != len(p.message.GetAllowOriginRegexes()) {
		return // that says all, or there is an error about one of them
	}
	for i, text := range p.message.GetAllowOriginRegexes() {
		if first[text] != i {
			continue
		}
		for j := range p.allow.own {
			own := &p.allow.own[j]
			if !own.isExact() || p.allow.covered[own.index] {
				continue
			}
			if l.regexTries++; l.regexTries > maxRegexTries {
				return
			}
			if p.regexes[i].MatchString(own.origin.text) {
				p.allow.covered[own.index] = true
				l.covered(p.allow.at.element(own.index), own.origin.text, at.element(i), text)
			}
		}
	}
}
