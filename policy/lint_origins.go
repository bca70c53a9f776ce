package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// maxSetsLookedAt is how many of the origin sets that a list refers to are looked at for what covers its own patterns.
const maxSetsLookedAt = 64

func (l *linter) lintOrigins(p *lintedPolicy) {
	if p.allow.compiled != nil && p.allow.compiled.Null != 0 {
		for i, text := range p.allow.texts {
			if text == "null" {
				l.warnNull(p.allow.at.Index(i))
			}
		}
	}
	// A literal "*" allows null, an echoed one never does.
	l.lintList(p.allow, !p.credentials)
	l.lintList(p.deny, true)
	l.hintWildcard(p.allow)
}

func (l *linter) warnNull(at finding.Location) {
	l.found.Warn(finding.Finding{Code: finding.CodeNullOrigin, Location: at, Value: "null",
		Message: "any page can have the origin null, in a sandboxed frame, so this allows every site that tries"})
}

// lintList finds the entries of a list that another one covers. starCoversNull says what "*" means there.
func (l *linter) lintList(list *patternList, starCoversNull bool) {
	if len(list.sets) == 0 && list.isPlain() {
		return
	}
	entries := list.parse()
	for i := range entries {
		p := &entries[i]
		if by := coveringElement(list.compiled, p); by != 0 {
			p.covered = true
			l.covered(list.at.Index(p.Index), text(&p.Pattern), list.at.Index(by.element()), list.textAt(by))
			continue
		}
		for _, set := range list.sets[:min(len(list.sets), maxSetsLookedAt)] {
			if by := Rule(set.CoveringPattern(&p.Pattern, nil)); by != 0 {
				p.covered = true
				l.covered(list.at.Index(p.Index), text(&p.Pattern), l.setEntry(set.originSet, by), set.texts[by.element()])
				break
			}
		}
	}
	seen := map[*originSet]int{}
	for i := range list.sets {
		set := &list.sets[i]
		at := list.at.Index(set.index)
		if first, ok := seen[set.originSet]; ok {
			set.covered = true
			l.covered(at, "@"+set.name, list.at.Index(first), "@"+set.name)
			continue
		}
		seen[set.originSet] = set.index
		if list.compiled != nil && list.compiled.Any != 0 && (set.Null == 0 || starCoversNull) {
			set.covered = true
			l.covered(at, "@"+set.name, list.at.Index(Rule(list.compiled.Any).element()), "*")
		}
	}
	l.lintSetReferences(list)
}

func (l *linter) covered(at finding.Location, value string, by finding.Location, coveredBy string) {
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
func (list *patternList) entry(r Rule) *entry {
	entries := list.parse()
	i, _ := slices.BinarySearchFunc(entries, r.element(), func(p entry, index int) int { return cmp.Compare(p.Index, index) })
	return &entries[i]
}

// textAt returns it as written.
func (list *patternList) textAt(r Rule) string { return list.texts[r.element()] }

func (l *linter) setEntry(set *originSet, r Rule) finding.Location {
	return l.in(set.source, finding.Path("").Name("origin_sets").Name(set.name).Index(r.element()))
}

// lintSet looks at what stands in an origin set.
func (l *linter) lintSet(list *patternList) {
	l.lintList(list, true)
	l.hintWildcard(list)
}

// lintNullInSets finds "null" in origin sets that a policy allows.
func (l *linter) lintNullInSets() {
	for _, set := range l.set.originSets {
		if !set.allowed || set.Null == 0 {
			continue
		}
		at := l.in(set.source, finding.Path("").Name("origin_sets").Name(set.name))
		for i, text := range set.texts {
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
func (l *linter) hintWildcard(list *patternList) {
	found := l.families.atLeast(manyExact)
	found = slices.DeleteFunc(found, func(f family) bool { return origin.IsPublicSuffix(f.domain) })
	slices.SortFunc(found, func(a, b family) int {
		// The longest first: a wildcard should cover no more than is listed.
		return cmp.Or(cmp.Compare(len(b.domain), len(a.domain)), cmp.Compare(a.domain, b.domain), cmp.Compare(a.scheme, b.scheme), cmp.Compare(a.port, b.port))
	})
	said := map[coverKey]bool{}
	for _, f := range found {
		if said[coverKey{origin.HostSub, f.scheme, f.domain, f.port}] {
			continue
		}
		for parent := range parents(f.domain) {
			said[coverKey{origin.HostSub, f.scheme, parent, f.port}] = true
		}
		wildcard := f.scheme + "://*." + f.domain
		if f.port != 0 {
			wildcard += fmt.Sprintf(":%d", f.port)
		}
		if p, _ := origin.ParsePattern(wildcard); list.compiled.CoveringPattern(&p, nil) != 0 {
			continue // it stands there, and the others are said to be covered
		}
		l.found.Hint(finding.Finding{Code: finding.CodeManyExactOrigins, Location: list.at.Index(f.first), Value: list.texts[f.first],
			Message: fmt.Sprintf("with this, %d origins of the list are subdomains of %s: if all of them may be trusted, %s covers them", f.count, f.domain, wildcard)})
	}
}
