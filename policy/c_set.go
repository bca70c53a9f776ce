package policy

import (
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
)

// compiledSet is a compiled policy set. Its zero value is no set: compiling makes the place of requests that belong to no
// virtual host.
type compiledSet struct {
	sources    []string // the names of the files
	policies   []*grant
	byName     map[string]*grant // with none
	originSets []*originSet
	hosts      []virtualHost // the first is default

	patterns match.OriginIndex // of all policies and origin sets
	names    match.Index       // virtual host names, exact and with a star; the latter only to be told of
	globs    match.Globs       // virtual host names with a star
	domains  match.Domains
}

// The spaces of compiledSet.names. The numbers are the indexes in compiledSet.hosts.
const (
	nameExact = iota
	nameGlob
)

// originSet is an entry of origin_sets. The policies that refer to it share its patterns.
type originSet struct {
	name   string
	source int32 // in compiledSet.sources
	match.Origins
}

// The built-in policies.
const (
	nameNone        = "none"
	namePassthrough = "passthrough"
)

// defaultLabel is how default is called in metrics and messages.
const defaultLabel = "default"

// hostIndex returns the index of a request's virtual host: by Envoy's name for it, where that is told, then by the
// authority, then default.
func (s *compiledSet) hostIndex(name, authority string) int {
	if name != "" {
		if i := s.names.Find(nameExact, name); i != 0 {
			return int(i)
		}
		if i, ok := s.globs.Find(name); ok {
			return i
		}
	}
	return s.domains.Find(authority)
}

// named returns the list that a text names, in which names are separated by commas. Where that is of several policies, the
// list is empty, and names are theirs. It reports false for a name that does not exist and for a list that a file could not
// hold.
func (s *compiledSet) named(text string) (l *list, names string, ok bool) {
	if fetch.TrimBlanks(text) == namePassthrough {
		return &passthroughList, "", true
	}
	var first *grant
	n, builtin := 0, false
	for rest, more := text, true; more; n++ {
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
	return &namedList, text, !builtin
}
