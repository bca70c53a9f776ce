package policy

import (
	"slices"
	"strings"
)

// globs finds the longest pattern that matches a name, where a "*" in a pattern stands for any run of characters, also
// none. Patterns are kept by what stands before their first star, so that the usual ones (shop/web/*) cost one look-up
// for each length of such a prefix, however many there are.
type globs struct {
	byPrefix map[string][]glob
	lens     []int // of byPrefix's keys, sorted
}

type glob struct {
	pattern string
	value   int
}

func (g *globs) add(pattern string, value int) {
	prefix, _, _ := strings.Cut(pattern, "*")
	if g.byPrefix == nil {
		g.byPrefix = make(map[string][]glob)
	}
	if i, found := slices.BinarySearch(g.lens, len(prefix)); !found {
		g.lens = slices.Insert(g.lens, i, len(prefix))
	}
	list := append(g.byPrefix[prefix], glob{pattern, value})
	slices.SortStableFunc(list, func(a, b glob) int { return len(b.pattern) - len(a.pattern) })
	g.byPrefix[prefix] = list
}

// find returns the value of the longest pattern that matches; of equally long ones that of the first added among those
// with the longest part before the star.
func (g *globs) find(name string) (value int, ok bool) {
	best := -1
	for i := len(g.lens) - 1; i >= 0; i-- {
		n := g.lens[i]
		if n > len(name) {
			continue
		}
		for _, c := range g.byPrefix[name[:n]] {
			if len(c.pattern) <= best {
				break
			}
			if globMatch(c.pattern, name) {
				value, best, ok = c.value, len(c.pattern), true
				break
			}
		}
	}
	return value, ok
}

// globMatch reports whether a pattern matches the whole of name. It takes time proportional to the product of their
// lengths at worst.
func globMatch(pattern, name string) bool {
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
