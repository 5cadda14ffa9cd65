package decision_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestAKnownTokenIsDecidedInFewAllocations holds what a decision may cost where claims and verdict are known: its
// record, its id, the document, the segments of the path, and the token.
func TestAKnownTokenIsDecidedInFewAllocations(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	w, q := known(t, true)
	got := testing.AllocsPerRun(2000, func() {
		if d := w.point.Decide(t.Context(), q); d.Kind != authz.Allow {
			t.Fatalf("not allowed: %v", d.Cause)
		}
	})
	if got > 6 { // one more than there are: a pool may have been emptied
		t.Errorf("%v allocations", got)
	}
}
