//go:build real

package realtest

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit/mutants"
)

func TestEachEditOfTheShippedPoliciesIsFoundWithAWitness(t *testing.T) {
	shipped := mutants.Shipped(t)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, m := range mutants.All() {
		t.Log(m.Row(m.Check(t, shipped, m.Side(t), now)))
	}
}
