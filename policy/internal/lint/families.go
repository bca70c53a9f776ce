package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"iter"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// maxFamilies bounds how many families of a list are counted. Of a list that has more the first are.
const maxFamilies = 10_000

// deepest is of how many domains above a host its origin is counted: of deeper hosts the others count for nothing.
const deepest = 8

// families counts, for each domain, how many exact origins of a list are subdomains of it on the same scheme and port.
type families struct {
	size  int // of the list
	found map[familyKey]members
}

// familyKey is a domain with its subdomains.
type familyKey struct {
	scheme, domain string
	port           int32
}

// members are what of a list is a subdomain of a domain.
type members struct{ count, first int } // first is the element

// family is a domain with them.
type family struct {
	familyKey
	members
}

// begin forgets all and takes up a list.
func (f *families) begin(texts []string) {
	f.size = len(texts)
	if f.size < manyExact {
		return // it has no large family
	}
	if f.found == nil || len(f.found) > 1000 { // to clear a map costs what its largest size did
		f.found = map[familyKey]members{}
	}
	clear(f.found)
}

// add counts element i of the list, where it is an exact origin, for each domain above its host but the top-level one.
func (f *families) add(p *origin.Pattern, i int) {
	if f.size < manyExact || !p.IsExact() || origin.IsIPv4(p.Origin.Host) {
		return
	}
	o := &p.Origin
	for parent := range parents(o.Host) {
		key := familyKey{o.Scheme, parent, o.Port}
		had, known := f.found[key]
		switch {
		case !known && len(f.found) == maxFamilies:
			continue
		case !known:
			had.first = i
		}
		had.count++
		f.found[key] = had
	}
}

// atLeast returns the families of at least n origins.
func (f *families) atLeast(n int) (found []family) {
	if f.size < manyExact {
		return nil
	}
	for key, m := range f.found {
		if m.count >= n {
			found = append(found, family{key, m})
		}
	}
	return found
}

// parents yields the domains above a host of an origin, the nearest first, without the top-level one.
func parents(host string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range deepest {
			_, parent, ok := strings.Cut(host, ".")
			if !ok || !strings.Contains(parent, ".") || !yield(parent) {
				return
			}
			host = parent
		}
	}
}
