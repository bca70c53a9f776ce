package policy

import (
	"iter"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// file is the content of one policy file, under the name by which findings call it.
type file struct {
	name string
	set  *corsprocv1.PolicySet
}

// written is what is compiled, beside the files that it comes from. What it has of the set is what is compiled so far.
type written struct {
	set   *compiled.Set
	files []file

	originSets []*writtenSet          // as in compiled.Set.originSets
	setsByName map[string]*writtenSet // the first of each name

	// What errors propose in place of a name that does not exist: who refers to it most likely meant that.
	proposed     map[*compiled.Policy]bool
	proposedSets map[*writtenSet]bool
}

// in returns where something stands in a file.
func (w *written) in(source int32, p finding.Path) finding.Location {
	return finding.Location{Source: w.set.Sources[source], Path: p}
}

// hostAt returns where a virtual host other than default stands.
func (w *written) hostAt(id int) finding.Location {
	h := &w.set.Hosts[id]
	return w.in(h.Source, position{int(h.Position), -1}.path())
}

// writtenSet is an origin set with its elements as they are written.
type writtenSet struct {
	*compiled.OriginSet
	index int // in compiled.Set.originSets
	texts []string
}

// written yields the patterns of the set, without what is malformed.
func (s *writtenSet) patterns() iter.Seq[*origin.Pattern] {
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

// writtenPolicy is a policy as it is written, and what it is compiled to.
type writtenPolicy struct {
	*compiled.Policy
	at      finding.Location
	message *corsprocv1.Policy
	allow   *patternList // also where it has no element
	deny    *patternList
}

// patternList is an allow_origins or deny_origins, or an origin set, that is compiled. Its memory is used again for the
// next one.
type patternList struct {
	at       finding.Location
	texts    []string       // as written
	compiled *match.Origins // the patterns of its own; nil: there are none
	repeated []repetition   // of those
	sets     []setReference
}

// repetition is an element that says the same as an earlier one.
type repetition struct {
	index   int
	earlier compiled.Rule
}

// setReference is a reference to a set that exists.
type setReference struct {
	*writtenSet
	element int // of the list
}

// begin makes the list that of another field.
func (list *patternList) begin(at finding.Location, texts []string) {
	*list = patternList{at: at, texts: texts, repeated: list.repeated[:0], sets: list.sets[:0]}
}

func (list *patternList) add(p *origin.Pattern, i int, rule compiled.Rule) {
	if had := list.compiled.Add(p, uint64(rule)); had != 0 {
		list.repeated = append(list.repeated, repetition{i, compiled.Rule(had)})
	}
}

// position is where a place stands in a file: the indexes of a virtual host and of a route in it, or -1.
type position struct{ host, route int }

func (s position) path() finding.Path {
	if s.host < 0 {
		return "\x00default"
	}
	p := finding.Path("\x00virtual_hosts").Index(s.host)
	if s.route >= 0 {
		p = p.Name("routes").Index(s.route)
	}
	return p
}

// placeMessage is what default, virtual hosts and routes have in common.
type placeMessage interface {
	GetPolicies() *corsprocv1.PolicyList
	GetCandidates() *corsprocv1.PolicyList
	GetUnmatchedPreflights() corsprocv1.UnmatchedPreflights
	GetReject() corsprocv1.Reject
	GetTimingAllowOrigins() *corsprocv1.OriginList
}

// places yields every place of a file, and where it stands.
func places(set *corsprocv1.PolicySet) iter.Seq2[position, placeMessage] {
	return func(yield func(position, placeMessage) bool) {
		if d := set.GetDefault(); d != nil && !yield(position{-1, -1}, d) {
			return
		}
		for i, h := range set.GetVirtualHosts() {
			if !yield(position{i, -1}, h) {
				return
			}
			for j, r := range h.GetRoutes() {
				if !yield(position{i, j}, r) {
					return
				}
			}
		}
	}
}
