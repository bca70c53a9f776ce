package match

// Tested by policy/naive_test.go.

import (
	"slices"
	"strings"
)

// Globs finds the longest pattern that matches a name, where a "*" in a pattern stands for any run of characters, also
// none. Patterns are kept by what stands before their first star, so that the usual ones (shop/web/*) cost one look-up
// for each length of such a prefix, however many there are.
type Globs struct {
	byPrefix map[string][]globGroup
	lens     []int // of byPrefix's keys, longest first
}

// globGroup holds the patterns of one length and one prefix. The groups of a prefix are sorted from the longest to the
// shortest.
type globGroup struct {
	length   int
	patterns []glob
}

type glob struct {
	pattern string
	value   int
}

// Add takes a pattern in, with the value that it is found as.
func (g *Globs) Add(pattern string, value int) {
	prefix, _, _ := strings.Cut(pattern, "*")
	if g.byPrefix == nil {
		g.byPrefix = make(map[string][]globGroup)
	}
	AddLength(&g.lens, len(prefix))
	groups := g.byPrefix[prefix]
	at, found := slices.BinarySearchFunc(groups, len(pattern), func(have globGroup, want int) int { return want - have.length })
	if !found {
		groups = slices.Insert(groups, at, globGroup{length: len(pattern)})
		g.byPrefix[prefix] = groups
	}
	groups[at].patterns = append(groups[at].patterns, glob{pattern, value})
}

// Find returns the value of the longest pattern that matches; of equally long ones that of the first added among those
// with the longest part before the star.
func (g *Globs) Find(name string) (value int, ok bool) {
	best := -1
	for _, n := range g.lens {
		if n > len(name) {
			continue
		}
		for _, group := range g.byPrefix[name[:n]] {
			if group.length <= best {
				break
			}
			if i := slices.IndexFunc(group.patterns, func(c glob) bool { return GlobMatch(c.pattern, name) }); i >= 0 {
				value, best, ok = group.patterns[i].value, group.length, true
				break
			}
		}
	}
	return value, ok
}

// GlobMatch reports whether a pattern matches the whole of name. It takes time proportional to the product of their
// lengths at worst.
func GlobMatch(pattern, name string) bool {
	// What stands behind the last star is the end of the name. Most patterns fail here at once.
	for pattern != "" && pattern[len(pattern)-1] != '*' {
		if name == "" || name[len(name)-1] != pattern[len(pattern)-1] {
			return false
		}
		pattern, name = pattern[:len(pattern)-1], name[:len(name)-1]
	}
	if pattern == "" {
		return name == ""
	}
	star, resume := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0: // let the last star take one more
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// IsGlob reports whether a name is a pattern.
func IsGlob(name string) bool { return strings.Contains(name, "*") }
