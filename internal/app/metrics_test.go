package app

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

var (
	typeLine  = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	guideLine = regexp.MustCompile("(?m)^\\| `(sidecar_[a-z_]+)` \\| (counter|gauge|histogram)")
)

// TestTheGuideListsEveryMetric compares docs/operations.md with what a sidecar shows.
func TestTheGuideListsEveryMetric(t *testing.T) {
	t.Parallel()
	page := start(t, receiving(t, "https://events.example")).get(t, "/metrics")
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
	page := start(t, receiving(t, "https://events.example")).get(t, "/metrics")
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	rule := regexp.MustCompile(`^(go|process)_|^sidecar_(app|decision|decisionlog|engine|events|introspect|token)_[a-z_]+$`)
	for _, m := range typeLine.FindAllStringSubmatch(page, -1) {
		if !rule.MatchString(m[1]) {
			t.Errorf("name %s", m[1])
		}
	}
}
