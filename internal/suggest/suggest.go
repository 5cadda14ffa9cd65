// Package suggest finds what a misspelt word was probably meant to be.
package suggest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Closest returns the candidate that word was most likely meant to be, or "" when none is similar.
func Closest(word string, candidates []string) string {
	word = strings.ToLower(word)
	// every name of one letter is one change from every other
	best, least := "", min(2+len(word)/4, 4, max(len(word), 1))
	for _, c := range candidates {
		if max(len(word)-len(c), len(c)-len(word)) >= least {
			continue // the lengths alone are too far apart; a word may be as long as a file
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

// distance is the Levenshtein distance of a and b, where one swap of two neighbours counts as one change.
func distance(a, b string) int {
	d := levenshtein.ComputeDistance(a, b)
	if d < 2 || d > 8 {
		return d
	}
	for i := 1; i < len(a); i++ {
		swapped := a[:i-1] + a[i:i+1] + a[i-1:i] + a[i+1:]
		d = min(d, 1+levenshtein.ComputeDistance(swapped, b))
	}
	return d
}
