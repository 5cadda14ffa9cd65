//go:build real

package realtest

import (
	"os"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit/mutants"
)

// TestEachEditOfTheShippedPoliciesIsFoundWithAWitness takes every fifth edit, or all of them where SIDECAR_EDITS is
// "all", which takes minutes.
func TestEachEditOfTheShippedPoliciesIsFoundWithAWitness(t *testing.T) {
	t.Parallel()
	shipped := mutants.Shipped(t)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for i, m := range mutants.All() {
		if i%5 != 0 && os.Getenv("SIDECAR_EDITS") != "all" {
			continue
		}
		t.Log(m.Row(m.Check(t, shipped, m.Side(t), now)))
	}
}
