package policytest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// warned runs tests with "with" in place of %, and returns the warnings, without their file and code.
func warned(t *testing.T, with string, more ...string) []string {
	t.Helper()
	report := ran(t, "package authz_test\n\ntest_it if true with "+with+"\n"+
		strings.Join(more, "\n"))
	if AnyFailed(report.Results) {
		t.Errorf("%s: %v", with, report.Results)
	}
	var out []string
	for _, p := range report.Warnings {
		if p.File != "policies/authz_test.rego" || p.Code != "input_misfit" {
			t.Errorf("warning is %s", p)
		}
		out = append(out, strings.TrimPrefix(p.String(), p.File+":"))
	}
	return out
}

func TestMisfit_InputThatNoDecisionHas(t *testing.T) {
	for with, want := range map[string]string{
		`input as {"method": "GET"}`:         `input never has a member "method", only action, context`,
		`input.method as "GET"`:              `input never has a member "method", only action, context`,
		`input as {"token": {"scpoes": []}}`: `input.token never has a member "scpoes"; did you mean "scopes"?`,
		`input.token.scpoes as []`:           `input.token never has a member "scpoes"; did you mean "scopes"?`,
		`input.token.kind as "acess"`:        `input.token.kind is never "acess", only [access refresh id unknown]`,
		`input.token.scopes as "read"`:       `input.token.scopes is never of type string, it is of type array of strings`,
		`input.token.scopes as ["a", 1]`:     `input.token.scopes[_] is never of type number, it is of type string`,
		`input.token as null`:                `input.token is never of type null, it is of type object`,
		`input.request.headers as {"x-tenant": "acme"}`: `input.request.headers.x-tenant is never of type string, ` +
			`it is of type array of strings`,
		`input.request.port as {80}`: `input.request.port is never of type set, it is of type integer`,
	} {
		if got := warned(t, with); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, want %q", with, got, want)
		}
	}
}

func TestMisfit_ValueOfAnotherRule(t *testing.T) {
	got := warned(t, "input as request", `request := {"token": {"actve": true}}`,
		`test_two if true with input as request`)
	if len(got) != 1 || !strings.HasPrefix(got[0], `4:23: input_misfit: input.token never has a member "actve"`) {
		t.Errorf("got %q", got)
	}
}

func TestMisfit_InputThatFitsIsNoneAndWhatIsUntypedMayBeAnything(t *testing.T) {
	for _, with := range []string{
		`input as {"version": 1, "token": {"scopes": ["read"], "claims": {"x": {"y": [1]}}}, "context": {"any": null}}`,
		`input.token.claims.x as {1}`, `input.request.headers as {"x-tenant": ["acme"]}`, `input.request.port as 80`,
		`input.token.authorization_details as [{"type": "a"}]`, `time.now_ns as 1`, `data.x as {"y": 1}`,
		`input as object.union({"method": 1}, {})`, `input as {lower("X"): 1}`,
	} {
		if got := warned(t, with); got != nil {
			t.Errorf("%s: %q", with, got)
		}
	}
}

func TestMisfit_RowsThatFiltersCallUnknownAreNone(t *testing.T) {
	declared := "# METADATA\n# compile:\n#   unknowns: [input.orders]\nvisible if input.orders.owner == \"x\"\n"
	if got := warned(t, `input.orders as {"owner": "x"}`, declared); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}

func TestMisfit_InputOfRulesAboutTheDecisionLogIsAnEvent(t *testing.T) {
	inside(t, map[string]string{
		"policies/mask.rego": "package system.log\n\nmask contains \"/input/request\" if input.path == \"a\"\n",
		"policies/mask_test.rego": "package mask_test\n\n" +
			"test_mask if data.system.log.mask with input as {\"path\": \"a\"}\n",
	})
	if report, err := runHere(t); err != nil || report.Warnings != nil || AnyFailed(report.Results) {
		t.Errorf("report %+v, error %v", report, err)
	}
}

func TestDoubt_ReferenceThatNothingProvides(t *testing.T) {
	inside(t, map[string]string{"policies/a_test.rego": "package a_test\n\nimport data.authz\n\n" +
		"test_one if not data.authz.decison\n\ntest_two if not authz.decison with input as {}\n\n" +
		"test_three if not data.autz.decision\n\nhelper if data.a_test.wanted\n\nwanted := authz.decision\n\n" +
		"test_four if data.given == 1 with data.given as 1\n\ntest_five if not wanted with data.a_test.wanted as " +
		"false\n"})
	tests, err := Load(t.Context(), Source{Config: served()}, compiled(t))
	if err != nil {
		t.Fatal(err)
	}
	var rows []int
	for _, p := range tests.Doubts() {
		if p.Code != "reference_error" || !strings.Contains(p.Message, "did you mean data.authz") {
			t.Errorf("doubt is %s", p)
		}
		rows = append(rows, p.Row)
	}
	if !slices.Equal(rows, []int{5, 7, 9}) {
		t.Errorf("rows %v: %v", rows, tests.Doubts())
	}
	report, err := tests.Run(t.Context(), Options{Run: regexp.MustCompile("test_two")})
	if err != nil || len(report.Warnings) != 1 || report.Warnings[0].Row != 7 {
		t.Errorf("warnings %v, error %v", report.Warnings, err)
	}
}

func TestMisfit_OnlyOfTestsThatRun(t *testing.T) {
	inside(t, map[string]string{"policies/a_test.rego": "package a_test\n\n" +
		"test_one if true with input.method as 1\ntest_two if true with input.metod as 1\n"})
	tests, err := Load(t.Context(), Source{Config: served()}, compiled(t))
	if err != nil {
		t.Fatal(err)
	}
	report, err := tests.Run(t.Context(), Options{Run: regexp.MustCompile("test_one")})
	if err != nil || len(report.Warnings) != 1 || len(report.Results) != 1 || report.Coverage != nil {
		t.Errorf("report %+v, error %v", report, err)
	}
}
