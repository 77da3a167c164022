package envelope

import (
	"slices"
	"strings"
)

// Nearest returns the known word that is closest to word, for error messages, or
// "" when none is near: at most a third of the word may differ (edit
// distance without regard to case).
func Nearest(word string, known []string) string {
	best, distance := "", len(word)/3+2
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := edits(strings.ToLower(word), strings.ToLower(k), distance); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours
// between a and b, in bytes (optimal string alignment). limit is returned for
// whatever is not closer than limit, so that long hostile words cost nothing.
func edits(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit || len(a) > 256 {
		return limit
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range len(a) {
		before, above, row := rows[i%3], rows[(i+1)%3], rows[(i+2)%3]
		row[0] = i + 1
		for j := range len(b) {
			cost := above[j]
			if a[i] != b[j] {
				cost = 1 + min(above[j], above[j+1], row[j])
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				cost = min(cost, before[j-1]+1)
			}
			row[j+1] = cost
		}
	}
	return min(rows[(len(a)+1)%3][len(b)], limit)
}
