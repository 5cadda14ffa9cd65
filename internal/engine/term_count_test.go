package engine

import (
	"fmt"
	"strings"
	"testing"
)

// doubling is a body in which each line doubles the list of the one before.
func doubling(lines int) string {
	var b strings.Builder
	b.WriteString("\tv0 := [input.context.x]\n")
	for i := range lines {
		fmt.Fprintf(&b, "\tv%d := [v%d, {\"a\": v%d}]\n", i+1, i, i)
	}
	return b.String() + fmt.Sprintf("\tcount(v%d) == 2\n", lines)
}

func TestAListThatDoublesWithEachLineIsAProblem(t *testing.T) {
	for name, rego := range map[string]string{
		"a body":          "decision if {\n" + doubling(40) + "}\n",
		"a comprehension": "decision if count([1 |\n" + doubling(40) + "]) > 0\n",
		"a function":      "decision if f(1)\n\nf(y) if {\n\ty == 1\n" + doubling(40) + "}\n",
		"an else":         "decision if {\n\tinput.context.y\n} else if {\n" + doubling(40) + "}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compiled(t, patient,
				map[string]string{"policies/p.rego": "package authz\n\ndefault decision := false\n\n" + rego})
			if err == nil || !strings.Contains(err.Error(),
				"rego_compile_error: a variable of this rule stands for more than 1048576 terms") ||
				!strings.HasPrefix(err.Error(), "policies/p.rego:") {
				t.Errorf("problems %v", err)
			}
		})
	}
	if _, err := compiled(t, patient, map[string]string{"policies/p.rego": "package authz\n\ndefault decision := " +
		"false\n\ndecision if {\n" + doubling(10) + "}\n"}); err != nil {
		t.Error(err)
	}
}
