package policytest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
)

// opaTest runs the tests in policies as "opa test policies" does: its loader, compiler settings and runner, read in
// cmd/test.go of OPA. A test is "pass", "fail", with the cases of a table that fail, "error" or "skip".
func opaTest(t *testing.T) map[string]string {
	t.Helper()
	ctx := t.Context()
	modules, store, err := tester.LoadWithParserOptions([]string{"policies"}, nil,
		ast.ParserOptions{RegoVersion: ast.DefaultRegoVersion, ProcessAnnotation: true})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	err = storage.Txn(ctx, store, storage.WriteParams, func(txn storage.Transaction) error {
		compiler := ast.NewCompiler().WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn)).
			WithEnablePrintStatements(true).WithCapabilities(ast.CapabilitiesForThisVersion()).
			WithUseTypeCheckAnnotations(true)
		results, err := tester.NewRunner().SetCompiler(compiler).SetStore(store).SetModules(modules).
			CapturePrintOutput(true).RunTests(ctx, txn)
		if err != nil {
			return err
		}
		for r := range results {
			out[nameOf(r)] = opaOutcome(r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func opaOutcome(r *tester.Result) string {
	switch {
	case r.Skip:
		return "skip"
	case r.Error != nil:
		return "error"
	case r.Fail:
		var cases []string
		for name, sub := range r.SubResults {
			if sub.Fail {
				cases = append(cases, name)
			}
		}
		slices.Sort(cases)
		return strings.Join(append([]string{"fail"}, cases...), " ")
	}
	return "pass"
}

// ownTest runs the same tests as sidecar test does.
func ownTest(t *testing.T) (map[string]string, error) {
	t.Helper()
	tests, err := Load(t.Context(), Source{Config: served()}, compiled(t))
	if err != nil {
		return nil, err
	}
	report, err := tests.Run(context.Background(), Options{})
	out := map[string]string{}
	for _, r := range report.Results {
		said := map[Outcome]string{Passed: "pass", Failed: "fail", Skipped: "skip"}[r.Outcome]
		for _, line := range r.Output {
			if name, ok := strings.CutPrefix(line, "case failed: "); ok {
				said += " " + name
			}
			if strings.Contains(line, ": eval_") {
				said = "error"
			}
		}
		out[r.Group+"."+r.Name] = said
	}
	return out, err
}

// folders are tests on which "opa test" and "sidecar test" must agree.
func folders() map[string]map[string]string {
	return map[string]map[string]string{
		"outcomes": {"policies/outcomes_test.rego": `package outcomes_test

test_pass if true
test_fail if 1 == 2
test_false := false
test_undefined if data.nothing.here
test_number := 7
test_text := "true"
test_object := {"a": 1}
todo_test_later if false
todo_test_passing if true
not_a_test if false
test_print if { print("a", {"b": 1}); true }
test_print_fail if { print("c"); false }
`},
		"packages": {
			"policies/a/a_test.rego": "package a.b_test\n\ntest_one if true\ntest_two if false\n",
			"policies/b/b_test.rego": "package c_test\n\ntest_one if data.c.allow\ntest_helper if data.a.helper " +
				"== 1\n",
			"policies/b/c.rego":         "package c\n\nallow if data.limits.most > 2\n",
			"policies/b/helper.rego":    "package a\n\nhelper := 1\n",
			"policies/limits/data.yaml": "most: 3\n",
			// a rule named like a test, outside of a file of tests, is one for OPA too
			"policies/d/d_test.rego": "package d\n\ntest_in_policy if true\nhelper if false\n",
		},
		"tables": {"policies/tables_test.rego": `package tables_test

test_table[name] if {
	some name, n in {"one": 1, "two": 2, "three": 3}
	n < 3
}
test_all[name] if {
	some name in ["a", "b"]
	name != "c"
}
test_nested[outer][inner] if {
	some outer, list in {"x": [1, 2], "y": [3]}
	some inner in list
	inner != 2
}
test_notes[tc.note] if {
	some tc in [{"note": "adds", "a": [1], "want": [1, 2]}, {"note": "adds not", "a": [1], "want": [1]}]
	array.concat(tc.a, [2]) == tc.want
}
test_object := {"a": true, "b": false}
`},
		"with": {"policies/with_test.rego": `package with_test

user := {"token": {"scopes": ["read"], "subject": {"id": "rita"}}}

test_input if data.authz.decision.allow with input as user
test_member if data.authz.decision.allow with input.token.scopes as ["read"] with input.token.subject.id as "a"
test_denied if not data.authz.decision.allow with input.token.scopes as [] with input.token.age as 1
test_data if data.numbers.most == 5 with data.numbers.most as 5
test_builtin if time.now_ns() == 1 with time.now_ns as 1
test_function if double(2) == 5 with double as plus_three
test_every if every n in [1, 2, 3] { n < 4 }
test_every_fail if every n in [1, 2, 3] { n < 3 }
test_comprehension if count([n | some n in numbers.range(1, 10); n > 5]) == 5
double(n) := n * 2
plus_three(n) := n + 3
`},
		"duplicates": {"policies/duplicates_test.rego": `package duplicates_test

test_same if true
test_same if false
test_same if true
a.b.test_deep if true
a.b.test_deeper if false
`},
		"errors": {"policies/errors_test.rego": `package errors_test

test_conflict if f(1) == 1
f(n) := 1 if n > 0
f(n) := 2 if n < 2
test_object_conflict if o.a == 1
o := {"a": n} if some n in [1, 2]
`},
		"calls": {"policies/calls_test.rego": `package calls_test

test_regex if regex.match("^a+$", "aaa")
test_glob if glob.match("a/*", ["/"], "a/b")
test_json if json.unmarshal("{\"a\": 1}").a == 1
test_graph if graph.reachable({"a": ["b"], "b": []}, {"a"}) == {"a", "b"}
test_walk if count([1 | walk({"a": {"b": 1}})]) == 3
test_walk_value if { some p; walk({"a": {"b": 1}}, [p, 1]); p == ["a", "b"] }
test_sort if sort([3, 1, 2]) == [1, 2, 3]
test_sprintf if sprintf("%d-%s", [1, "a"]) == "1-a"
test_arithmetic if (1 + 2) * 3 == 9
test_sets if {1, 2} | {3} == {1, 2, 3}
test_undefined_result if not object.get({}, "a", false)
test_jwt if io.jwt.decode("eyJhbGciOiJub25lIn0.e30.")[1] == {}
test_template if strings.render_template("{{.a}}", {"a": "b"}) == "b"
test_schema if json.match_schema({"a": 1}, {"type": "object"})[0]
`},
	}
}

func TestAgreementWithOPA(t *testing.T) {
	for name, files := range folders() {
		t.Run(name, func(t *testing.T) {
			inside(t, files)
			want := opaTest(t)
			got, err := ownTest(t)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) < 2 {
				t.Errorf("OPA ran only %v", want)
			}
			for _, test := range slices.Sorted(maps.Keys(want)) {
				if got[test] != want[test] {
					t.Errorf("%s: %q by sidecar test, %q by opa test", test, got[test], want[test])
				}
			}
			for test := range got {
				if want[test] == "" {
					t.Errorf("%s is no test of OPA", test)
				}
			}
		})
	}
}

// Where sidecar test differs from opa test, it does so because serving does.
func TestDifferencesFromOPA(t *testing.T) {
	for name, c := range map[string]struct{ test, opa, own string }{
		"a builtin that fails is an error": {
			"test_it if not late\nlate if time.parse_rfc3339_ns(\"x\") > 5", "pass", "error",
		},
		"also where it would not have mattered": {
			`test_it if count([x | x := json.unmarshal("{")]) == 0`, "pass", "error",
		},
		"a builtin is bounded": {
			`test_it if bits.lsh(1, 40000) > 1`, "pass", "error",
		},
		"what the input never has does not compile": {
			`test_it if not input.token.scpoes`, "pass", "undefined ref: input.token.scpoes",
		},
		"a comparison of types that never meet does not compile": {
			`test_it if not input.token.active == "yes"`, "pass", "match error",
		},
		"an unused variable does not compile": {
			`test_it if { x := 1 }`, "pass", "assigned var x unused",
		},
		"a builtin that reaches the network is not there": {
			`test_it if http.send({}).status_code == 200 with http.send as {"status_code": 200}`, "pass",
			"with keyword target must reference existing input, data, or a function",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inside(t, map[string]string{"policies/a_test.rego": "package a_test\n\n" + c.test + "\n"})
			if got := opaTest(t)["data.a_test.test_it"]; got != c.opa {
				t.Errorf("opa test: %q, want %q", got, c.opa)
			}
			got, err := ownTest(t)
			if err != nil {
				if !strings.Contains(err.Error(), c.own) {
					t.Errorf("sidecar test: %v, want %q", err, c.own)
				}
			} else if got["data.a_test.test_it"] != c.own {
				t.Errorf("sidecar test: %q, want %q", got["data.a_test.test_it"], c.own)
			}
		})
	}
}
