package engine

import (
	"reflect"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func explained(t *testing.T, p *Policy, q Question) (outcome, []RuleOutcome) {
	t.Helper()
	r, e, err := p.Explain(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	a, err := outcomeOf(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a, e.Rules
}

func sameRules(t *testing.T, got, want []RuleOutcome) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing %+v", want[i])
		case i >= len(want):
			t.Errorf("too many: %+v, failed %+v", got[i], got[i].Failed)
		case !reflect.DeepEqual(got[i], want[i]):
			t.Errorf("got %+v, failed %+v, want %+v, failed %+v", got[i], got[i].Failed, want[i], want[i].Failed)
		}
	}
}

const file = "policies/authz.rego"

const explainable = `default decision := {"allow": false}

decision := {"allow": true} if allow

allow if {
	input.request.method == "GET"
	"orders:read" in input.token.scopes
	input.token.tenant == input.context.tenant
}

allow if input.token.client_id == "root"

reasons contains "never asked"
`

func TestExplainShowsWhatFiredAndWhereTheOthersStopped(t *testing.T) {
	p := policy(t, patient, explainable)
	a, rules := explained(t, p, question(`{"tenant":"other"}`))
	if a.Verdict.Allow {
		t.Error("allowed")
	}
	sameRules(t, rules, []RuleOutcome{
		{Rule: "data.authz.decision", File: file, Row: 3, Fired: true},
		{Rule: "data.authz.decision", File: file, Row: 5, Failed: &FailedExpr{Text: "allow", File: file, Row: 5}},
		{Rule: "data.authz.allow", File: file, Row: 7,
			Failed: &FailedExpr{Text: "input.token.tenant == input.context.tenant", File: file, Row: 10}},
		{Rule: "data.authz.allow", File: file, Row: 13,
			Failed: &FailedExpr{Text: `input.token.client_id == "root"`, File: file, Row: 13}},
	})
}

func TestExplainAnswersLikeEval(t *testing.T) {
	p := policy(t, patient, explainable)
	for _, context := range []string{`{"tenant":"acme"}`, `{"tenant":"other"}`, `{}`} {
		a, _ := explained(t, p, question(context))
		if want := answered(t, p, question(context)); !reflect.DeepEqual(a.Verdict, want.Verdict) ||
			resultJSON(t, a) != resultJSON(t, want) {
			t.Errorf("%s: %+v, want %+v", context, a.Verdict, want.Verdict)
		}
	}
}

func TestExplainShowsTheFurthestExpressionOfAnIteration(t *testing.T) {
	p := policy(t, patient, `default decision := false

decision if {
	some scope in input.token.scopes
	startswith(scope, "orders:")
	endswith(scope, ":read") # true of the first scope, false of the last
	input.context.open
}
`)
	_, rules := explained(t, p, question(`{}`))
	sameRules(t, rules, []RuleOutcome{
		{Rule: "data.authz.decision", File: file, Row: 3, Fired: true},
		{Rule: "data.authz.decision", File: file, Row: 5,
			Failed: &FailedExpr{Text: "input.context.open", File: file, Row: 9}},
	})
}

func TestExplainFollowsFunctionsAndElse(t *testing.T) {
	p := policy(t, patient, `default decision := false

decision if level(input.token.tenant) == "high"

level(tenant) := "high" if {
	tenant == "other"
} else := "low" if {
	tenant == "acme"
}
`)
	_, rules := explained(t, p, question(""))
	sameRules(t, rules, []RuleOutcome{
		{Rule: "data.authz.decision", File: file, Row: 3, Fired: true},
		{Rule: "data.authz.decision", File: file, Row: 5,
			Failed: &FailedExpr{Text: `level(input.token.tenant) == "high"`, File: file, Row: 5}},
		{Rule: "data.authz.level", File: file, Row: 7,
			Failed: &FailedExpr{Text: `tenant == "other"`, File: file, Row: 8}},
		{Rule: "data.authz.level", File: file, Row: 9, Fired: true},
	})
}

func TestExplainShowsWhatANegationAndAnEveryStoppedAt(t *testing.T) {
	p := policy(t, patient, `default decision := false

decision if {
	not blocked
}

decision if {
	every s in input.token.scopes { s == "orders:read" }
}

blocked if input.token.tenant == "acme"
`)
	_, rules := explained(t, p, question(""))
	sameRules(t, rules, []RuleOutcome{
		{Rule: "data.authz.decision", File: file, Row: 3, Fired: true},
		{Rule: "data.authz.decision", File: file, Row: 5, Failed: &FailedExpr{Text: "not blocked", File: file,
			Row: 6}},
		{Rule: "data.authz.decision", File: file, Row: 9,
			Failed: &FailedExpr{Text: `every s in input.token.scopes { s == "orders:read" }`, File: file, Row: 10}},
		{Rule: "data.authz.blocked", File: file, Row: 13, Fired: true},
	})
}

func TestExplanationIsTheSameEachTime(t *testing.T) {
	p := policy(t, patient, explainable)
	_, first := explained(t, p, question(`{"tenant":"other"}`))
	for range 20 {
		if _, again := explained(t, p, question(`{"tenant":"other"}`)); !reflect.DeepEqual(first, again) {
			t.Fatalf("%+v, then %+v", first, again)
		}
	}
}

func TestExplainOfAFailureSaysWhatHappenedUntilThen(t *testing.T) {
	p := policy(t, patient, "decision if not input.context.gone\n")
	_, e, err := p.Explain(t.Context(), question(`{"gone": true}`))
	if authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("error %v", err)
	}
	sameRules(t, e.Rules, []RuleOutcome{{Rule: "data.authz.decision", File: file, Row: 3,
		Failed: &FailedExpr{Text: "not input.context.gone", File: file, Row: 3}}})
}

func TestExplainOfAnUnknownEntrypointIsMisconfigured(t *testing.T) {
	q := question("")
	q.Entrypoint = "authz/nope"
	if _, _, err := policy(t, patient, "decision := true\n").Explain(t.Context(),
		q); authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("error %v", err)
	}
}
