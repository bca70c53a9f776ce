package policy

import (
	"iter"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Source is one policy file's content under the name by which findings call it.
type Source struct {
	Name string
	Set  *corsprocv1.PolicySet
}

// Set is a compiled policy set: immutable, and safe for use by any number of goroutines.
type Set struct {
	sources    []string
	policies   []*grant
	byName     map[string]*grant // with none
	originSets []*originSet
	hosts      []virtualHost // the first is default

	patterns match.OriginIndex // of all policies and origin sets
	names    match.Index       // virtual host names, exact and with a star; the latter only to be told of
	globs    match.Globs       // virtual host names with a star
	domains  match.Domains
}

// The spaces of Set.names. The numbers are the indexes in Set.hosts.
const (
	nameExact = iota
	nameGlob
)

// originSet is a compiled entry of origin_sets.
type originSet struct {
	name   string
	source int32
	match.Origins
	texts         []string // as written; only while compiling
	used, allowed bool     // by a policy, and in its allow_origins; only while compiling
}

// written yields the patterns of the set as they are written, without what is malformed. Only while compiling.
func (s *originSet) written() iter.Seq[*origin.Pattern] {
	return func(yield func(*origin.Pattern) bool) {
		for i, text := range s.texts {
			p, why := origin.ParsePattern(text)
			p.Index = i
			if why == "" && p.Kind != origin.PatternSet && !yield(&p) {
				return
			}
		}
	}
}

// The built-in policies.
const (
	nameNone        = "none"
	namePassthrough = "passthrough"
)

// defaultLabel is how default is called in metrics and messages.
const defaultLabel = "default"

// Compile compiles the sources into one set. It reports everything it finds in all of them, in no particular order; if
// any of it is a [finding.Error], there is no set. The sources are read only during the call. No source at all makes an empty
// set, in which every request is passed through.
func Compile(sources ...Source) (*Set, []finding.Finding) { return CompileAll(nil, sources...) }

// CompileAll is [Compile] that also calls each, unless it is nil, for every finding: of a kind that there is too much of,
// [Compile] returns the first only.
func CompileAll(each func(finding.Finding), sources ...Source) (*Set, []finding.Finding) {
	c := newCompiler()
	c.found.Each = each
	c.compile(sources)
	findings := c.found.Findings()
	if slices.ContainsFunc(findings, func(f finding.Finding) bool { return f.Severity == finding.Error }) {
		return nil, findings
	}
	return c.set, findings
}

// VirtualHosts yields the names by which metrics and messages call the places of the set: "default", and every virtual
// host's name, else its first domain.
func (s *Set) VirtualHosts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range s.hosts {
			if !yield(s.hosts[i].label) {
				return
			}
		}
	}
}

// Policies yields the names of the set's policies, without the built-in ones, in alphabetical order per source.
func (s *Set) Policies() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, g := range s.policies {
			if !yield(g.name) {
				return
			}
		}
	}
}

// virtualHost returns the virtual host of a request.
func (s *Set) virtualHost(r *Request) *virtualHost { return &s.hosts[s.hostIndex(r)] }

// hostIndex returns the index of a request's virtual host: by Envoy's name for it, then by the authority, then default.
func (s *Set) hostIndex(r *Request) int {
	if r.VirtualHost != "" {
		if i := s.names.Find(nameExact, r.VirtualHost); i != 0 {
			return int(i)
		}
		if i, ok := s.globs.Find(r.VirtualHost); ok {
			return i
		}
	}
	return s.domains.Find(r.Authority)
}

// named returns the list that Envoy names for a request. Where that is of several policies, the list is empty, and names
// are theirs. It reports false for a name that does not exist and for a list that a file could not hold.
func (s *Set) named(f Field) (l *list, names string, ok bool) {
	if f.Lines != 1 {
		return &namedList, "", false
	}
	if fetch.TrimBlanks(f.Value) == namePassthrough {
		return &passthroughList, "", true
	}
	var first *grant
	n, builtin := 0, false
	for rest, more := f.Value, true; more; n++ {
		var name string
		name, rest, more = strings.Cut(rest, ",")
		g, ok := s.byName[fetch.TrimBlanks(name)]
		if !ok {
			return &namedList, "", false
		}
		if n == 0 {
			first = g
		}
		builtin = builtin || g.builtin
	}
	if n == 1 {
		return &first.alone, "", true
	}
	return &namedList, f.Value, !builtin
}
