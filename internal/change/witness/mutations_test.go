package witness_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit/mutants"
)

// The whole study is in package realtest.
func TestEachUsualEditOfTheShippedPoliciesIsFoundWithAWitness(t *testing.T) {
	shipped := mutants.Shipped(t)
	for _, m := range mutants.Usual() {
		edited := m.Side(t)
		f := m.Check(t, shipped, edited, now)
		verify(t, shipped, edited, f)
		t.Log(m.Row(f))
	}
}
