package policyfile

import (
	"slices"
	"strings"
	"unicode"
)

// nearest returns the known word that a mistyped one must have meant, or nothing if that is not clear. word is in the
// spelling of the known ones (snakeCase).
func nearest(word string, known []string) string {
	const tooLong = 64 // no known word comes near it
	if len(word) == 0 || len(word) > tooLong {
		return ""
	}
	if slices.Contains(known, word) {
		return word
	}
	best, bestDistance, tie := "", tooLong, false
	for _, k := range known {
		if d := distance(word, k); d < bestDistance {
			best, bestDistance, tie = k, d, false
		} else if d == bestDistance {
			tie = true
		}
	}
	if !tie && bestDistance <= 1+len(best)/5 {
		return best
	}
	// credentials for allow_credentials: the end of one known word only.
	best = ""
	for _, k := range known {
		if strings.HasSuffix(k, "_"+word) {
			if best != "" {
				return ""
			}
			best = k
		}
	}
	return best
}

// distance returns how many bytes have to be inserted, removed, replaced or swapped with their neighbour to make b of a.
func distance(a, b string) int {
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

// snakeCase spells allowOrigins, Allow-Origins and "allow origins" as allow_origins.
func snakeCase(s string) string {
	var b strings.Builder
	lower := false
	for _, r := range s {
		switch {
		case r == '-' || r == ' ':
			r = '_'
		case unicode.IsUpper(r) && lower:
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r) || unicode.IsDigit(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// upperSnakeCase spells unsafeMethods and unsafe-methods as UNSAFE_METHODS.
func upperSnakeCase(s string) string { return strings.ToUpper(snakeCase(s)) }
