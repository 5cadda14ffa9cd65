package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestReadinessFollowsTheCanary: a server that no longer tells the sidecar about tokens takes the sidecar out of
// service, and an answer brings it back.
func TestReadinessFollowsTheCanary(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Canary.Every = time.Second
		c.Issuers[0].Canary.Scope = []string{"denied:scope"}
	})
	testkit.Eventually(t, "the sidecar is not ready", func() bool { return !w.status(t).Ready })
	if s := w.status(t); !strings.Contains(s.Issuers[0].Canary, "status 40") {
		t.Errorf("the operator is told %q", s.Issuers[0].Canary)
	}
	resp, err := http.Get(w.api + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz is %d", resp.StatusCode)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"because": "canary"`) ||
		!strings.Contains(string(body), `the canary of issuer \"dev\" does not come back since `) ||
		!strings.Contains(string(body), "the authorization server refuses the sidecar or its request") ||
		strings.Contains(string(body), "status 40") {
		t.Errorf("a probe is told %s, %v", body, err)
	}
	if s := w.issuerStatus(t); s.CanaryOutcome != status.CanaryRefused || s.CanarySince.IsZero() || s.Healthy ||
		fault(s, status.PartCanary).Cause != s.Canary {
		t.Errorf("status %+v", s)
	}
	if !strings.Contains(w.get(t, "/metrics"), `sidecar_introspect_canary_failing{issuer="dev"} 1`) {
		t.Error("the metrics do not show it")
	}
	if got := w.ask(t, w.token(t, good())); !got.Allow {
		t.Errorf("a good token is %s: the canary decides nothing", got.Kind)
	}
}
