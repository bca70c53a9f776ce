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
	// Origins are the files that the set's origin_files names, by the names that it gives them there. A location in one has
	// its name as the source, and the index of the line in the path, behind the set's name.
	Origins map[string]OriginFile
}

// OriginFile is the content of a file of origin patterns.
type OriginFile = compile.OriginFile

// Set is a compiled policy set: immutable, and safe for use by any number of goroutines.
type Set struct{ set compiled.Set }

// Compile compiles the sources into one set. It reports everything it finds in all of them, in no particular order; if
// any of it is a [finding.Error], there is no set. The sources are read only during the call. No source at all makes an empty
// set, in which every request is passed through.
func Compile(sources ...Source) (*Set, []finding.Finding) { return CompileAll(nil, sources...) }

// CompileAll is [Compile] that also calls each, unless it is nil, for every finding: of a kind that there is too much of,
// [Compile] returns the first only.
func CompileAll(each func(finding.Finding), sources ...Source) (*Set, []finding.Finding) {
	found := &finding.Collector{Each: each}
	return compileWith(found, lint.New(found), sources)
}

// CompileErrors is [CompileAll] that looks for nothing but errors: for programs that write policies and ask what keeps them
// from loading. What is a warning or a hint costs as much again.
func CompileErrors(each func(finding.Finding), sources ...Source) (*Set, []finding.Finding) {
	return compileWith(&finding.Collector{Each: each}, compile.Nobody{}, sources)
}

// compileWith compiles the sources while somebody looks on, who adds to what is found.
func compileWith(found *finding.Collector, see compile.Observer, sources []Source) (*Set, []finding.Finding) {
	set := &Set{}
	files := make([]compile.File, len(sources))
	for i, src := range sources {
		files[i] = compile.File(src)
	}
	compile.Compile(&set.set, found, see, files)
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
		for _, policy := range s.set.Policies {
			if !yield(policy.Name) {
				return
			}
		}
	}
}

// PathScope returns how much of the path of r decides. A request that differs from r in nothing but its path is decided as
// r is if its path begins with the first n bytes of r's, and has none of `%`, `\`, `;`, `//` and `/.` before its query, which
// some servers read in more than one way. With n = 0 any path is decided alike. ok is false where only the same path is sure
// to be. Of the bytes that are counted, none is of the query. It allocates nothing.
func (s *Set) PathScope(r *Request) (n int, ok bool) {
	return s.set.Hosts[s.set.HostIndex(r.VirtualHost, r.Authority)].PathScope(r.Route, r.Path)
}
