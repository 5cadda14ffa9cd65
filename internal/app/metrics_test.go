package app

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

var (
	typeLine  = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	guideLine = regexp.MustCompile("(?m)^\\| `(sidecar_[a-z_]+)` \\| (counter|gauge|histogram)")
)

// everyMetric is the page of a sidecar that has all parts that count something.
func everyMetric(t *testing.T) string {
	t.Helper()
	events := receiving(t, "https://events.example")
	return start(t, func(c *config.Config) {
		events(c)
		signing(t, c)
		c.Issuers[0].Canary.Every = time.Hour
		c.Listen.Metrics.Address, c.Listen.GRPC.Address = "127.0.0.1:0", "127.0.0.1:0"
		c.Listen.ForwardAuth = []forwardauth.Config{{Name: "nginx", Profile: forwardauth.Nginx,
			Config: c.Listen.Metrics, KeyHeader: "x-sidecar-key", Prefix: "/check"}}
		c.Listen.Metrics.TLS.CertFile, c.Listen.Metrics.TLS.KeyFile = testkit.SelfSigned(t).Files(t)
		c.Policies.Sources = []source.Config{packedOrders(t)}
		c.Listen.API.BearerKeysFile = testkit.TempFile(t, "keys", "0123456789abcdef\n")
	}).get(t, "/metrics")
}

// TestTheGuideListsEveryMetric compares docs/operations.md with what a sidecar shows.
func TestTheGuideListsEveryMetric(t *testing.T) {
	t.Parallel()
	page := everyMetric(t)
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown, listed []string
	for _, m := range typeLine.FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[1], "sidecar_") {
			shown = append(shown, m[1]+" "+m[2])
		}
	}
	for _, m := range guideLine.FindAllStringSubmatch(string(guide), -1) {
		listed = append(listed, m[1]+" "+m[2])
	}
	for _, name := range shown {
		if !slices.Contains(listed, name) {
			t.Errorf("the guide does not list %s", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(shown, name) {
			t.Errorf("the sidecar does not show %s", name)
		}
	}
}

func TestEveryMetricFollowsTheNamingRules(t *testing.T) {
	t.Parallel()
	page := everyMetric(t)
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	rule := regexp.MustCompile(
		`^(go|process)_|^sidecar_(app|decision|decisionlog|door|engine|events|introspect|listen|source|token)_[a-z_]+$`)
	for _, m := range typeLine.FindAllStringSubmatch(page, -1) {
		if !rule.MatchString(m[1]) {
			t.Errorf("name %s", m[1])
		}
	}
}
