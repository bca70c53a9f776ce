package policy

import (
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A linter finds what loads and is still most likely not what its author meant. It observes every compilation, so that a
// reload says the same as a check; what it needs beside the set (the patterns as they are written) is gone when the
// compilation ends. The work of every lint grows with the size of the files and not faster: where a question has no cheap
// answer it is left open, and nothing is said. An origin costs some microseconds, an expression some tens.
type linter struct {
	*written
	found *finding.Collector

	families    families // of the list at hand
	allow, deny lintedList
	denying     map[*compiled.Policy]*lintedList // what policies deny
	faultless   map[*compiled.Terms]bool
	setUses     []setUse // as compiled.Set.originSets

	setLooks, regexTries int // towards maxSetLooks and maxRegexTries
	inclusion            regex.Inclusion

	anyPolicy    bool // stands under its name
	hasPlaces    bool
	usedPolicies []bool // by their index
}

// newLinter returns a linter of one compilation, which adds to what is found.
func newLinter(found *finding.Collector) *linter {
	return &linter{
		found: found, denying: map[*compiled.Policy]*lintedList{}, faultless: map[*compiled.Terms]bool{},
		inclusion: regex.Inclusion{Steps: regex.MaxInclusionSteps},
	}
}

// Begin implements [observer].
func (l *linter) Begin(w *written) { l.written = w }

// List implements [observer].
func (l *linter) List(texts []string) { l.families.begin(texts) }

// Pattern implements [observer].
func (l *linter) Pattern(p *origin.Pattern, index int) { l.families.add(p, index) }

// OriginSet implements [observer].
func (l *linter) OriginSet(list *patternList) {
	l.setUses = append(l.setUses, setUse{})
	l.allow.begin(list)
	l.lintList(&l.allow, true)
	l.hintWildcard(&l.allow)
}

// setUse is who refers to an origin set: a policy, and one that allows it.
type setUse struct{ used, allowed bool }

// lintedPolicy is a policy whose lists are taken apart.
type lintedPolicy struct {
	*writtenPolicy
	allow, deny *lintedList
}

// lintedList is a list of patterns with what is found out about its elements. Most lists have nothing but exact origins,
// of which the compiled list says enough; of the others there is entries.
type lintedList struct {
	*patternList
	sets    []lintedSet
	entries []entry // the patterns of the list's own; filled by parse
	parsed  bool
}

// entry is a pattern in a list.
type entry struct {
	origin.Pattern
	same    compiled.Rule // an earlier element that says the same
	covered bool          // by another one
}

// lintedSet is a reference to an origin set.
type lintedSet struct {
	setReference
	covered bool // by what else is in the list
}

// begin takes up another list; the memory is used again.
func (list *lintedList) begin(of *patternList) {
	*list = lintedList{patternList: of, sets: list.sets[:0], entries: list.entries[:0]}
	for _, set := range of.sets {
		list.sets = append(list.sets, lintedSet{setReference: set})
	}
}

// parse returns the patterns of the list's own, without what is malformed.
func (list *lintedList) parse() []entry {
	if list.parsed {
		return list.entries
	}
	list.parsed = true
	list.entries = slices.Grow(list.entries, len(list.texts))
	repeated := list.repeated
	for i, text := range list.texts {
		p, why := origin.ParsePattern(text)
		if why != "" || p.Kind == origin.PatternSet {
			continue
		}
		p.Index = i
		e := entry{Pattern: p}
		if len(repeated) > 0 && repeated[0].index == i {
			e.same, repeated = repeated[0].earlier, repeated[1:]
		}
		list.entries = append(list.entries, e)
	}
	return list.entries
}

// isPlain reports whether no element of the list's own can cover another one.
func (list *lintedList) isPlain() bool {
	return list.compiled == nil || len(list.repeated) == 0 && list.compiled.Any == 0 && !list.compiled.HasWildcards()
}

// Policy implements [observer].
func (l *linter) Policy(of *writtenPolicy) {
	l.anyPolicy = true
	l.allow.begin(of.allow)
	l.deny.begin(of.deny)
	p := &lintedPolicy{of, &l.allow, &l.deny}
	l.lintOrigins(p)
	l.lintExtensions(p)
	l.lintRegexes(p)
	l.lintRegexCover(p)
	l.lintTerms(p)
	for _, set := range p.allow.sets {
		l.setUses[set.index] = setUse{true, true}
	}
	for _, set := range p.deny.sets {
		l.setUses[set.index].used = true
	}
	if len(p.Policy.Deny) > 0 {
		kept := *l.deny.patternList // which is used again, as the rest is
		l.denying[p.Policy] = &lintedList{patternList: &kept, entries: slices.Clone(l.deny.parse()), sets: slices.Clone(l.deny.sets), parsed: true}
	}
}

// lintTerms looks at what the policy says of methods and headers. Many say the same.
func (l *linter) lintTerms(p *lintedPolicy) {
	if l.faultless[p.Terms] {
		return
	}
	before := l.found.Added()
	l.lintMethods(p)
	l.lintHeaders(p)
	l.lintMaxAge(p)
	l.faultless[p.Terms] = l.found.Added() == before
}

// End implements [observer]: it looks at what can be said only when all is compiled.
func (l *linter) End() {
	l.collectNames()
	l.lintNullInSets()
	l.lintDenies()
	l.lintUnused()
	l.lintLists()
	l.lintHostNames()
	id := 1 // the first virtual host is default
	for i, f := range l.files {
		for j, h := range f.set.GetVirtualHosts() {
			if len(h.GetRoutes()) > 0 {
				l.lintRoutes(i, j, h, &l.set.Hosts[id])
			}
			id++
		}
	}
	l.lintTiming()
	l.dropBesideErrors()
}

// dropBesideErrors drops what is said of a value about which there is an error, and what such a value is said to cover:
// what it should be comes first.
func (l *linter) dropBesideErrors() {
	errors := map[finding.Location]bool{}
	for _, f := range l.found.Findings() {
		if f.Severity == finding.Error {
			errors[f.Location] = true
			if f.Related != nil && (f.Code == finding.CodeAnyOriginCreds || f.Code == finding.CodeInsecureCreds || f.Code == finding.CodePublicSuffix) {
				errors[*f.Related] = true // the entry of an origin set that an error about a reference is about
			}
		}
	}
	if len(errors) > 0 {
		l.found.Drop(func(f finding.Finding) bool {
			return f.Severity != finding.Error && (errors[f.Location] || f.Code == finding.CodeOriginCovered && errors[*f.Related])
		})
	}
}

// collectNames notes which policies and origin sets are referred to. What an error proposes in place of a name counts too.
func (l *linter) collectNames() {
	l.usedPolicies = make([]bool, len(l.set.Policies))
	for _, f := range l.files {
		for _, m := range places(f.set) {
			l.hasPlaces = true
			for _, list := range [...]*corsprocv1.PolicyList{m.GetPolicies(), m.GetCandidates()} {
				for _, name := range list.GetNames() {
					if g := l.set.ByName[name]; g != nil && !g.Builtin {
						l.usedPolicies[g.Index] = true
					}
				}
			}
		}
	}
	for g := range l.proposed {
		if !g.Builtin {
			l.usedPolicies[g.Index] = true
		}
	}
	for set := range l.proposedSets {
		l.setUses[set.index].used = true
	}
}

// lintUnused finds policies and origin sets that nothing refers to. In a set without any place, policies wait for Envoy
// to name them; in one without policies, origin sets wait for the files that have them.
func (l *linter) lintUnused() {
	for i, p := range l.set.Policies {
		if l.hasPlaces && !l.usedPolicies[i] && l.set.ByName[p.Name] == p {
			at := l.in(p.Source, finding.Path("").Name("policies").Name(p.Name))
			at.Key = true
			l.found.Warn(finding.Finding{Code: finding.CodeUnusedPolicy, Location: at, Value: p.Name,
				Message: "no place of these files uses this policy, so it is in force only where Envoy's metadata names it"})
		}
	}
	for i, set := range l.originSets {
		if l.anyPolicy && l.setsByName[set.Name] == set && !l.setUses[i].used {
			at := l.in(set.Source, finding.Path("").Name("origin_sets").Name(set.Name))
			at.Key = true
			l.found.Warn(finding.Finding{Code: finding.CodeUnusedOriginSet, Location: at, Value: set.Name,
				Message: "no policy refers to this origin set (with \"@" + set.Name + "\")"})
		}
	}
}
