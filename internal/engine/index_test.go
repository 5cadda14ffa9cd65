package engine

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// TestABuiltinErrorThatTheIndexWouldHideStillRefuses: without care the deny rule is skipped and the request allowed.
func TestABuiltinErrorThatTheIndexWouldHideStillRefuses(t *testing.T) {
	for _, rule := range []string{
		`startswith(input.context.name, "x")`,
		`endswith(input.context.name, "x")`,
		`startswith(input.context[input.request.method], "x")`,
		`startswith(input["context"].name, "x")`,
	} {
		p := policy(t, patient, "default decision := true\ndecision := false if denied\ndenied if "+rule+"\n")
		for _, context := range []string{`{"name":{},"GET":{}}`, `{"name":1,"GET":1}`} {
			a, err := p.Eval(t.Context(), question(context))
			if authz.KindOf(err) != authz.Misconfigured || a.Verdict != nil {
				t.Errorf("%s with %s: verdict %+v, error %v", rule, context, a.Verdict, err)
			}
		}
		if a, err := p.Eval(t.Context(), question(`{"name":"y","GET":"y"}`)); err != nil || !a.Verdict.Allow {
			t.Errorf("%s with text: %v", rule, err)
		}
	}
}

func TestTheIndexIsUsedWhereTheSchemaFixesTheType(t *testing.T) {
	for rule, want := range map[string]bool{
		`startswith(input.request.path, "/x")`:                    false,
		`startswith(input.token.tenant, "x")`:                     false,
		`startswith(data.x, "x")`:                                 false,
		`contains(input.context.name, "x")`:                       false,
		`endswith(input.token.claims.email, "x")`:                 true,
		`startswith(input.token.claims[_], "x")`:                  true,
		`startswith(input.subject.id, input.action.properties.p)`: true,
	} {
		c := NewCompiler(patient)
		modules := parsed(t, "package authz\n\ndenied if "+rule+"\n")
		c.Compile(modules)
		if c.Failed() {
			t.Fatal(c.Errors)
		}
		if got := indexHides(c); got != want {
			t.Errorf("%s: %v, want %v", rule, got, want)
		}
	}
}
