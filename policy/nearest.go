package policy

import (
	"iter"
	"maps"
)

const (
	// maxNearestLen bounds the words that are compared, in bytes: nobody mistypes a longer one by a letter.
	maxNearestLen = maxName
	// maxNearest bounds how many words are compared: a suggestion is not worth more time.
	maxNearest = 10_000
)

// Nearest returns the known name that a mistyped one was meant to be, or "" where that is not clear: none is near, or two
// are equally near. Near is one letter that is inserted, removed, replaced or swapped with its neighbour, and one more
// for every five of the known name.
func Nearest(word string, known iter.Seq[string]) string {
	if word == "" || len(word) > maxNearestLen {
		return ""
	}
	best, least, tie, seen := "", maxNearestLen, false, 0
	for k := range known {
		if seen++; seen > maxNearest {
			return ""
		}
		if near := 1 + len(k)/5; len(k)-len(word) > near || len(word)-len(k) > near {
			continue
		}
		switch d := editDistance(word, k); {
		case d > 1+len(k)/5 || d >= len(word):
		case d < least:
			best, least, tie = k, d, false
		case d == least:
			tie = true
		}
	}
	if tie {
		return ""
	}
	return best
}

// editDistance returns how many bytes have to be inserted, removed, replaced or swapped with their neighbour to make b
// of a (optimal string alignment).
func editDistance(a, b string) int {
	var before []int // the row before the previous one
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// maxSuggestions bounds for how many unknown names of a set the nearest known one is looked for: a hostile file can hold
// millions.
const maxSuggestions = 1000

// nearestPolicy returns the name that a mistyped one in a list of policies was meant to be.
func (c *compiler) nearestPolicy(name string) string {
	return c.nearest(name, name, func(yield func(string) bool) {
		for known := range c.set.byName { // with none
			if !yield(known) {
				return
			}
		}
		yield(namePassthrough)
	})
}

// nearestOriginSet returns the origin set that a mistyped reference was meant to be.
func (c *compiler) nearestOriginSet(name string) string {
	return c.nearest("@"+name, name, maps.Keys(c.originSets))
}

// nearest returns the known name that is nearest to name, under the key of a reference by that name.
func (c *compiler) nearest(key, name string, known iter.Seq[string]) string {
	near, found := c.suggested[key]
	if !found && len(c.suggested) < maxSuggestions {
		near = Nearest(name, known)
		c.suggested[key] = near
	}
	return near
}
