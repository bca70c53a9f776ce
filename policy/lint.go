package policy

import (
	"iter"
	"maps"
	"slices"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A linter finds what loads and is still most likely not what its author meant. It runs at the end of every compilation,
// so that a reload says the same as a check; what it needs beside the set (the patterns as they are written) is gone
// when the compilation ends. The work of every lint grows with the size of the files and not faster: where a question
// has no cheap answer it is left open, and nothing is said. An origin costs some microseconds, an expression some tens.
type linter struct {
	*compiler
	sources   []Source
	policies  []*lintedPolicy          // those that stand under their names, in the order of the files
	byGrant   map[*grant]*lintedPolicy // the same
	coverages map[*originSet]*coverage // of origin sets, made when first asked for

	setLooks, regexTries int // towards maxSetLooks and maxRegexTries
	inclusion            inclusion

	hasPlaces    bool
	usedPolicies map[string]bool
	usedSets     map[string]bool
}

// lintedPolicy is a policy as it is written, taken apart.
type lintedPolicy struct {
	*grant
	at      Place
	message *corsprocv1.Policy
	allow   patternList
	deny    patternList
}

// patternList is an allow_origins or deny_origins without what is malformed: the patterns of its own, and the references
// to sets that exist. The index of a reference is its place in the list.
type patternList struct {
	at      Place
	own     []pattern
	sets    []setReference
	covered map[int]bool // the indexes of those that others cover
}

type setReference struct {
	*originSet
	index int
}

func (c *compiler) lint(sources []Source) {
	l := &linter{
		compiler: c, sources: sources,
		byGrant:      map[*grant]*lintedPolicy{},
		coverages:    map[*originSet]*coverage{},
		inclusion:    inclusion{steps: maxInclusionSteps},
		usedPolicies: map[string]bool{},
		usedSets:     map[string]bool{},
	}
	for i, src := range sources {
		l.takeApart(int32(i), src)
		l.collectNames(src)
	}
	for _, p := range l.policies {
		l.lintOrigins(p)
		l.lintRegexes(p)
		l.lintRegexCover(p)
		l.lintMethods(p)
		l.lintHeaders(p)
		l.lintMaxAge(p)
	}
	l.lintSets()
	l.lintDenies()
	l.lintUnused()
	l.lintHostNames()
	id := 1 // the first virtual host is default
	for i, src := range sources {
		for j, h := range src.Set.GetVirtualHosts() {
			l.lintRoutes(c.in(int32(i), Path("").Name("virtual_hosts").Index(j)), h, &c.set.hosts[id])
			id++
		}
	}
	l.lintTiming()
	l.dropBesideErrors()
}

// dropBesideErrors drops what is said of a value about which there is an error, and what such a value is said to cover:
// what it should be comes first.
func (l *linter) dropBesideErrors() {
	errors := map[Place]bool{}
	for _, f := range l.findings {
		if f.Severity == Error {
			errors[f.Place] = true
		}
	}
	if len(errors) > 0 {
		l.findings = slices.DeleteFunc(l.findings, func(f Finding) bool {
			return f.Severity != Error && (errors[f.Place] || f.Code == CodeOriginCovered && errors[*f.Related])
		})
	}
}

func (l *linter) takeApart(source int32, src Source) {
	for _, name := range slices.Sorted(maps.Keys(src.Set.GetPolicies())) {
		g := l.set.byName[name]
		if g == nil || g.builtin || g.source != source {
			continue // there is an error about its name
		}
		m := src.Set.GetPolicies()[name]
		at := l.in(source, Path("").Name("policies").Name(name))
		p := &lintedPolicy{
			grant: g, at: at, message: m,
			allow: l.patterns(at.child("allow_origins"), m.GetAllowOrigins()),
			deny:  l.patterns(at.child("deny_origins"), m.GetDenyOrigins()),
		}
		l.policies = append(l.policies, p)
		l.byGrant[g] = p
	}
}

func (l *linter) patterns(at Place, texts []string) patternList {
	list := patternList{at: at, own: make([]pattern, 0, len(texts)), covered: map[int]bool{}}
	for i, text := range texts {
		p, why := parsePattern(text)
		switch {
		case why != "":
		case p.kind == patternSet:
			if set := l.originSets[p.origin.host]; set != nil {
				list.sets = append(list.sets, setReference{set, i})
				l.usedSets[set.name] = true
			} else {
				l.usedSets[l.nearestOriginSet(p.origin.host)] = true // as the error about it proposes
			}
		default:
			p.index = i
			list.own = append(list.own, p)
		}
	}
	return list
}

// collectNames notes which policies the places of a source name.
func (l *linter) collectNames(src Source) {
	for m := range places(src.Set) {
		l.hasPlaces = true
		for _, list := range [...]*corsprocv1.PolicyList{m.GetPolicies(), m.GetCandidates()} {
			for _, name := range list.GetNames() {
				if !l.knownPolicy(name) {
					name = l.nearestPolicy(name) // which the error about it proposes
				}
				l.usedPolicies[name] = true
			}
		}
	}
}

// places yields every place of a source.
func places(set *corsprocv1.PolicySet) iter.Seq[placeMessage] {
	return func(yield func(placeMessage) bool) {
		if d := set.GetDefault(); d != nil && !yield(d) {
			return
		}
		for _, h := range set.GetVirtualHosts() {
			if !yield(h) {
				return
			}
			for _, r := range h.GetRoutes() {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// lintUnused finds policies and origin sets that nothing refers to. In a set without any place, policies wait for Envoy
// to name them; in one without policies, origin sets wait for the files that have them.
func (l *linter) lintUnused() {
	for _, p := range l.policies {
		if l.hasPlaces && !l.usedPolicies[p.name] {
			at := p.at
			at.Key = true
			l.warn(at, CodeUnusedPolicy, p.name,
				"no place of these files uses this policy, so it is in force only where Envoy's metadata names it", "", nil)
		}
	}
	for _, set := range l.set.originSets {
		if len(l.policies) > 0 && l.originSets[set.name] == set && !l.usedSets[set.name] {
			at := l.in(set.source, Path("").Name("origin_sets").Name(set.name))
			at.Key = true
			l.warn(at, CodeUnusedOriginSet, set.name, "no policy refers to this origin set (with \"@"+set.name+"\")", "", nil)
		}
	}
}

func (l *linter) warn(at Place, code Code, value, message, fix string, related *Place) {
	l.report(Finding{Severity: Warning, Code: code, Place: at, Value: value, Message: message, Fix: fix, Related: related})
}

func (l *linter) hint(at Place, code Code, value, message string) {
	l.report(Finding{Severity: Hint, Code: code, Place: at, Value: value, Message: message})
}
