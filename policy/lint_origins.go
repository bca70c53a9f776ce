package policy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// maxSetsLookedAt is how many of the origin sets that a list refers to are looked at for what covers its own patterns.
const maxSetsLookedAt = 64

func (l *linter) lintOrigins(p *lintedPolicy) {
	for i := range p.allow.own {
		if own := &p.allow.own[i]; own.kind == patternNull {
			l.warnNull(p.allow.at.element(own.index))
		}
	}
	// A literal "*" allows null, an echoed one never does.
	l.lintList(&p.allow, !p.credentials)
	l.lintList(&p.deny, true)
	l.hintWildcard(p.allow.at, p.allow.own)
}

func (l *linter) warnNull(at Place) {
	l.warn(at, CodeNullOrigin, "null",
		"any page can have the origin null, in a sandboxed frame, so this allows every site that tries", "", nil)
}

// lintList finds the entries of a list that another one covers. starCoversNull says what "*" means there.
func (l *linter) lintList(list *patternList, starCoversNull bool) {
	if len(list.own)+len(list.sets) < 2 {
		return
	}
	own := newCoverage(list.own)
	for i := range list.own {
		p := &list.own[i]
		if by, ok := own.covering(p, p.index); ok {
			list.covered[p.index] = true
			l.covered(list.at.element(p.index), text(p), list.at.element(by), textAt(list.own, by))
			continue
		}
		for _, set := range list.sets[:min(len(list.sets), maxSetsLookedAt)] {
			if by, ok := l.coverage(set.originSet).covering(p, math.MaxInt); ok {
				list.covered[p.index] = true
				l.covered(list.at.element(p.index), text(p), l.setEntry(set.originSet, by), textAt(set.patterns, by))
				break
			}
		}
	}
	seen := map[*originSet]int{}
	for _, set := range list.sets {
		at := list.at.element(set.index)
		if first, ok := seen[set.originSet]; ok {
			list.covered[set.index] = true
			l.covered(at, "@"+set.name, list.at.element(first), "@"+set.name)
			continue
		}
		seen[set.originSet] = set.index
		if own.any >= 0 && (set.null == 0 || starCoversNull) {
			list.covered[set.index] = true
			l.covered(at, "@"+set.name, list.at.element(own.any), "*")
		}
	}
	l.lintSetReferences(list)
}

func (l *linter) covered(at Place, value string, by Place, coveredBy string) {
	message := "this says nothing new: " + coveredBy + " covers it"
	if value == coveredBy {
		message = "this stands in the list already"
	}
	l.warn(at, CodeOriginCovered, value, message, "", &by)
}

// text returns a pattern as written.
func text(p *pattern) string {
	switch p.kind {
	case patternAny:
		return "*"
	case patternNull:
		return "null"
	}
	return p.origin.text
}

// textAt returns the pattern with an index, which list is sorted by.
func textAt(list []pattern, index int) string {
	i, _ := slices.BinarySearchFunc(list, index, func(p pattern, index int) int { return cmp.Compare(p.index, index) })
	return text(&list[i])
}

func (l *linter) coverage(set *originSet) *coverage {
	if l.coverages[set] == nil {
		l.coverages[set] = newCoverage(set.patterns)
	}
	return l.coverages[set]
}

func (l *linter) setEntry(set *originSet, index int) Place {
	return l.in(set.source, Path("").Name("origin_sets").Name(set.name).Index(index))
}

// lintSets looks at what stands in origin sets.
func (l *linter) lintSets() {
	allowed := map[*originSet]bool{}
	for _, p := range l.policies {
		for _, set := range p.allow.sets {
			allowed[set.originSet] = true
		}
	}
	for _, set := range l.set.originSets {
		at := l.in(set.source, Path("").Name("origin_sets").Name(set.name))
		coverage := l.coverage(set)
		for i := range set.patterns {
			p := &set.patterns[i]
			if p.kind == patternNull && allowed[set] {
				l.warnNull(at.element(p.index))
			}
			if by, ok := coverage.covering(p, p.index); ok {
				l.covered(at.element(p.index), text(p), at.element(by), textAt(set.patterns, by))
			}
		}
		l.hintWildcard(at, set.patterns)
	}
}

// manyExact is from how many exact origins on a wildcard is worth a hint.
const manyExact = 10

// hintWildcard finds exact origins that are the subdomains of one domain that is nobody else's.
func (l *linter) hintWildcard(at Place, list []pattern) {
	if len(list) < manyExact {
		return
	}
	type family struct{ count, first int }
	families := map[coverKey]family{}
	for i := range list {
		p := &list[i]
		if !p.isExact() || isIPv4(p.origin.host) {
			continue
		}
		key := coverKey{hostSub, p.origin.scheme, "", p.origin.port}
		for parent := range parents(p.origin.host) {
			key.name = parent
			f, ok := families[key]
			if !ok {
				f.first = p.index
			}
			f.count++
			families[key] = f
		}
	}
	var found []coverKey
	for key, f := range families {
		if f.count >= manyExact && !isPublicSuffix(key.name) {
			found = append(found, key)
		}
	}
	slices.SortFunc(found, func(a, b coverKey) int {
		// The longest first: a wildcard should cover no more than is listed.
		return cmp.Or(cmp.Compare(len(b.name), len(a.name)), cmp.Compare(a.name, b.name), cmp.Compare(a.scheme, b.scheme), cmp.Compare(a.port, b.port))
	})
	coverage := newCoverage(list)
	said := map[coverKey]bool{}
	for _, key := range found {
		if said[key] {
			continue
		}
		for parent := range parents(key.name) {
			said[coverKey{hostSub, key.scheme, parent, key.port}] = true
		}
		wildcard := key.scheme + "://*." + key.name
		if key.port != 0 {
			wildcard += fmt.Sprintf(":%d", key.port)
		}
		p := pattern{kind: patternOrigin, host: hostSub, origin: origin{scheme: key.scheme, host: key.name, port: key.port}}
		if _, ok := coverage.covering(&p, math.MaxInt); ok {
			continue // it stands there, and the others are said to be covered
		}
		f := families[key]
		l.hint(at.element(f.first), CodeManyExactOrigins, textAt(list, f.first),
			fmt.Sprintf("with this, %d origins of the list are subdomains of %s: if all of them may be trusted, %s covers them", f.count, key.name, wildcard))
	}
}
