//go:build real

package realtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const (
	prometheusFolder = "../../deploy/prometheus"
	dashboardFile    = "../../deploy/grafana/sidecar.json"
)

func TestPrometheusFiles(t *testing.T) {
	promtool := tool(t, "promtool", "apt-get install --no-install-recommends prometheus")
	for _, args := range []string{"check rules rules.yaml", "test rules rules_test.yaml", "check config scrape.yaml"} {
		t.Log(command(t, 5*time.Minute, prometheusFolder, promtool, strings.Fields(args)...))
	}
}

func TestGrafanaDashboard(t *testing.T) {
	t.Parallel()
	program := goProgram(t, "dashboard")
	if _, refusals := verdict(t, program, dashboardFile); refusals != "" {
		t.Fatalf("the dashboard is refused:\n%s", refusals)
	}
	text := testkit.ReadFile(t, dashboardFile)
	for right, wrong := range map[string]string{`"gridPos"`: `"gridpos"`, `"expr"`: `"query"`,
		`"showLegend"`:      `"legend"`,
		`"fillOpacity": 10`: `"fillOpacity": "ten"`, `"multi": true`: `"many": true`} {
		bad := strings.ReplaceAll(text, right, wrong)
		if _, refusals := verdict(t, program, testkit.TempFile(t, "bad.json", bad)); bad == text || refusals == "" {
			t.Errorf("a dashboard with %s in place of %s is accepted", wrong, right)
		}
	}
}

// TestMonitoring has a Prometheus read a sidecar that decides, by the files that are shipped, and asks it what the
// dashboard asks.
func TestMonitoring(t *testing.T) {
	sc, tokens := monitored(t)
	p := startPrometheus(t, sc)
	traffic := func() {
		for _, token := range tokens {
			for _, method := range []string{"GET", "POST"} {
				sc.decide(t, question{token: token, method: method, path: "/orders"})
			}
		}
	}
	missing := panelQueries(t)
	t.Logf("the dashboard has %d queries", len(missing))
	defer func() {
		if len(missing) > 0 {
			t.Errorf("no answer to %v", missing)
		}
	}()
	testkit.Eventually(t, "every query of the dashboard has an answer", func() bool {
		traffic()
		missing = slices.DeleteFunc(missing, func(q panelQuery) bool { return p.answered(t, q) })
		return len(missing) == 0
	})
	p.checkVariables(t)
	p.checkRules(t)
}
