package inventory

import "strings"

// nearest returns which of found is closest to one of names, "" when more than a
// third of a name would have to change.
func nearest(names, found []string) string {
	best, least := "", -1
	for _, name := range names {
		for _, f := range found {
			if len(f) > 2*len(name)+4 {
				continue // far away, and as long as the input likes
			}
			d := edits(strings.ToLower(name), strings.ToLower(f))
			if d <= len(name)/3+1 && (least < 0 || d < least) {
				best, least = f, d
			}
		}
	}
	return best
}

// edits counts the bytes to insert, delete or replace between a and b (Levenshtein).
func edits(a, b string) int {
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		diagonal := above[0]
		above[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, above[j], above[j+1])
			}
			diagonal, above[j+1] = above[j+1], cost
		}
	}
	return above[len(b)]
}
