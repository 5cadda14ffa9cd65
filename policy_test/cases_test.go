// Package policy_test runs the tests of the shipped policies and of the example bundle, as they are served.
package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

const entrypoint = "authz/decision"

// minCoverage is how much of the policies the tests must evaluate, in percent.
const minCoverage = 95

// served is the configuration with which the policies are served.
func served(bundles ...string) *config.Config {
	cfg := config.Default()
	cfg.Engine.Deadline, cfg.Input.Headers = time.Minute, []string{"x-tenant"}
	cfg.Policies.Paths, cfg.Policies.Bundles = []string{"policies"}, bundles
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

// run does what "sidecar test" does with a configuration.
func run(t *testing.T, cfg *config.Config, o policytest.Options) policytest.Report {
	t.Helper()
	t.Chdir("..")
	_, policy, err := app.Load(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := policytest.Load(t.Context(), policytest.Source{Config: cfg, Dirs: []string{"policy_test"}}, policy)
	if err != nil {
		t.Fatal(err)
	}
	report, err := tests.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestTheShippedPolicies(t *testing.T) {
	report := run(t, served("bundles/example"), policytest.Options{Coverage: true})
	for _, r := range report.Results {
		t.Run(r.Group+"/"+r.Name, func(t *testing.T) {
			if r.Outcome != policytest.Passed {
				t.Error(r)
			}
		})
	}
	if len(report.Results) < 100 || len(report.Warnings) > 0 {
		t.Errorf("%d tests ran, with the warnings %v", len(report.Results), report.Warnings)
	}
	if got := report.Coverage.Percent(); got < minCoverage {
		t.Errorf("the tests cover %.1f%%, want at least %d%%:\n%s", got, minCoverage, report.Coverage)
	}
}

// The policies alone must compile and decide: the bundle is optional.
func TestPoliciesWorkWithoutTheBundle(t *testing.T) {
	for _, r := range run(t, served(), policytest.Options{}).Results {
		frozen := strings.HasPrefix(r.Name, "maintenance:")
		if isCase := strings.HasSuffix(r.File, ".yaml"); isCase && (r.Outcome == policytest.Failed) != frozen {
			t.Errorf("without the bundle, only the cases about maintenance differ:\n%s", r)
		}
	}
}
