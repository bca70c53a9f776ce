package policy

// Tested by findings_test.go and cases_test.go.

import (
	"iter"
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/lint"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Source is one policy file's content under the name by which findings call it.
type Source struct {
	Name string
	Set  *corsprocv1.PolicySet
}

// Set is a compiled policy set: immutable, and safe for use by any number of goroutines.
type Set struct{ set compiled.Set }

// Compile compiles the sources into one set. It reports everything it finds in all of them, in no particular order; if
// any of it is a [finding.Error], there is no set. The sources are read only during the call. No source at all makes an empty
// set, in which every request is passed through.
func Compile(sources ...Source) (*Set, []finding.Finding) { return CompileAll(nil, sources...) }

// CompileAll is [Compile] that also calls each, unless it is nil, for every finding: of a kind that there is too much of,
// [Compile] returns the first only.
func CompileAll(each func(finding.Finding), sources ...Source) (*Set, []finding.Finding) {
	set := &Set{}
	found := &finding.Collector{Each: each}
	files := make([]compile.File, len(sources))
	for i, src := range sources {
		files[i] = compile.File(src)
	}
	compile.Compile(&set.set, found, lint.New(found), files)
	findings := found.Findings()
	if slices.ContainsFunc(findings, func(f finding.Finding) bool { return f.Severity == finding.Error }) {
		return nil, findings
	}
	return set, findings
}

// VirtualHosts yields the names by which metrics and messages call the places of the set: "default", and every virtual
// host's name, else its first domain.
func (s *Set) VirtualHosts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range s.set.Hosts {
			if !yield(s.set.Hosts[i].Label) {
				return
			}
		}
	}
}

// Policies yields the names of the set's policies, without the built-in ones, in alphabetical order per source.
func (s *Set) Policies() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, g := range s.set.Policies {
			if !yield(g.Name) {
				return
			}
		}
	}
}
