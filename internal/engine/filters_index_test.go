package engine

import (
	"testing"
	"time"
)

// TestAFilterHasEveryRuleThatTheIndexWouldSkip has deny rules that OPA's rule index takes for rules that do not match.
func TestAFilterHasEveryRuleThatTheIndexWouldSkip(t *testing.T) {
	for rule, fails := range map[string]bool{
		`denied if startswith(input.v, "/admin")`:                          true,
		`denied if data.app.names[input.v]`:                                false,
		`denied if { x := lower("A"); x in input.roles; x == "a" }`:        false,
		`denied if { some x in ["a", "b"]; x in input.roles; x in ["a"] }`: false,
	} {
		p, err := compiled(t, Config{Deadline: time.Minute, CallerPackages: []string{"app"}, Filters: true},
			map[string]string{
				"policies/authz.rego":    allowAll,
				"policies/app.rego":      "package app\n\nrows if { input.fruits.name == \"a\"; not denied }\n" + rule + "\n",
				"policies/app/data.json": `{"names": {"7": 1}}`,
			})
		if err != nil {
			t.Fatal(err)
		}
		for name, q := range map[string]FilterQuestion{
			"a query":  {FilterOptions: FilterOptions{Query: "data.app.rows == true", HasUnknowns: true}},
			"a target": {Path: []string{"app", "rows"}, FilterOptions: FilterOptions{Targets: postgres}},
		} {
			q.Input, q.Unknowns = []byte(`{"v": 7, "roles": ["a"]}`), []string{"input.fruits"}
			if f, err := p.Filter(t.Context(), q); fails != (err != nil) || !fails && !f.Never {
				t.Errorf("%s, by %s: %s, %v", rule, name, f.Result, err)
			}
		}
	}
}
