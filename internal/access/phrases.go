package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// Phrases are constraints in the words of a report, in its order, as of a time: "scopes contains orders:read". A text
// that is one of segments, those of the path of a request, is told by its number: "tenant = segment 1".
func Phrases(constraints []partial.Constraint, now time.Time, segments []string) []string {
	s := &speaker{now: now, segment: func(text string) (int, bool) {
		i := slices.Index(segments, text)
		return i, i >= 0 && !slices.Contains(segments[i+1:], text)
	}}
	out := []string{}
	for _, c := range s.conditions(constraints) {
		text := c.Text
		for _, value := range segments {
			text = strings.TrimSuffix(text, " ("+s.value(value)+")")
		}
		out = append(out, text)
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
