package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// maxSetsLookedAt is how many of the origin sets that a list refers to are looked at for what covers its own patterns.
const maxSetsLookedAt = 64

func (l *Linter) lintOrigins(p *policy) {
	if p.allow.Compiled != nil && p.allow.Compiled.Null != 0 {
		for i, text := range p.allow.Texts {
			if text == "null" {
				l.warnNull(p.allow.At.Index(i))
			}
		}
	}
	if !slices.Contains(p.Message.GetDangerouslyAllow(), corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_PUBLIC_SUFFIX_WILDCARDS) {
		l.lintNeighbours(p.allow)
	}
	// A literal "*" allows null, an echoed one never does.
	l.lintList(p.allow, !p.Compiled.Credentials)
	l.lintList(p.deny, true)
	l.hintWildcard(p.allow)
}

func (l *Linter) warnNull(at finding.Location) {
	l.found.Warn(finding.Finding{Code: finding.CodeNullOrigin, Location: at, Value: "null",
		Message: "any page can have the origin null, in a sandboxed frame, so this allows every site that tries"})
}

// lintNeighbours finds patterns whose star stands for a part of a name that anybody can register. With credentials that is an
// error, which drops the warning.
func (l *Linter) lintNeighbours(list *patterns) {
	if list.Compiled == nil || !list.Compiled.HasLabels() {
		return
	}
	for i := range list.parse() {
		l.warnNeighbour(list.At, &list.entries[i].Pattern)
	}
}

func (l *Linter) warnNeighbour(list finding.Location, p *origin.Pattern) {
	if message := p.Neighbour(); message != "" {
		l.found.Warn(finding.Finding{Code: finding.CodePatternNeighbour, Location: list.Index(p.Index), Value: text(p), Message: message})
	}
}

// lintList finds the entries of a list that another one covers. starCoversNull says what "*" means there.
func (l *Linter) lintList(list *patterns, starCoversNull bool) {
	if len(list.sets) == 0 && list.isPlain() {
		return
	}
	entries := list.parse()
	for i := range entries {
		p := &entries[i]
		if by := coveringElement(list.Compiled, p); by != 0 {
			p.covered = true
			l.covered(list.At.Index(p.Index), text(&p.Pattern), list.At.Index(by.Element()), list.textAt(by))
			continue
		}
		for _, set := range list.sets[:min(len(list.sets), maxSetsLookedAt)] {
			if by := compiled.Rule(set.CoveringPattern(&p.Pattern, nil)); by != 0 {
				p.covered = true
				l.covered(list.At.Index(p.Index), text(&p.Pattern), l.setEntry(set.OriginSet, by), set.Texts[by.Element()])
				break
			}
		}
	}
	seen := map[*compile.OriginSet]int{}
	for i := range list.sets {
		set := &list.sets[i]
		at := list.At.Index(set.Element)
		if first, ok := seen[set.OriginSet]; ok {
			set.covered = true
			l.covered(at, "@"+set.Name, list.At.Index(first), "@"+set.Name)
			continue
		}
		seen[set.OriginSet] = set.Element
		if list.Compiled != nil && list.Compiled.Any != 0 && (set.Null == 0 || starCoversNull) {
			set.covered = true
			l.covered(at, "@"+set.Name, list.At.Index(compiled.Rule(list.Compiled.Any).Element()), "*")
		}
	}
	l.lintSetReferences(list)
}

func (l *Linter) covered(at finding.Location, value string, by finding.Location, coveredBy string) {
	message := "this says nothing new: " + coveredBy + " covers it"
	if value == coveredBy {
		message = "this stands in the list already"
	}
	l.found.Warn(finding.Finding{Code: finding.CodeOriginCovered, Location: at, Value: value,
		Message: message, Related: &by})
}

// text returns a pattern as written.
func text(p *origin.Pattern) string {
	switch p.Kind {
	case origin.PatternAny:
		return "*"
	case origin.PatternNull:
		return "null"
	}
	return p.Origin.Text
}

// entry returns the element that a rule of the list is.
func (list *patterns) entry(r compiled.Rule) *entry {
	entries := list.parse()
	i, _ := slices.BinarySearchFunc(entries, r.Element(), func(p entry, index int) int { return cmp.Compare(p.Index, index) })
	return &entries[i]
}

// textAt returns it as written.
func (list *patterns) textAt(r compiled.Rule) string { return list.Texts[r.Element()] }

func (l *Linter) setEntry(set *compile.OriginSet, r compiled.Rule) finding.Location {
	at, _ := l.SetAt(set.OriginSet)
	return at.Index(r.Element())
}

// lintAllowedSets finds "null", and names that anybody can register, in origin sets that a policy allows.
func (l *Linter) lintAllowedSets() {
	said := map[*compile.OriginSet]bool{} // of the lines of files that have several names
	for i, set := range l.OriginSets {
		if first := cmp.Or(set.Same, set); !l.setUses[i].allowed || said[first] {
			continue
		} else if set.File {
			said[first] = true
		}
		at, _ := l.SetAt(set.OriginSet)
		if set.HasLabels() {
			for p := range set.Patterns() {
				l.warnNeighbour(at, p)
			}
		}
		if set.Null == 0 {
			continue
		}
		for i, text := range set.Texts {
			if text == "null" {
				l.warnNull(at.Index(i))
			}
		}
	}
}

// manyExact is from how many exact origins on a wildcard is worth a hint.
const manyExact = 10

// hintWildcard finds exact origins that are the subdomains of one domain that is nobody else's. The families are those
// of the list.
func (l *Linter) hintWildcard(list *patterns) {
	found := l.families.atLeast(manyExact)
	found = slices.DeleteFunc(found, func(f family) bool { return origin.IsPublicSuffix(f.domain) })
	slices.SortFunc(found, func(a, b family) int {
		// The longest first: a wildcard should cover no more than is listed.
		return cmp.Or(cmp.Compare(len(b.domain), len(a.domain)), cmp.Compare(a.domain, b.domain), cmp.Compare(a.scheme, b.scheme), cmp.Compare(a.port, b.port))
	})
	said := map[familyKey]bool{}
	for _, f := range found {
		if said[f.familyKey] {
			continue
		}
		for parent := range parents(f.domain) {
			said[familyKey{f.scheme, parent, f.port}] = true
		}
		wildcard := f.scheme + "://*." + f.domain
		if f.port != 0 {
			wildcard += fmt.Sprintf(":%d", f.port)
		}
		if p, _ := origin.ParsePattern(wildcard); list.Compiled.CoveringPattern(&p, nil) != 0 {
			continue // it stands there, and the others are said to be covered
		}
		l.found.Hint(finding.Finding{Code: finding.CodeManyExactOrigins, Location: list.At.Index(f.first), Value: list.Texts[f.first],
			Message: fmt.Sprintf("with this, %d origins of the list are subdomains of %s: if all of them may be trusted, %s covers them", f.count, f.domain, wildcard)})
	}
}
