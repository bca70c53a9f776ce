package compile

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"iter"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// File is the content of one policy file, under the name by which findings call it.
type File struct {
	Name string
	Set  *corsprocv1.PolicySet
	// Origins are the files that origin_files names, by the names of the sets.
	Origins map[string]OriginFile
}

// OriginFile is the content of a file of origin patterns.
type OriginFile struct {
	Name  string   // by which findings call it
	Lines []string // each a pattern, or empty
	Fault string   // why there is none; empty: there is one
}

// Written is what is compiled, beside the files that it comes from. What it has of the set is what is compiled so far.
type Written struct {
	Set   *compiled.Set
	Files []File

	OriginSets []*OriginSet          // as in compiled.Set.OriginSets
	SetsByName map[string]*OriginSet // the first of each name

	// What errors propose in place of a name that does not exist: who refers to it most likely meant that.
	Proposed     map[*compiled.Policy]bool
	ProposedSets map[*OriginSet]bool
}

// SetAt returns where the patterns of an origin set stand, and where the set is named.
func (w *Written) SetAt(set *compiled.OriginSet) (list, name finding.Location) {
	if set.File {
		path := finding.Path("").Name("origin_files").Name(set.Name)
		return w.In(set.Lines, path), w.In(set.Source, path)
	}
	list = w.In(set.Source, finding.Path("").Name("origin_sets").Name(set.Name))
	return list, list
}

// In returns where something stands in a file.
func (w *Written) In(source int32, p finding.Path) finding.Location {
	return finding.Location{Source: w.Set.Sources[source], Path: p}
}

// HostAt returns where a virtual host other than default stands.
func (w *Written) HostAt(id int) finding.Location {
	h := &w.Set.Hosts[id]
	return w.In(h.Source, Position{int(h.Position), -1}.Path())
}

// OriginSet is an origin set with its elements as they are written.
type OriginSet struct {
	*compiled.OriginSet
	Index int // in compiled.Set.OriginSets
	Texts []string
	// Same is the first set of the lines of this file of origins; nil: this is. What there is to say of them is said of that.
	Same *OriginSet
}

// Patterns yields the patterns of the set, without what is malformed.
func (s *OriginSet) Patterns() iter.Seq[*origin.Pattern] {
	return func(yield func(*origin.Pattern) bool) {
		for i, text := range s.Texts {
			p, why := origin.ParsePattern(text)
			p.Index = i
			if why == "" && s.isPattern(p.Kind) && !yield(&p) {
				return
			}
		}
	}
}

// isPattern reports whether a kind of elements are patterns of the set.
func (s *OriginSet) isPattern(kind origin.Kind) bool {
	return kind == origin.PatternOrigin || !s.File && kind != origin.PatternSet
}

// Policy is a policy as it is written, and what it is compiled to.
type Policy struct {
	Compiled *compiled.Policy
	At       finding.Location
	Message  *corsprocv1.Policy
	Allow    *List // also where it has no element
	Deny     *List
}

// List is an allow_origins or deny_origins, or an origin set, that is compiled. Its memory is used again for the
// next one.
type List struct {
	At       finding.Location
	Texts    []string       // as written
	Compiled *match.Origins // the patterns of its own; nil: there are none
	Repeated []Repetition   // of those
	Sets     []SetReference
}

// Repetition is an element that says the same as an earlier one.
type Repetition struct {
	Index   int
	Earlier compiled.Rule
}

// SetReference is a reference to a set that exists.
type SetReference struct {
	*OriginSet
	Element int // of the list
}

// begin makes the list that of another field.
func (list *List) begin(at finding.Location, texts []string) {
	*list = List{At: at, Texts: texts, Repeated: list.Repeated[:0], Sets: list.Sets[:0]}
}

func (list *List) add(p *origin.Pattern, i int, rule compiled.Rule) {
	if had := list.Compiled.Add(p, uint64(rule)); had != 0 {
		list.Repeated = append(list.Repeated, Repetition{i, compiled.Rule(had)})
	}
}

// Position is where a place stands in a file: the indexes of a virtual host and of a route in it, or -1.
type Position struct{ Host, Route int }

func (s Position) Path() finding.Path {
	if s.Host < 0 {
		return "\x00default"
	}
	p := finding.Path("\x00virtual_hosts").Index(s.Host)
	if s.Route >= 0 {
		p = p.Name("routes").Index(s.Route)
	}
	return p
}

// Place is what default, virtual hosts and routes have in common.
type Place interface {
	GetPolicies() *corsprocv1.PolicyList
	GetCandidates() *corsprocv1.PolicyList
	GetUnmatchedPreflights() corsprocv1.UnmatchedPreflights
	GetReject() corsprocv1.Reject
	GetTimingAllowOrigins() *corsprocv1.OriginList
}

// Places yields every place of a file, and where it stands.
func Places(set *corsprocv1.PolicySet) iter.Seq2[Position, Place] {
	return func(yield func(Position, Place) bool) {
		if d := set.GetDefault(); d != nil && !yield(Position{-1, -1}, d) {
			return
		}
		for i, h := range set.GetVirtualHosts() {
			if !yield(Position{i, -1}, h) {
				return
			}
			for j, r := range h.GetRoutes() {
				if !yield(Position{i, j}, r) {
					return
				}
			}
		}
	}
}
