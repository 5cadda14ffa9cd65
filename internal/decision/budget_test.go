package decision_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestAKnownTokenIsDecidedInFewAllocations holds what a decision may cost where claims and verdict are known: its
// record, its id, the document, the segments of the path, and the token.
func TestAKnownTokenIsDecidedInFewAllocations(t *testing.T) {
	w, q := known(t, true)
	const budget = 6 // one more than there are: a pool may have been emptied
	testkit.WithinAllocations(t, budget, func() {
		if d := w.point.Decide(t.Context(), q); d.Kind != authz.Allow {
			t.Fatalf("not allowed: %v", d.Cause)
		}
	})
}
