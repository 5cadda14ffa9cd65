package app

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestRefusedPoliciesAreAskedAboutAgainWhenTheirTestsChange: until then the answer is known.
func TestRefusedPoliciesAreAskedAboutAgainWhenTheirTestsChange(t *testing.T) {
	t.Parallel()
	own := filepath.Join(t.TempDir(), "mark_test.rego")
	expects := func(n string) {
		testkit.WriteFile(t, own, "package mark_test\n\ntest_mark if data.mark.x == "+n+"\n")
	}
	expects("1")
	w := start(t, func(c *config.Config) {
		testkit.WriteFile(t, filepath.Join(c.Policies.Paths[0], "mark.rego"), "package mark\n\nx := 1\n")
		c.Policies.Gate.Retry = time.Second
		c.Policies.Gate.Tests = gate.Tests{Mode: gate.Refuse, Paths: []string{filepath.Dir(own)}}
	})
	before := w.status(t).Policy.Digest
	testkit.WriteFile(t, w.policyFile("mark.rego"), "package mark\n\nx := 2\n")
	testkit.Eventually(t, "the change is refused", func() bool { return !w.status(t).Policy.Healthy })
	s := w.status(t).Policy
	if s.Digest != before || s.Gates == nil || s.Gates.Admitted || s.Gates.Digest == before {
		t.Fatalf("status %+v, gates %+v", s, s.Gates)
	}
	expects("2")
	testkit.Eventually(t, "the policies are admitted now", func() bool {
		s := w.status(t).Policy
		return s.Healthy && s.Digest != before && s.Gates.Admitted
	})
	if !strings.Contains(w.get(t, "/metrics"), "\nsidecar_app_gate_refusals_total{gate=\"tests\"} 1\n") {
		t.Error("the metrics do not count one refusal")
	}
}
