// Package policy_test runs the tests of the shipped policies and of the example bundle, as they are served.
package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

const entrypoint = "authz/decision"

// minCoverage is how much of the policies the Rego tests must evaluate, in percent.
const minCoverage = 95

// served is the configuration with which the policies are served.
func served() *config.Config {
	cfg := config.Default()
	cfg.Engine.Deadline, cfg.Input.Headers = time.Minute, []string{"x-tenant"}
	return cfg
}

// load reads what is shipped, and the tests that are here.
func load(t testing.TB) *bundle.Set {
	t.Helper()
	t.Chdir("..")
	set, err := dir.LoadWithTests(dir.Config{Paths: []string{"policies", "policy_test"},
		Bundles: []string{"bundles/example"}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestRego(t *testing.T) {
	report, err := policytest.Rego(t.Context(), load(t), served().EngineConfig())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) == 0 {
		t.Fatal("there are no Rego tests")
	}
	runEach(t, report.Results)
	t.Logf("coverage:\n%s", report.Coverage)
	if got := report.Coverage.Percent(); got < minCoverage {
		t.Errorf("the Rego tests cover %.1f%%, want at least %d%%", got, minCoverage)
	}
}

func TestSuites(t *testing.T) {
	set := load(t)
	suites, err := policytest.LoadSuites([]string{"policies", "policy_test", "bundles/example"})
	if err != nil {
		t.Fatal(err)
	}
	results, err := policytest.Decisions(t.Context(), set, served(), suites)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 {
		t.Fatal("there are no suites")
	}
	runEach(t, results)
}

// The policies alone must compile and decide: the bundle is optional.
func TestPoliciesWorkWithoutTheBundle(t *testing.T) {
	t.Chdir("..")
	set, err := dir.Load(dir.Config{Paths: []string{"policies"}})
	if err != nil {
		t.Fatal(err)
	}
	suites, err := policytest.LoadSuites([]string{"policy_test"})
	if err != nil {
		t.Fatal(err)
	}
	results, err := policytest.Decisions(t.Context(), set, served(), suites)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if frozen := strings.HasPrefix(r.Name, "maintenance:"); (r.Outcome == policytest.Failed) != frozen {
			t.Errorf("without the bundle, only the cases about maintenance differ:\n%s", r)
		}
	}
}

func runEach(t *testing.T, results []policytest.Result) {
	t.Helper()
	for _, r := range results {
		t.Run(r.Group+"/"+r.Name, func(t *testing.T) {
			if r.Outcome != policytest.Passed {
				t.Error(r)
			}
		})
	}
}
