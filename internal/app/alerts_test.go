package app

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const (
	rulesFile     = "../../deploy/prometheus/rules.yaml"
	rulesTestFile = "../../deploy/prometheus/rules_test.yaml"
	dashboardFile = "../../deploy/grafana/sidecar.json"
	guideFile     = "../../docs/operations.md"
)

// alert is one alert as a row of the guide: its name, expression, for, and severity.
type alert [4]string

func shippedAlerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For string
				Labels           struct{ Severity string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(testkit.ReadFile(t, rulesFile)), &file); err != nil {
		t.Fatal(err)
	}
	var alerts []alert
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			alerts = append(alerts, alert{r.Alert, strings.Join(strings.Fields(r.Expr), " "), r.For,
				r.Labels.Severity})
		}
	}
	return alerts
}

// TestTheGuideListsEveryAlert compares docs/operations.md with deploy/prometheus/rules.yaml.
func TestTheGuideListsEveryAlert(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| `(Sidecar\\w+)` \\| `(.+?)` \\| (\\w+) \\| (\\w+) \\| \\S")
	var listed []alert
	for _, m := range row.FindAllStringSubmatch(testkit.ReadFile(t, guideFile), -1) {
		listed = append(listed, alert{m[1], strings.ReplaceAll(m[2], `\|`, "|"), m[3], m[4]})
	}
	shipped := shippedAlerts(t)
	for _, a := range shipped {
		if !slices.Contains(listed, a) {
			t.Errorf("the guide does not list %q", a)
		}
	}
	for _, a := range listed {
		if !slices.Contains(shipped, a) {
			t.Errorf("the rules have no %q", a)
		}
	}
}

// TestEveryAlertHasATest asks for each alert among those that "promtool test rules" expects to fire.
func TestEveryAlertHasATest(t *testing.T) {
	t.Parallel()
	tests := testkit.ReadFile(t, rulesTestFile)
	for _, a := range shippedAlerts(t) {
		if !strings.Contains(tests, `{alertname="`+a[0]+`", instance="sick", severity="`+a[3]+`"}', value: 1}`) {
			t.Errorf("no test expects %s of severity %s", a[0], a[3])
		}
	}
}

// selector is a metric and the matchers that follow it.
var (
	selector = regexp.MustCompile(`\b((?:sidecar|process|go)_[a-z_]+)\b(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)=(~?)"([^"]*)"`)
)

// TestWhatIsMonitoredExists looks for every metric, label and value that rules, their tests, dashboard and guide name
// in the page of a sidecar that has all parts.
func TestWhatIsMonitoredExists(t *testing.T) {
	t.Parallel()
	series := seriesByName(everyMetric(t))
	for _, file := range []string{rulesFile, rulesTestFile, dashboardFile, guideFile} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.NewReplacer(`\"`, `"`, `\|`, "|").Replace(string(text)) // of JSON, and of tables
		asked := selector.FindAllStringSubmatch(plain, -1)
		if len(asked) < 10 {
			t.Errorf("%s names %d metrics", file, len(asked))
		}
		for _, m := range asked {
			if what := missing(series, m[1], m[2]); what != "" {
				t.Errorf("%s: %s: no series has %s", file, m[0], what)
			}
		}
	}
}

// seriesByName is the labels of each series of a page of metrics, as they are written.
func seriesByName(page string) map[string][]string {
	series := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? \S+$`).FindAllStringSubmatch(page, -1) {
		series[m[1]] = append(series[m[1]], m[2])
	}
	return series
}

// missing is what no series has of a selector: the metric, or a label with its value.
func missing(series map[string][]string, name, matchers string) string {
	labels, ok := series[name]
	if !ok {
		// A histogram may be named without its suffix, and a group of metrics by their beginning.
		labels, ok = series[name+"_bucket"]
	}
	if !ok {
		return "this name"
	}
	for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
		for value := range strings.SplitSeq(m[3], "|") {
			if !hasLabel(labels, m[1], value) {
				return m[1] + `="` + value + `"`
			}
		}
	}
	return ""
}

// hasLabel reports whether a series has a label and a value that a pattern matches. Prometheus adds job and instance,
// and issuers and sources have the names that their operator gave them.
func hasLabel(series []string, label, pattern string) bool {
	if label == "job" || label == "instance" {
		return true
	}
	if label == "issuer" || label == "source" {
		pattern = `[^"]*`
	}
	return slices.ContainsFunc(series, regexp.MustCompile(`(?:^|,)`+label+`="(?:`+pattern+`)"`).MatchString)
}
