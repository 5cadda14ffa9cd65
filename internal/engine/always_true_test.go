package engine

import (
	"strings"
	"testing"
)

func TestUnificationWithAVariableUsedOnceIsAProblem(t *testing.T) {
	for _, rego := range []string{
		`x if input.request.method = GET`,
		`x if GET = input.request.method`,
		`x if lower(input.request.method) = get`,
		`x := count([1 | input.request.method = GET])`,
		`x if every y in ["a"] { y == input.context.a; input.request.method = GET }`,
		"x if {\n\tinput.context.a\n} else if {\n\tinput.request.method = GET\n}",
	} {
		_, err := compiled(t, patient, set(rego+"\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "policies/p.rego:") ||
			!strings.Contains(err.Error(),
				"a value and compares nothing, for the rule names it nowhere else; was the text ") {
			t.Errorf("%s: %v", rego, err)
		}
	}
	for _, rego := range []string{
		"x if {\n\tm = input.request.method\n\tm == \"GET\"\n}",
		"x = y if y = input.context.y",
		"f(m) if m = input.request.method\n\nx if f(\"GET\")",
		"x if {\n\t[a, _] = input.request.segments\n\ta == \"orders\"\n}",
		`x if input.token.roles[i] = "admin"`,
		`x if _ = input.request.method`,
	} {
		if _, err := compiled(t, patient, set(rego+"\n")); err != nil {
			t.Errorf("%s: %v", rego, err)
		}
	}
}
