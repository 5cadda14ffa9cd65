package engine

import (
	"testing"
	"time"
)

// telling is a policy beside a rule that tells problems about data.
func telling(rego string) map[string]string {
	return map[string]string{
		"policies/authz.rego":         allowAll,
		"policies/p.rego":             "package p\n\n# METADATA\n# custom: {problems: true}\n" + rego + "\n",
		"policies/limits/data.yaml":   "day: 5\nhours:\n  open: 30\n",
		"policies/other/x/data.json":  `{"a": 1}`,
		"policies/p_unused/data.json": `{"a": 1}`,
	}
}

func TestARuleStatesProblemsOfTheLoad(t *testing.T) {
	for name, c := range map[string]struct{ rego, want string }{
		"a text": {`problems contains "too many" if data.limits.day > 1`,
			"policies/p.rego:5:1: policy_error: too many"},
		"a place": {
			`problems contains {"message": "a day has 24", "at": ["limits", "hours", "open"]} if data.limits.hours.open > 24`, "policies/limits/data.yaml:3:3: policy_error: a day has 24"},
		"a file": {`problems contains {"message": "no", "at": ["limits"]}`,
			"policies/limits/data.yaml: policy_error: no"},
		"a place without data": {`problems contains {"message": "no", "at": ["nowhere"]}`,
			"policies/p.rego:5:1: policy_error: no"},
		"an array": {`problems := ["one"]`, "policies/p.rego:5:1: policy_error: one"},
		"no message": {`problems contains {"at": []}`,
			"policies/p.rego:5:1: policy_error: a problem of data.p.problems has no message"},
		"no list": {`problems := true`,
			"policies/p.rego:5:1: policy_error: data.p.problems, which tells problems, is a boolean, want an array " +
				"or a set"},
		"a function": {`problems(x) := [x]`,
			"policies/p.rego:3:1: metadata_error: custom.problems of data.p.problems has no effect: write true, on " +
				"a rule"},
		"an error": {`problems contains "x" if to_number("x") == 1`,
			"policies/p.rego:5:26: eval_builtin_error: to_number cannot work"},
	} {
		t.Run(name, func(t *testing.T) {
			refusedWith(t, patient, telling(c.rego), c.want)
		})
	}
}

func TestARuleThatStatesNothingIsNoProblem(t *testing.T) {
	for _, rego := range []string{`problems contains "x" if data.limits.day > 9`, `problems := [x | some x in []]`,
		`problems := ["x"] if false`} {
		if _, err := compiled(t, patient, telling(rego)); err != nil {
			t.Errorf("%s: %v", rego, err)
		}
	}
}

// TestARuleThatStatesProblemsHasTheTimeForCompiling: it looks at all data, which takes longer than a decision may.
func TestARuleThatStatesProblemsHasTheTimeForCompiling(t *testing.T) {
	long := telling(`problems contains "x" if {
	some i in numbers.range(1, 200000)
	i < 0
}`)
	cfg := Config{Deadline: 20 * time.Millisecond, CompileTimeout: time.Minute}
	if _, err := compiled(t, cfg, long); err != nil {
		t.Error(err)
	}
	cfg.CompileTimeout = 20 * time.Millisecond
	refusedWith(t, cfg, long, "policies/p.rego:5:1: policy_error: evaluate data.p.problems: not done after 20ms")
}
