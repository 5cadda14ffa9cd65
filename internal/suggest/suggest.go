// Package suggest finds what a misspelt word was probably meant to be.
package suggest

import "strings"

// Closest returns the candidate that word was most likely meant to be, or "" when none is near.
func Closest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, least := "", min(2+len(word)/4, 4, max(len(word), 1)) // of a name of one letter, another one is no spelling
	for _, c := range candidates {
		if max(len(word)-len(c), len(c)-len(word)) >= least {
			continue // too far apart by their lengths alone; a word may be as long as a file
		}
		if d := distance(word, strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// Within reports whether at most n insertions, deletions, replacements and swaps of neighbours turn a into b.
func Within(a, b string, n int) bool {
	return max(len(a)-len(b), len(b)-len(a)) <= n && distance(a, b) <= n
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b.
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
