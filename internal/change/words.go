package change

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// listed is a list in a sentence: the first of it, and how many there are besides.
func listed(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// by says where something is, a line for each place, five at most.
func by(places []meaning.Place) (out []string) {
	for i, p := range places {
		if i == 5 {
			return append(out, fmt.Sprintf("and at %d more places", len(places)-i))
		}
		out = append(out, "by "+cmp.Or(p.Rule, "the policies")+" at "+at(p))
	}
	return out
}

// at is the file and row of a place.
func at(p meaning.Place) string {
	if p.Row == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Row)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
