package lint

// Tested by lint_test.go and policy/testdata/lints.yaml.

import (
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
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
func (l *Linter) lintSetReferences(list *patterns) {
	for i := len(list.sets) - 1; i >= 0; i-- {
		set := &list.sets[i]
		if set.covered {
			continue
		}
		var first finding.Location
		var words string
		for p := range set.Patterns() {
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
			l.covered(list.At.Index(set.Element), "@"+set.Name, first, words)
		}
	}
}

// coveringEntry returns what in a list covers an entry of an origin set that the list refers to, other than that set.
func (l *Linter) coveringEntry(list *patterns, of *setReference, p *origin.Pattern) (by finding.Location, words string, ok bool) {
	if l.setLooks++; l.setLooks > maxSetLooks {
		return finding.Location{}, "", false
	}
	if list.Compiled != nil {
		// What is said to be covered itself does not count.
		if by := compiled.Rule(list.Compiled.CoveringPattern(p, func(r uint64) bool { return list.entry(compiled.Rule(r)).covered })); by != 0 {
			return list.At.Index(by.Element()), list.textAt(by), true
		}
	}
	for i := range list.sets[:min(len(list.sets), maxSetsLookedAt)] {
		set := &list.sets[i]
		if set.OriginSet == of.OriginSet || set.covered {
			continue
		}
		if by := compiled.Rule(set.CoveringPattern(p, nil)); by != 0 {
			return list.At.Index(set.Element), "@" + set.Name, true
		}
	}
	return finding.Location{}, "", false
}

// lintRegexCover finds expressions that stand twice or beside "*", and exact origins that an expression accepts.
func (l *Linter) lintRegexCover(p *policy) {
	if len(p.Message.GetAllowOriginRegexes()) == 0 {
		return
	}
	at := p.At.Field("allow_origin_regexes")
	first := map[string]int{}
	star := compiled.Rule(0)
	if p.allow.Compiled != nil {
		star = compiled.Rule(p.allow.Compiled.Any)
	}
	for i, text := range p.Message.GetAllowOriginRegexes() {
		switch earlier, again := first[text]; {
		case again:
			l.covered(at.Index(i), text, at.Index(earlier), text)
			continue
		case star != 0:
			l.covered(at.Index(i), text, p.allow.At.Index(star.Element()), "*")
		}
		first[text] = i
	}
	if star != 0 || len(p.Compiled.Regexes) != len(p.Message.GetAllowOriginRegexes()) {
		return // that says all, or there is an error about one of them
	}
	for i, text := range p.Message.GetAllowOriginRegexes() {
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
			if p.Compiled.Regexes[i].MatchString(own.Origin.Text) {
				own.covered = true
				l.covered(p.allow.At.Index(own.Index), own.Origin.Text, at.Index(i), text)
			}
		}
	}
}

// coveringElement returns the rule of a list that covers an element of it: matches, that is, every origin that the
// element matches. Of two that say the same the second is covered by the first. Its time grows with the labels of a host,
// not with the list.
func coveringElement(s *match.Origins, p *entry) (by compiled.Rule) {
	switch {
	case p.same != 0:
		return p.same
	case p.Kind != origin.PatternOrigin:
		return 0 // whether "*" covers null depends on the policy
	}
	return compiled.Rule(s.CoveringWider(&p.Pattern, nil))
}
