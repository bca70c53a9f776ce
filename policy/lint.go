package policy

import (
	"iter"
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A linter finds what loads and is still most likely not what its author meant. It runs at the end of every compilation,
// so that a reload says the same as a check; what it needs beside the set (the patterns as they are written) is gone
// when the compilation ends. The work of every lint grows with the size of the files and not faster: where a question
// has no cheap answer it is left open, and nothing is said. An origin costs some microseconds, an expression some tens.
type linter struct {
	*compiler
	sources   []Source
	denying   map[*grant]*patternList // what policies deny
	families  families                // of the list at hand
	faultless map[*terms]bool

	setLooks, regexTries int // towards maxSetLooks and maxRegexTries
	inclusion            regex.Inclusion

	anyPolicy    bool // stands under its name
	hasPlaces    bool
	usedPolicies []bool // by their index
}

// lintedPolicy is a policy as it is written, taken apart.
type lintedPolicy struct {
	*grant
	at      finding.Location
	message *corsprocv1.Policy
	allow   *patternList
	deny    *patternList
}

// patternList is an allow_origins or deny_origins, or an origin set, that is compiled. Most lists have nothing but exact
// origins, of which the compiled list says enough; of the others there is entries.
type patternList struct {
	at       finding.Location
	texts    []string       // as written
	compiled *match.Origins // the patterns of its own; nil: there are none
	repeated []repetition   // of those
	sets     []setReference
	entries  []entry // the patterns of its own; filled by parse
	parsed   bool
}

// repetition is an element that says the same as an earlier one.
type repetition struct {
	index   int
	earlier Rule
}

// entry is a pattern in a list.
type entry struct {
	origin.Pattern
	same    Rule // an earlier element that says the same
	covered bool // by another one
}

// setReference is a reference to a set that exists. Its index is its place in the list.
type setReference struct {
	*originSet
	index   int
	covered bool // by what else is in the list
}

// begin makes the list that of an other field; its memory is used again.
func (list *patternList) begin(at finding.Location, texts []string) {
	*list = patternList{at: at, texts: texts, repeated: list.repeated[:0], sets: list.sets[:0], entries: list.entries[:0]}
}

func (list *patternList) add(p *origin.Pattern, i int, rule Rule) {
	if had := list.compiled.Add(p, uint64(rule)); had != 0 {
		list.repeated = append(list.repeated, repetition{i, Rule(had)})
	}
}

// parse returns the patterns of the list's own, without what is malformed.
func (list *patternList) parse() []entry {
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
func (list *patternList) isPlain() bool {
	return list.compiled == nil || len(list.repeated) == 0 && list.compiled.Any == 0 && !list.compiled.HasWildcards()
}

// lintPolicy looks at a policy that stands under its name.
func (l *linter) lintPolicy(p *lintedPolicy) {
	l.anyPolicy = true
	l.lintOrigins(p)
	l.lintExtensions(p)
	l.lintRegexes(p)
	l.lintRegexCover(p)
	l.lintTerms(p)
	for _, set := range p.allow.sets {
		set.used, set.allowed = true, true
	}
	for _, set := range p.deny.sets {
		set.used = true
	}
	if len(p.grant.deny) > 0 {
		deny := *p.deny // which is used again
		deny.entries, deny.sets = slices.Clone(deny.parse()), slices.Clone(deny.sets)
		l.denying[p.grant] = &deny
	}
}

// lintTerms looks at what the policy says of methods and headers. Many say the same.
func (l *linter) lintTerms(p *lintedPolicy) {
	if l.faultless[p.terms] {
		return
	}
	before := l.found.Added()
	l.lintMethods(p)
	l.lintHeaders(p)
	l.lintMaxAge(p)
	l.faultless[p.terms] = l.found.Added() == before
}

// lintSources looks at what can be said only when all is compiled.
func (l *linter) lintSources(sources []Source) {
	l.sources = sources
	l.usedPolicies = make([]bool, len(l.set.policies))
	for _, src := range sources {
		l.collectNames(src)
	}
	l.lintNullInSets()
	l.lintDenies()
	l.lintUnused()
	l.lintLists()
	l.lintHostNames()
	id := 1 // the first virtual host is default
	for i, src := range sources {
		for j, h := range src.Set.GetVirtualHosts() {
			if len(h.GetRoutes()) > 0 {
				l.lintRoutes(i, j, h, &l.set.hosts[id])
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

// collectNames notes which policies the places of a source name.
func (l *linter) collectNames(src Source) {
	for _, m := range places(src.Set) {
		l.hasPlaces = true
		for _, list := range [...]*corsprocv1.PolicyList{m.GetPolicies(), m.GetCandidates()} {
			for _, name := range list.GetNames() {
				if !l.knownPolicy(name) {
					name = l.nearestPolicy(name) // which the error about it proposes
				}
				if g := l.set.byName[name]; g != nil && !g.builtin {
					l.usedPolicies[g.index] = true
				}
			}
		}
	}
}

// spot is where a place stands in a file: the indexes of a virtual host and of a route in it, or -1.
type spot struct{ host, route int }

func (s spot) path() finding.Path {
	if s.host < 0 {
		return "\x00default"
	}
	p := finding.Path("\x00virtual_hosts").Index(s.host)
	if s.route >= 0 {
		p = p.Name("routes").Index(s.route)
	}
	return p
}

// places yields every place of a source, and where it stands.
func places(set *corsprocv1.PolicySet) iter.Seq2[spot, placeMessage] {
	return func(yield func(spot, placeMessage) bool) {
		if d := set.GetDefault(); d != nil && !yield(spot{-1, -1}, d) {
			return
		}
		for i, h := range set.GetVirtualHosts() {
			if !yield(spot{i, -1}, h) {
				return
			}
			for j, r := range h.GetRoutes() {
				if !yield(spot{i, j}, r) {
					return
				}
			}
		}
	}
}

// lintUnused finds policies and origin sets that nothing refers to. In a set without any place, policies wait for Envoy
// to name them; in one without policies, origin sets wait for the files that have them.
func (l *linter) lintUnused() {
	for i, p := range l.set.policies {
		if l.hasPlaces && !l.usedPolicies[i] && l.set.byName[p.name] == p {
			at := l.in(p.source, finding.Path("").Name("policies").Name(p.name))
			at.Key = true
			l.found.Warn(finding.Finding{Code: finding.CodeUnusedPolicy, Location: at, Value: p.name,
				Message: "no place of these files uses this policy, so it is in force only where Envoy's metadata names it"})
		}
	}
	for _, set := range l.set.originSets {
		if l.anyPolicy && l.originSets[set.name] == set && !set.used {
			at := l.in(set.source, finding.Path("").Name("origin_sets").Name(set.name))
			at.Key = true
			l.found.Warn(finding.Finding{Code: finding.CodeUnusedOriginSet, Location: at, Value: set.name,
				Message: "no policy refers to this origin set (with \"@" + set.name + "\")"})
		}
	}
}
