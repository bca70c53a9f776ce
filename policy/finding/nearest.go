package finding

// Tested by finding_test.go.

import (
	"iter"
	"strings"
)

const (
	// maxNearestLen bounds the words that are compared, in bytes: nobody mistypes a longer one by a letter.
	maxNearestLen = 200
	// maxNearest bounds how many words are compared: a suggestion is not worth more time.
	maxNearest = 10_000
	// maxNearColumns is more than the length of a word that is near to one of maxNearestLen.
	maxNearColumns = maxNearestLen*5/4 + 3
)

// Nearest returns the known name that a mistyped one was meant to be, or "" where that is not clear: none is near, or two
// are equally near. Nearest is what differs by case alone; near is one letter that is inserted, removed, replaced or swapped
// with its neighbour, and one more for every five of the known name. Words of more than 200 bytes are near to nothing, and
// neither is anything where more than 10,000 names are known.
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
			continue // k is shorter than maxNearColumns, too
		}
		d := 0
		if !strings.EqualFold(word, k) {
			d = editDistance(word, k)
		}
		switch {
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
// of a (optimal string alignment). b has less than maxNearColumns bytes.
func editDistance(a, b string) int {
	var rows [3][maxNearColumns]int16
	before, row, next := &rows[0], &rows[1], &rows[2] // before: the row before the previous one
	for j := range len(b) + 1 {
		row[j] = int16(j)
	}
	for i := range len(a) {
		next[0] = int16(i + 1)
		for j := range len(b) {
			cost := int16(1)
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return int(row[len(b)])
}
