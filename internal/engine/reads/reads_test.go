package reads_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/reads"
)

// of compiles modules, which may begin with a package, and lists what data.p.q reads.
func of(t *testing.T, modules ...string) string {
	t.Helper()
	parsed := map[string]*ast.Module{}
	for i, m := range modules {
		if !strings.HasPrefix(m, "package ") {
			m = "package p\n\n" + m
		}
		mod, err := ast.ParseModuleWithOpts("m.rego", m, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			t.Fatal(err)
		}
		parsed[string(rune('a'+i))] = mod
	}
	c := ast.NewCompiler().WithDefaultRegoVersion(ast.RegoV1)
	if c.Compile(parsed); c.Failed() {
		t.Fatal(c.Errors)
	}
	var out []string
	for _, p := range reads.New(c).Of(ast.MustParseRef("data.p.q")).Paths {
		out = append(out, cmp.Or(strings.TrimPrefix(p.String(), "input"), "whole"))
	}
	return strings.Join(out, " ")
}

func TestPathsThatAreRead(t *testing.T) {
	const whole = "whole"
	for name, c := range map[string]struct{ rego, want string }{
		"nothing":                  {`q := 1`, ""},
		"a member":                 {`q if input.a.b == 1`, ".a.b"},
		"a member and a part":      {`q if { input.a.b == 1; input.a.b.c == 2; input.ab }`, ".a.b .ab"},
		"a position":               {`q if input.a[0].b == 1`, ".a.0.b"},
		"positions":                {`q if { input.a[0]; input.a[10]; input.a[2] }`, ".a.0 .a.2 .a.10"},
		"a variable":               {`q if input.a[_].b == 1`, ".a"},
		"a dynamic name":           {`q if input.a[input.b] == 1`, ".a .b"},
		"the whole":                {`q if object.get(input, "a", 1) == 1`, whole},
		"an alias":                 {`q if { x := input; x.a == 1 }`, whole},
		"an alias of a part":       {`q if { x := input.a; x.b == 1 }`, ".a"},
		"walk":                     {`q if { walk(input, [_, 1]) }`, whole},
		"a dynamic first name":     {"q if input[data.x]", whole},
		"a function":               {"q if f(input.a)\nf(x) if x.b == input.c", ".a .c"},
		"an else":                  {"q := 1 if input.a else := 2 if input.b else := input.c", ".a .b .c"},
		"a default":                {"default q := 1\nq := 2 if input.a", ".a"},
		"a comprehension":          {`q := {x | some x in input.a; not x in [y | y := input.b[_]]}`, ".a .b"},
		"every":                    {`q if every x in input.a { x == input.b }`, ".a .b"},
		"not":                      {`q if not input.a.b`, ".a.b"},
		"the value of with":        {"q if r with data.x as input.a\nr if data.x.b", ".a"},
		"with input":               {"q if r with input as {\"a\": input.b}\nr if input.a", whole},
		"with a part of the input": {"q if r with input.a.b as 1\nr if input.a", ".a"},
		"a function by with":       {"q if r with f as g\nr if f(1)\nf(_) := 1\ng(_) := input.a", ".a"},
		"a template":               {`q := $"{input.a} of {input.b}"`, ".a .b"},
		"a partial set":            {"q contains x if { x := input.a }", ".a"},
		"a partial object":         {"q[x] := y if { x := input.a; y := input.b }", ".a .b"},
		"a head of several parts":  {"q[input.a].b[x] := y if { x := input.c; y := input.d }", ".a .c .d"},
		"a rule above":             {"q := r.x\nr := {\"x\": input.a}", ".a"},
		"a number no index is":     {"q if input.a[1.5]", ".a"},
	} {
		if got := of(t, c.rego); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestRulesOfOtherPackagesAreFollowed(t *testing.T) {
	const far = "package far.away\n\nx := input.a\n\ny := input.b\n\nz[input.k] := input.v"
	for name, c := range map[string]struct{ rego, want string }{
		"one rule":                            {"q := data.far.away.x", ".a"},
		"a package":                           {"q := data.far.away", ".a .b .k .v"},
		"a package above":                     {"q := data.far", ".a .b .k .v"},
		"a variable":                          {"q := data.far.away[input.n]", ".a .b .k .n .v"},
		"a variable that OPA's graph narrows": {"q := data.far.away[n] if n := \"x\"", ".a .b .k .v"},
		"a variable above":                    {"q := data.far[_].x", ".a .b .k .v"},
		"a part of a rule":                    {"q := data.far.away.x.c.d", ".a"},
		"a dynamic part":                      {"q := data.far.away.z[input.n].d", ".k .n .v"},
		"data of no rule":                     {"q := data.base.x", ""},
	} {
		if got := of(t, c.rego, far); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestHiddenPackagesAreFollowed(t *testing.T) {
	if got := of(t, "q if data[x].own == 1", "package system\n\nown := input.a"); got != ".a" {
		t.Errorf("got %q", got)
	}
}
