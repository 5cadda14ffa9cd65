package dir

import (
	"fmt"
	"testing"
)

func TestRemaining_NamesTheDataOfFilesWithProblemsAsLost(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		lost  string
	}{
		"nothing":     {map[string]string{"policies/data.json": "{}"}, "[]"},
		"a data file": {map[string]string{"policies/a/b/data.yaml": "x: ["}, "[[a b]]"},
		"at the top":  {map[string]string{"policies/data.json": "[]"}, "[[]]"},
		"a name":      {map[string]string{"policies/a/Data.json": "{}"}, "[[a]]"},
		"a conflict": {
			map[string]string{"policies/a/data.json": `{"x":1}`, "policies/data.json": `{"a":{"x":2}}`}, "[[]]",
		},
		"a module":     {map[string]string{"policies/p.Rego": "package p"}, "[[]]"},
		"no directory": {map[string]string{"elsewhere/p.rego": "package p"}, "[[]]"},
		"two data files": {map[string]string{"policies/a/data.yaml": "x: [", "policies/b/data.json": "{"},
			"[[a] [b]]"},
	} {
		t.Run(name, func(t *testing.T) {
			inside(t, c.files)
			if name != "no directory" {
				write(t, map[string]string{"policies/authz.rego": rego})
			}
			r := Remaining(onlyPolicies)
			_, err := Load(onlyPolicies)
			if (err == nil) != (len(r.Problems) == 0) || err != nil && err.Error() != r.Problems.Error() {
				t.Errorf("problems %v, want those of Load: %v", r.Problems, err)
			}
			if got := fmt.Sprint(r.Lost); got != c.lost {
				t.Errorf("lost %s, want %s", got, c.lost)
			}
			if len(r.Set.Bundles) != 1 || name != "no directory" &&
				paths(r.Set.Bundles[0].Modules) != "policies/authz.rego" {
				t.Errorf("the set has %v", r.Set.Bundles)
			}
		})
	}
}
