package engine

import (
	"fmt"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func explained(t *testing.T, p *Policy, q Question) (outcome, Explanation) {
	t.Helper()
	r, e, err := p.Explain(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	a, err := outcomeOf(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a, e
}

// sameRules compares outcomes, each with what it depends on below it, one a line:
//
//	file:row rule (part) fired
//	file:row rule: row: failed expression; operand = value; operand undefined
func sameRules(t *testing.T, got []RuleOutcome, want string) {
	t.Helper()
	var b strings.Builder
	writeOutcomes(&b, got, "")
	if got, want := strings.TrimSpace(b.String()), strings.TrimSpace(want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func writeOutcomes(b *strings.Builder, outcomes []RuleOutcome, indent string) {
	for _, o := range outcomes {
		fmt.Fprintf(b, "%s%s:%d %s", indent, strings.TrimSuffix(path.Base(o.File), ".rego"), o.Row, o.Rule)
		if o.Part != "" {
			b.WriteString(" (" + o.Part + ")")
		}
		x := o.Failed
		if o.Fired {
			b.WriteString(" fired")
			x = o.Held
		}
		if x == nil {
			b.WriteString("\n")
			continue
		}
		fmt.Fprintf(b, ": %d: %s", x.Row, x.Text)
		for _, v := range x.Operands {
			if v.Path != "" {
				v.Text = v.Path
			}
			switch {
			case v.Missing != "":
				fmt.Fprintf(b, "; %s undefined for %s", v.Text, v.Missing)
			case v.Undefined:
				fmt.Fprintf(b, "; %s undefined", v.Text)
			default:
				fmt.Fprintf(b, "; %s = %s", v.Text, v.Value)
			}
		}
		if x.Times > 0 {
			fmt.Fprintf(b, " (%d times)", x.Times)
		}
		b.WriteString("\n")
		writeOutcomes(b, x.Causes, indent+"\t")
	}
}

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
	a, e := explained(t, p, question(`{"tenant":"other"}`))
	if a.Verdict.Allow {
		t.Error("allowed")
	}
	sameRules(t, e.Rules, `
authz:3 data.authz.decision (default) fired
authz:5 data.authz.decision: 5: allow; allow undefined
authz:7 data.authz.allow: 10: input.token.tenant == input.context.tenant; input.token.tenant = "acme"; input.context.tenant = "other"
authz:13 data.authz.allow: 13: input.token.client_id == "root"; input.token.client_id undefined
`)
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
	_, e := explained(t, p, question(`{}`))
	sameRules(t, e.Rules, `
authz:3 data.authz.decision (default) fired
authz:5 data.authz.decision: 9: input.context.open; input.context.open undefined
`)
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
	_, e := explained(t, p, question(""))
	sameRules(t, e.Rules, `
authz:3 data.authz.decision (default) fired
authz:5 data.authz.decision: 5: level(input.token.tenant) == "high"; level(input.token.tenant) = "low"; input.token.tenant = "acme"
authz:7 data.authz.level: 8: tenant == "other"; tenant = "acme"
authz:9 data.authz.level (else) fired
`)
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
	_, e := explained(t, p, question(""))
	sameRules(t, e.Rules, `
authz:3 data.authz.decision (default) fired
authz:5 data.authz.decision: 6: not blocked; blocked = true
authz:9 data.authz.decision: 10: every s in input.token.scopes { s == "orders:read" }; input.token.scopes = ["orders:read", "orders:write"]; s = "orders:write"
authz:13 data.authz.blocked fired
`)
}

func TestExplanationIsTheSameEachTime(t *testing.T) {
	p := policy(t, patient, explainable)
	_, first := explained(t, p, question(`{"tenant":"other"}`))
	for range 20 {
		_, again := explained(t, p, question(`{"tenant":"other"}`))
		again.Document = first.Document
		if !reflect.DeepEqual(first, again) {
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
	sameRules(t, e.Rules, "authz:3 data.authz.decision: 3: not input.context.gone; input.context.gone = true")
}

func TestExplainOfAnUnknownEntrypointIsMisconfigured(t *testing.T) {
	q := question("")
	q.Entrypoint = "authz/nope"
	if _, _, err := policy(t, patient, "decision := true\n").Explain(t.Context(),
		q); authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("error %v", err)
	}
}
