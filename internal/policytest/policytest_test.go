package policytest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

const policy = `package authz

# METADATA
# entrypoint: true
decision := {"allow": true, "upstream_headers": {"X-Subject": input.token.subject.id}} if {
	"read" in input.token.scopes
} else := {"allow": false, "reasons": [{"code": "denied", "message": "needs read"}], "context": {"age": input.token.age}}
`

// inside makes a working directory with files, "policies/authz.rego" among them unless it is given.
func inside(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if _, given := files["policies/authz.rego"]; !given {
		files["policies/authz.rego"] = policy
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// compiled is the policy in policies, as it is served.
func compiled(t *testing.T) *engine.Policy {
	t.Helper()
	set, err := dir.Load(dir.Config{Paths: []string{"policies"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := served()
	p, err := engine.Compile(t.Context(), set, cfg.EngineConfig(), cfg.Decision.Entrypoint)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// served is the configuration with which the policies are served.
func served() *config.Config {
	cfg := config.Default()
	cfg.Engine.Deadline, cfg.Input.Headers, cfg.Decision.Realm = time.Minute, []string{"x-tenant"}, "r"
	return cfg
}

func ran(t *testing.T, tests string) Report {
	t.Helper()
	inside(t, map[string]string{"policies/authz_test.rego": tests})
	report, err := runHere(t)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// runHere runs everything in policies, with coverage.
func runHere(t *testing.T) (Report, error) {
	t.Helper()
	tests, err := Load(t.Context(), Source{Config: served()}, compiled(t))
	if err != nil {
		return Report{}, err
	}
	return tests.Run(t.Context(), Options{Coverage: true})
}

func only(t *testing.T, results []Result) Result {
	t.Helper()
	if len(results) != 1 {
		t.Fatalf("%d results, want one: %v", len(results), results)
	}
	return results[0]
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

const passing = `package authz_test

test_reads if data.authz.decision.allow with input.token as {"scopes": ["read"], "subject": {"id": "a"}}
`

func TestRego_PassedTest(t *testing.T) {
	r := only(t, ran(t, passing).Results)
	same(t, r.String(), "passed: data.authz_test: test_reads (policies/authz_test.rego:3)")
	if r.Took <= 0 {
		t.Error("no time was taken")
	}
}

func TestRego_FailedTestNamesTheExpression(t *testing.T) {
	report := ran(t, `package authz_test

test_reads if {
	print("scopes", 1)
	decision := data.authz.decision with input.token as {"scopes": [], "age": 1}
	decision.allow == true
}
`)
	same(t, only(t, report.Results).String(), `failed: data.authz_test: test_reads (policies/authz_test.rego:3)
    policies/authz_test.rego:6: does not hold: decision.allow == true
        |
        decision.allow: false
        decision: {"allow": false, "context": {"age": 1}, "reasons": [{"code": ...
    print: scopes 1`)
	if !AnyFailed(report.Results) {
		t.Error("nothing failed")
	}
}

func TestRego_TestThatIsFalse(t *testing.T) {
	r := only(t, ran(t, "package authz_test\n\ntest_no := 1 == 2\n").Results)
	if r.Outcome != Failed || len(r.Output) == 0 {
		t.Errorf("got %s", r)
	}
}

func TestRego_FailedCaseOfATableIsNamed(t *testing.T) {
	r := only(t, ran(t, `package authz_test

test_table[name] if {
	some name, n in {"one": 1, "two": 2}
	n == 1
}
`).Results)
	if r.Outcome != Failed || !slices.Contains(r.Output, "case failed: two") ||
		slices.Contains(r.Output, "case failed: one") {
		t.Errorf("got %s", r)
	}
}

// OPA takes such a test for passed; here it is a misspelt name in most cases.
func TestRego_TableWithoutCasesFails(t *testing.T) {
	r := only(t, ran(t, "package authz_test\n\ntest_table[n] if {\n\tsome n, c in data.casess\n\tc == 1\n}\n").Results)
	if r.Outcome != Failed || !strings.Contains(strings.Join(r.Output, ""), "the table has no cases") {
		t.Errorf("got %s", r)
	}
}

func TestRego_FailureOfABuiltinFailsTheTest(t *testing.T) {
	r := only(t, ran(t, "package authz_test\n\ntest_time if not time.parse_rfc3339_ns(\"x\") > 5\n").Results)
	if r.Outcome != Failed || !strings.Contains(strings.Join(r.Output, ""), "time.parse_rfc3339_ns") {
		t.Errorf("got %s", r)
	}
}

func TestRego_TodoIsSkipped(t *testing.T) {
	report := ran(t, "package authz_test\n\ntodo_test_x if false\n")
	if r := only(t, report.Results); r.Outcome != Skipped || AnyFailed(report.Results) {
		t.Errorf("got %s", r)
	}
}

func TestRego_CoverageLeavesTestsOut(t *testing.T) {
	report := ran(t, passing)
	same(t, report.Coverage.String(), " 66.7% policies/authz.rego: 7\n 66.7% total")
}

func TestRego_CoverageOfNothingIsWhole(t *testing.T) {
	same(t, Coverage{}.String(), "100.0% total")
}

func TestRego_ProblemsOfCompilingAreAllSaidWithTheirPlace(t *testing.T) {
	inside(t, map[string]string{
		"policies/a_test.rego":     "package a_test\n\ntest_x if input.token.scpoes\n",
		"policies/authz_test.rego": "package authz_test\n\ntest_x if missing(1)\n",
	})
	_, err := runHere(t)
	ps, ok := errors.AsType[bundle.Problems](err)
	if !ok ||
		!strings.Contains(ps.Error(), "policies/authz_test.rego:3:11: rego_type_error: undefined function missing") {
		t.Errorf("error is %T: %v", err, err)
	}
}

func TestRego_UsesTheSchemaOfTheInput(t *testing.T) {
	inside(t, map[string]string{"policies/a_test.rego": "package a_test\n\ntest_x if input.token.scpoes\n"})
	_, err := runHere(t)
	if err == nil ||
		!strings.Contains(err.Error(),
			"policies/a_test.rego:3:11: rego_type_error: undefined ref: input.token.scpoes") {
		t.Errorf("error is %v", err)
	}
}

func TestRego_ProblemsOfParsing(t *testing.T) {
	inside(t, map[string]string{"policies/a_test.rego": "package a_test\n\ntest_x if {\n",
		"policies/b_test.rego": "# nothing\n"})
	_, err := runHere(t)
	ps, _ := errors.AsType[bundle.Problems](err)
	if len(ps) < 2 || ps[0].File != "policies/a_test.rego" || ps[0].Row == 0 ||
		ps[len(ps)-1].File != "policies/b_test.rego" {
		t.Errorf("problems are:\n%v", err)
	}
}

func TestRego_EndsWithItsContext(t *testing.T) {
	inside(t, map[string]string{"policies/a_test.rego": "package a_test\n\ntest_x if true\n"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tests, err := Load(t.Context(), Source{Config: served()}, compiled(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tests.Run(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestRego_PoliciesForTheDecisionLogSeeAnEvent(t *testing.T) {
	for name, head := range map[string]string{"bare": "", "annotated": "# METADATA\n# title: Masks\n"} {
		t.Run(name, func(t *testing.T) { seesAnEvent(t, head) })
	}
}

func seesAnEvent(t *testing.T, head string) {
	inside(t, map[string]string{
		"policies/mask.rego": head + "package system.log\n\n" +
			"mask contains \"/input/request\" if input.path == \"authz/decision\"\n",
		"policies/mask_test.rego": "package mask_test\n\n" +
			"test_mask if data.system.log.mask with input as {\"path\": \"authz/decision\"}\n",
	})
	report, err := runHere(t)
	if err != nil || AnyFailed(report.Results) {
		t.Errorf("results %v, error %v", report.Results, err)
	}
}
