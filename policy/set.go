package policy

import (
	"iter"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Source is one policy file's content under the name by which findings call it.
type Source struct {
	Name string
	Set  *corsprocv1.PolicySet
}

// Set is a compiled policy set: immutable, and safe for use by any number of goroutines.
type Set struct{}

// Compile compiles the sources into one set. It reports everything it finds in all of them, in no particular order; if
// any of it is an [Error], there is no set. The sources are read only during the call. No source at all makes an empty
// set, in which every request is passed through.
func Compile(sources ...Source) (*Set, []Finding) { panic("todo") }

// Decide decides about one request. It allocates nothing for requests whose authority is lower-case and whose path can
// be read in one way only.
func (s *Set) Decide(r *Request) Decision { panic("todo") }

// Rule is a small reference to the part of a set that made a decision. The zero value refers to nothing.
type Rule uint64

// Locate returns where a rule of this set stands. It reports false for the zero rule.
func (s *Set) Locate(r Rule) (Place, bool) { panic("todo") }

// VirtualHosts yields the names by which metrics and messages call the places of the set: every virtual host's name,
// else its first domain, and "default".
func (s *Set) VirtualHosts() iter.Seq[string] { panic("todo") }

// Policies yields the names of the set's policies, without the built-in ones.
func (s *Set) Policies() iter.Seq[string] { panic("todo") }
