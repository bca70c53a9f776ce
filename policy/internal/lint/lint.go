package lint

import (
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A Linter finds what loads and is still most likely not what its author meant. It observes every compilation, so that a
// reload says the same as a check; what it needs beside the set (the patterns as they are written) is gone when the
// compilation ends. The work of every lint grows with the size of the files and not faster: where a question has no cheap
// answer it is left open, and nothing is said. An origin costs some microseconds, an expression some tens.
type Linter struct {
	*compile.Written
	found *finding.Collector

	families    families // of the list at hand
	allow, deny patterns
	denying     map[*compiled.Policy]*patterns // what policies deny
	faultless   map[*compiled.Terms]bool
	setUses     []setUse // as compiled.Set.originSets

	setLooks, regexTries int // towards maxSetLooks and maxRegexTries
	inclusion            regex.Inclusion

	anyPolicy    bool // stands under its name
	hasPlaces    bool
	usedPolicies []bool // by their index
}

// New returns a linter of one compilation, which adds to what is found.
func New(found *finding.Collector) *Linter {
	return &Linter{
		found: found, denying: map[*compiled.Policy]*patterns{}, faultless: map[*compiled.Terms]bool{},
		inclusion: regex.Inclusion{Steps: regex.MaxInclusionSteps},
	}
}

// Begin implements [observer].
func (l *Linter) Begin(w *compile.Written) { l.Written = w }

// List implements [observer].
func (l *Linter) List(texts []string) { l.families.begin(texts) }

// Pattern implements [observer].
func (l *Linter) Pattern(p *origin.Pattern, index int) { l.families.add(p, index) }

// OriginSet implements [observer].
func (l *Linter) OriginSet(list *compile.List) {
	l.setUses = append(l.setUses, setUse{})
	if l.OriginSets[len(l.OriginSets)-1].Same != nil {
		return
	}
	l.allow.begin(list)
	l.lintList(&l.allow, true)
	l.hintWildcard(&l.allow)
}

// setUse is who refers to an origin set: a policy, and one that allows it.
type setUse struct{ used, allowed bool }

// policy is a policy whose lists are taken apart.
type policy struct {
	*compile.Policy
	allow, deny *patterns
}

// patterns is a list of patterns with what is found out about its elements. Most lists have nothing but exact origins,
// of which the compiled list says enough; of the others there is entries.
type patterns struct {
	*compile.List
	sets    []setReference
	entries []entry // the patterns of the list's own; filled by parse
	parsed  bool
}

// entry is a pattern in a list.
type entry struct {
	origin.Pattern
	same    compiled.Rule // an earlier element that says the same
	covered bool          // by another one
}

// setReference is a reference to an origin set.
type setReference struct {
	compile.SetReference
	covered bool // by what else is in the list
}

// begin takes up another list; the memory is used again.
func (list *patterns) begin(of *compile.List) {
	*list = patterns{List: of, sets: list.sets[:0], entries: list.entries[:0]}
	for _, set := range of.Sets {
		list.sets = append(list.sets, setReference{SetReference: set})
	}
}

// parse returns the patterns of the list's own, without what is malformed.
func (list *patterns) parse() []entry {
	if list.parsed {
		return list.entries
	}
	list.parsed = true
	list.entries = slices.Grow(list.entries, len(list.Texts))
	repeated := list.Repeated
	for i, text := range list.Texts {
		p, why := origin.ParsePattern(text)
		if why != "" || p.Kind == origin.PatternSet {
			continue
		}
		p.Index = i
		e := entry{Pattern: p}
		if len(repeated) > 0 && repeated[0].Index == i {
			e.same, repeated = repeated[0].Earlier, repeated[1:]
		}
		list.entries = append(list.entries, e)
	}
	return list.entries
}

// isPlain reports whether no element of the list's own can cover another one.
func (list *patterns) isPlain() bool {
	return list.Compiled == nil || len(list.Repeated) == 0 && list.Compiled.Any == 0 && !list.Compiled.HasWildcards()
}

// Policy implements [observer].
func (l *Linter) Policy(of *compile.Policy) {
	l.anyPolicy = true
	l.allow.begin(of.Allow)
	l.deny.begin(of.Deny)
	p := &policy{of, &l.allow, &l.deny}
	l.lintOrigins(p)
	l.lintExtensions(p)
	l.lintRegexes(p)
	l.lintRegexCover(p)
	l.lintTerms(p)
	for _, set := range p.allow.sets {
		l.setUses[set.Index] = setUse{true, true}
	}
	for _, set := range p.deny.sets {
		l.setUses[set.Index].used = true
	}
	if len(p.Compiled.Deny) > 0 {
		kept := *l.deny.List // which is used again, as the rest is
		l.denying[p.Compiled] = &patterns{List: &kept, entries: slices.Clone(l.deny.parse()), sets: slices.Clone(l.deny.sets), parsed: true}
	}
}

// lintTerms looks at what the policy says of methods and headers. Many say the same.
func (l *Linter) lintTerms(p *policy) {
	if l.faultless[p.Compiled.Terms] {
		return
	}
	before := l.found.Added()
	l.lintMethods(p)
	l.lintHeaders(p)
	l.lintClients(p)
	l.lintMaxAge(p)
	l.faultless[p.Compiled.Terms] = l.found.Added() == before
}

// End implements [observer]: it looks at what can be said only when all is compiled.
func (l *Linter) End() {
	l.collectNames()
	l.lintAllowedSets()
	l.lintDenies()
	l.lintUnused()
	l.lintLists()
	l.lintHostNames()
	id := 1 // the first virtual host is default
	for i, f := range l.Files {
		for j, h := range f.Set.GetVirtualHosts() {
			if len(h.GetRoutes()) > 0 {
				l.lintRoutes(i, j, h, &l.Set.Hosts[id])
			}
			id++
		}
	}
	l.lintTiming()
	l.lintFixedOrigins()
	l.dropBesideErrors()
}

// dropBesideErrors drops what is said of a value about which there is an error, and what such a value is said to cover:
// what it should be comes first.
func (l *Linter) dropBesideErrors() {
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
func (l *Linter) collectNames() {
	l.usedPolicies = make([]bool, len(l.Set.Policies))
	for _, f := range l.Files {
		for _, m := range compile.Places(f.Set) {
			l.hasPlaces = true
			for _, list := range [...]*corsprocv1.PolicyList{m.GetPolicies(), m.GetCandidates()} {
				for _, name := range list.GetNames() {
					if policy := l.Set.ByName[name]; policy != nil && !policy.Builtin {
						l.usedPolicies[policy.Index] = true
					}
				}
			}
		}
	}
	for policy := range l.Proposed {
		if !policy.Builtin {
			l.usedPolicies[policy.Index] = true
		}
	}
	for set := range l.ProposedSets {
		l.setUses[set.Index].used = true
	}
}

// lintUnused finds policies and origin sets that nothing refers to. In a set without any place, policies wait for Envoy
// to name them; in one without policies, origin sets wait for the files that have them.
func (l *Linter) lintUnused() {
	for i, p := range l.Set.Policies {
		if l.hasPlaces && !l.usedPolicies[i] && l.Set.ByName[p.Name] == p {
			at := l.In(p.Source, finding.Path("").Name("policies").Name(p.Name))
			at.Key = true
			l.found.Warn(finding.Finding{Code: finding.CodeUnusedPolicy, Location: at, Value: p.Name,
				Message: "no place of these files uses this policy, so it is in force only where Envoy's metadata names it"})
		}
	}
	for i, set := range l.OriginSets {
		if l.anyPolicy && l.SetsByName[set.Name] == set && !l.setUses[i].used {
			_, at := l.SetAt(set.OriginSet)
			at.Key = true
			l.found.Warn(finding.Finding{Code: finding.CodeUnusedOriginSet, Location: at, Value: set.Name,
				Message: "no policy refers to this origin set (with \"@" + set.Name + "\")"})
		}
	}
}
