package compiled

// Tested by policy/cases_test.go and policy/naive_test.go.

import (
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
)

// Set is a compiled policy set. Its zero value is no set: compiling makes the place of requests that belong to no
// virtual host.
type Set struct {
	Sources    []string // the names of the files
	Policies   []*Policy
	ByName     map[string]*Policy // with none
	OriginSets []*OriginSet
	Hosts      []VirtualHost // the first is default

	Patterns match.OriginIndex // of all policies and origin sets
	Names    match.Index       // virtual host names, exact and with a star; the latter only to be told of
	Globs    match.Globs       // virtual host names with a star
	Domains  match.Domains
}

// The spaces of Set.names. The numbers are the indexes in Set.hosts.
const (
	NameExact = iota
	NameGlob
)

// OriginSet is an entry of origin_sets or of origin_files. The policies that refer to it share its patterns.
type OriginSet struct {
	Name   string
	Source int32 // in Set.sources
	File   bool  // its patterns are the lines of a file of their own
	Lines  int32 // that file, in Set.sources
	match.Origins
}

// The built-in policies.
const (
	NameNone        = "none"
	NamePassthrough = "passthrough"
)

// DefaultLabel is how default is called in metrics and messages.
const DefaultLabel = "default"

// HostIndex returns the index of a request's virtual host: by Envoy's name for it, where that is told, then by the
// authority, then default.
func (s *Set) HostIndex(name, authority string) int {
	if name != "" {
		if i := s.Names.Find(NameExact, name); i != 0 {
			return int(i)
		}
		if i, ok := s.Globs.Find(name); ok {
			return i
		}
	}
	return s.Domains.Find(authority)
}

// Named returns the list that a text names, in which names are separated by commas. Where that is of several policies, the
// list is empty, and names are theirs. It reports false for a name that does not exist and for a list that a file could not
// hold.
func (s *Set) Named(text string) (l *List, names string, ok bool) {
	if fetch.TrimBlanks(text) == NamePassthrough {
		return &PassthroughList, "", true
	}
	var first *Policy
	n, builtin := 0, false
	for rest, more := text, true; more; n++ {
		var name string
		name, rest, more = strings.Cut(rest, ",")
		p, ok := s.ByName[fetch.TrimBlanks(name)]
		if !ok {
			return &NamedList, "", false
		}
		if n == 0 {
			first = p
		}
		builtin = builtin || p.Builtin
	}
	if n == 1 {
		return &first.Alone, "", true
	}
	return &NamedList, text, !builtin
}
