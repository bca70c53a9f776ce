package policy

import (
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// Limits of the questions what covers a whole origin set, and which origins an expression covers: how many entries are
// looked at for all policies together. Beyond them nothing is said.
const (
	maxSetLooks   = 5_000_000
	maxRegexTries = 500_000
)

// lintSetReferences finds references to origin sets of which the rest of the list covers every entry. The last one goes
// first: of two sets that say the same the first is kept.
func (l *linter) lintSetReferences(list *patternList) {
	for i := len(list.sets) - 1; i >= 0; i-- {
		set := &list.sets[i]
		if set.covered {
			continue
		}
		var first finding.Location
		var words string
		for p := range set.written() {
			by, text, ok := l.coveringEntry(list, set, p)
			if !ok {
				words = ""
				break
			}
			switch words {
			case "":
				first, words = by, text
			case text:
			default:
				words = "what stands beside it"
			}
		}
		if words != "" {
			set.covered = true
			l.covered(list.at.Index(set.index), "@"+set.name, first, words)
		}
	}
}

// coveringEntry returns what in a list covers an entry of an origin set that the list refers to, other than that set.
func (l *linter) coveringEntry(list *patternList, of *setReference, p *origin.Pattern) (by finding.Location, words string, ok bool) {
	if l.setLooks++; l.setLooks > maxSetLooks {
		return finding.Location{}, "", false
	}
	if list.compiled != nil {
		// What is said to be covered itself does not count.
		if by := Rule(list.compiled.CoveringPattern(p, func(r uint64) bool { return list.entry(Rule(r)).covered })); by != 0 {
			return list.at.Index(by.element()), list.textAt(by), true
		}
	}
	for i := range list.sets[:min(len(list.sets), maxSetsLookedAt)] {
		set := &list.sets[i]
		if set.originSet == of.originSet || set.covered {
			continue
		}
		if by := Rule(set.CoveringPattern(p, nil)); by != 0 {
			return list.at.Index(set.index), "@" + set.name, true
		}
	}
	return finding.Location{}, "", false
}

// lintRegexCover finds expressions that stand twice or beside "*", and exact origins that an expression accepts.
func (l *linter) lintRegexCover(p *lintedPolicy) {
	if len(p.message.GetAllowOriginRegexes()) == 0 {
		return
	}
	at := p.at.Field("allow_origin_regexes")
	first := map[string]int{}
	star := Rule(0)
	if p.allow.compiled != nil {
		star = Rule(p.allow.compiled.Any)
	}
	for i, text := range p.message.GetAllowOriginRegexes() {
		switch earlier, again := first[text]; {
		case again:
			l.covered(at.Index(i), text, at.Index(earlier), text)
			continue
		case star != 0:
			l.covered(at.Index(i), text, p.allow.at.Index(star.element()), "*")
		}
		first[text] = i
	}
	if star != 0 || len(p.regexes) != len(p.message.GetAllowOriginRegexes()) {
		return // that says all, or there is an error about one of them
	}
	for i, text := range p.message.GetAllowOriginRegexes() {
		if first[text] != i {
			continue
		}
		entries := p.allow.parse()
		for j := range entries {
			own := &entries[j]
			if !own.IsExact() || own.covered {
				continue
			}
			if l.regexTries++; l.regexTries > maxRegexTries {
				return
			}
			if p.regexes[i].MatchString(own.Origin.Text) {
				own.covered = true
				l.covered(p.allow.at.Index(own.Index), own.Origin.Text, at.Index(i), text)
			}
		}
	}
}
