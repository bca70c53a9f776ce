package diff

// Tested by policy/diff_test.go and policy/growth_test.go.

import (
	"cmp"
	"slices"
)

// The place of a request is the first route that covers its name or its path: of what a name finds in both sets, and what
// a path finds there, the smaller number counts in each set. Here it is told which answers matter, in time that grows
// with their number and with what comes out, not with the number of combinations.

// maxCombinations bounds the combinations of a name and a path that are looked at where the one decides in the old set
// and the other in the new. They occur where routes by name and routes by path change places.
const maxCombinations = 100_000

// combination is a request of whose name and path each decides in one of the sets.
type combination struct{ name, path routeMatch }

func (c combination) pair() routeMatch {
	return routeMatch{min(c.name.before, c.path.before), min(c.name.after, c.path.after)}
}

// sortedMatches returns the keys by their before, and by their after where that is the same.
func (found foundRoutes) sortedMatches() []routeMatch {
	list := make([]routeMatch, 0, len(found))
	for m := range found {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b routeMatch) int {
		return cmp.Or(cmp.Compare(a.before, b.before), cmp.Compare(a.after, b.after))
	})
	return list
}

// decisive returns what of some answers decides in both sets, for at least one answer of the other kind.
func decisive(some, others foundRoutes) (list []routeMatch) {
	sorted, rest := some.sortedMatches(), others.sortedMatches()
	last := -1 // the largest after of the others whose before is not smaller
	for i := len(sorted) - 1; i >= 0; i-- {
		m := sorted[i]
		for len(rest) > 0 && rest[len(rest)-1].before >= m.before {
			last = max(last, rest[len(rest)-1].after)
			rest = rest[:len(rest)-1]
		}
		if last >= m.after {
			list = append(list, m)
		}
	}
	return list
}

// combinations returns the combinations in which the name decides in one set and the path in the other.
func combinations(names, paths foundRoutes) (list []combination) {
	crossing(names, paths, func(name, path routeMatch) bool {
		list = append(list, combination{name, path})
		return len(list) < maxCombinations
	})
	crossing(paths, names, func(path, name routeMatch) bool {
		list = append(list, combination{name, path})
		return len(list) < maxCombinations
	})
	return list
}

// crossing calls yield for every pair of which the first decides in the old set and the second in the new, until it
// returns false.
func crossing(firsts, seconds foundRoutes, yield func(first, second routeMatch) bool) {
	sorted := seconds.sortedMatches()
	least := newLeastAfter(sorted)
	for _, first := range firsts.sortedMatches() {
		if first.before == noneCovers {
			return // nothing comes after that
		}
		from, _ := slices.BinarySearchFunc(sorted, first.before+1, func(m routeMatch, before int) int { return cmp.Compare(m.before, before) })
		if !least.below(first.after, from, func(i int) bool { return yield(first, sorted[i]) }) {
			return
		}
	}
}

// leastAfter finds the answers of a part of a list whose after is less than a number. It is a tree, the root at 1, in
// which the children of i are 2i and 2i+1; each node has the least after of the part of the list that is under it.
type leastAfter struct {
	nodes  []int
	leaves int // a power of two
}

func newLeastAfter(list []routeMatch) *leastAfter {
	t := &leastAfter{leaves: 1}
	for t.leaves < len(list) {
		t.leaves *= 2
	}
	t.nodes = make([]int, 2*t.leaves)
	for i := range t.nodes {
		t.nodes[i] = noneCovers
	}
	for i, m := range list {
		t.nodes[t.leaves+i] = m.after
	}
	for i := t.leaves - 1; i > 0; i-- {
		t.nodes[i] = min(t.nodes[2*i], t.nodes[2*i+1])
	}
	return t
}

// below yields the indexes, at or behind from, whose after is less than a number, until yield returns false, which it
// returns then.
func (t *leastAfter) below(after, from int, yield func(i int) bool) bool {
	return t.belowNode(1, 0, t.leaves, after, from, yield)
}

// belowNode is below for a node, which covers size indexes from first on.
func (t *leastAfter) belowNode(node, first, size, after, from int, yield func(i int) bool) bool {
	switch {
	case t.nodes[node] >= after || first+size <= from:
		return true
	case size == 1:
		return yield(first)
	}
	half := size / 2
	return t.belowNode(2*node, first, half, after, from, yield) && t.belowNode(2*node+1, first+half, half, after, from, yield)
}
