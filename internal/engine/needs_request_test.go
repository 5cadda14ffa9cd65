package engine

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

func TestAnEntrypointThatMayReadTheRequestIsNotEvaluatedWithoutOne(t *testing.T) {
	for name, c := range map[string]struct {
		rego  string
		needs bool
	}{
		"itself":            {`decision if input.request.method`, true},
		"the whole request": {`decision if not input.request`, true},
		"under not":         {`decision if not input.request.path == "/a"`, true},
		"in an else": {"decision := true if input.action.name == \"x\"\n\nelse := false if " +
			"input.request.method", true},
		"in another rule":     {"decision if x\n\nx if y\n\ny if not input.request.host", true},
		"in a function":       {"decision if f(1)\n\nf(n) if input.request.port == n", true},
		"in a default's rule": {"default x := false\n\nx if input.request.body\n\ndecision if not x", true},
		"behind a name":       {"decision if {\n\tr := input.request\n\tr.method\n}", true},
		"the whole input":     {`decision if object.get(input, ["request", "method"], "") == ""`, true},
		"by a variable":       {"decision if {\n\tsome name\n\tinput[name]\n}", true},
		"a rule by a variable": {"decision if {\n\tsome n\n\tdata.authz.rules[n]\n}\n\nrules[\"a\"] if " +
			"input.request.method", true},
		"nothing of it":      {`decision if input.action.name == "read"`, false},
		"another entrypoint": {"decision if input.token.active\n\nother if input.request.method", false},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(c.rego, "decision := true") {
				c.rego = "default decision := false\n\n" + c.rego
			}
			p := policy(t, patient, c.rego+"\n")
			doc := input.Anonymous(input.Query{Action: &input.Action{Name: "read"},
				Resource: &input.Entity{Type: "a", ID: "1"}})
			_, err := p.Eval(t.Context(), Question{Entrypoint: "authz/decision", Document: doc, Time: start})
			if got := err != nil && strings.Contains(err.Error(), "it reads input.request"); got != c.needs {
				t.Errorf("refused is %t: %v", got, err)
			}
			if c.needs && authz.KindOf(err) != authz.Misconfigured {
				t.Errorf("refused as %s", authz.KindOf(err))
			}
		})
	}
}
