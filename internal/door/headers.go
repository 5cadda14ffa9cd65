package door

import (
	"maps"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// LowerNames returns headers with lower-case names, as authz.Request has them. The values of names that differ only in
// case are joined, so that no second credential hides behind a capital letter. They are joined in the order of the
// names as they were, so that the same call always asks the same.
func LowerNames(headers map[string][]string) map[string][]string {
	clean := true
	for name := range headers {
		if httpuri.Lower(name) != name {
			clean = false
			break
		}
	}
	if clean {
		return headers
	}
	out := make(map[string][]string, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower := httpuri.Lower(name)
		out[lower] = append(out[lower], headers[name]...)
	}
	return out
}
