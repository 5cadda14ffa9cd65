package access

import (
	"fmt"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// Phrases are constraints in the words of a report, in its order, as of a time: "scopes contains orders:read".
func Phrases(constraints []partial.Constraint, now time.Time) []string {
	s := &speaker{now: now, segment: func(string) (int, bool) { return 0, false }}
	out := []string{}
	for _, c := range s.conditions(constraints) {
		out = append(out, c.Text)
	}
	return slices.Compact(out)
}

// Noun is a member of the document in words, by its path below input: "the header x-tenant".
func Noun(path []any) string {
	member := "input"
	for _, part := range path {
		member += fmt.Sprint(".", part)
	}
	return nounOf(member, path)
}
