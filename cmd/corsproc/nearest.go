package main

// nearest returns the known name that s was most likely meant to be, or "" if none is near: more than a third of it
// would have to change.
func nearest(s string, known []string) string {
	best, least := "", len(s)/3+1
	for _, k := range known {
		if d := distance(s, k); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance returns how many bytes have to be inserted, removed or replaced to turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
