package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// body is how a rule reads a value that came as JSON within a text.
const body = `json.unmarshal(input.request.headers["x-body"][0])`

// valued asks about a value in the context, in a claim and in JSON within a header.
func valued(value string) Question {
	q := question(`{"v":` + value + `,"GET":` + value + `}`)
	q.Document.Request.Headers = map[string][]string{"x-body": {`{"v":` + value + `}`}}
	q.Document.Claims.Raw = []byte(`{"active":true,"v":` + value + `}`)
	q.Document.Token.Claims = q.Document.Claims.Raw
	return q
}

const denying = "default decision := true\ndecision := false if denied\n"

// TestABuiltinThatFailsRefusesWhereverItsOperandComesFrom has calls that OPA's index answers when it is let: a deny
// rule would be skipped, and the request allowed.
func TestABuiltinThatFailsRefusesWhereverItsOperandComesFrom(t *testing.T) {
	for name, rule := range map[string]string{
		"startswith":                  `denied if startswith(input.context.v, "/admin")`,
		"endswith":                    `denied if endswith(input.context.v, "/admin")`,
		"glob":                        `denied if glob.match("/admin/*", ["/"], input.context.v)`,
		"glob of a claim":             `denied if glob.match("adm*", [":"], input.token.claims.v)`,
		"glob without delimiters":     `denied if glob.match("adm*", [], input.token.claims.v)`,
		"glob with null":              `denied if glob.match("adm*", null, input.token.claims.v)`,
		"any prefix":                  `denied if strings.any_prefix_match(input.context.v, "/admin")`,
		"any prefix of an array":      `denied if strings.any_prefix_match(input.context.v, ["/admin", "/root"])`,
		"any suffix of a set":         `denied if strings.any_suffix_match(input.context.v, {"/admin", "/root"})`,
		"a name made at run time":     `denied if startswith(input.context[input.request.method], "/admin")`,
		"a name in brackets":          `denied if startswith(input["context"].v, "/admin")`,
		"a variable":                  `denied if { p := input.context.v; glob.match("/admin/*", ["/"], p) }`,
		"a variable of a variable":    `denied if { p := input.context.v; q := p; startswith(q, "/admin") }`,
		"two places, one is a string": `denied if { p = input.context.v; startswith(p, "/admin"); p = input.request.path }`,
		"a string later":              `denied if { some p in [input.context.v]; startswith(p, "/admin"); p = input.request.path }`,
		"an argument, a string later": "denied if blocked(" + body + ".v)\nblocked(p) if { startswith(p, \"/admin\"); p = input.request.path }",
		"another name of an argument": "denied if blocked(" + body + ".v)\nblocked(x) if { p := x; startswith(p, \"/admin\"); p = input.request.path }",
		"a replaced place":            `denied if { p = input.request.path with input.request.path as input.context.v; startswith(p, "/admin") }`,
		"a value that was parsed":     `denied if { h := ` + body + `; startswith(h.v, "/admin") }`,
		"a function argument":         "denied if blocked(" + body + ".v)\nblocked(p) if startswith(p, \"/admin\")",
		"a member of an argument":     "denied if blocked(" + body + ")\nblocked(p) if startswith(p.v, \"/admin\")",
		"an argument to endswith":     "denied if blocked(" + body + ".v)\nblocked(p) if endswith(p, \"/admin\")",
		"an argument to glob": "denied if blocked(" + body +
			".v)\nblocked(p) if glob.match(\"/admin/*\", [\"/\"], p)",
		"an argument to any prefix": "denied if blocked(" + body +
			".v)\nblocked(p) if strings.any_prefix_match(p, [\"/admin\"])",
		"an argument, two bodies": "denied if blocked(" + body +
			".v)\nblocked(p) if startswith(p, \"/admin\")\nblocked(p) if startswith(p, \"/root\")",
		"object.get": "denied if blocked(object.get(" + body +
			", \"v\", \"\"))\nblocked(p) if startswith(p, \"/admin\")",
		"else": "denied if { not ok }\nok if blocked(" + body +
			".v)\nblocked(p) := false if glob.match(\"/admin/*\", [\"/\"], p)\nelse := true",
		"a body in an else": "denied if ok == false\nok := true if input.request.method == " +
			"\"POST\"\nelse := false if startswith(input.context.v, \"/admin\")\nelse := true",
		"with": `denied if inner with input.request.path as input.context.v` + "\n" +
			`inner if startswith(input.request.path, "/admin")`,
		"with a whole request": `denied if inner with input.request as {"path": input.context.v}` + "\n" +
			`inner if startswith(input.request.path, "/admin")`,
		"with a whole input": `denied if inner with input as {"request": {"path": input.context.v}}` + "\n" +
			`inner if startswith(input.request.path, "/admin")`,
		"with data": `denied if inner with data.limit as input.context.v` + "\n" +
			`inner if startswith(data.limit, "/admin")`,
		"a key of a partial object": `denied if rules["a"]` + "\n" +
			`rules[k] := true if { k := "a"; endswith(input.context.v, "/admin") }`,
		"a rule with other conditions": `denied if { input.request.method == "GET"; startswith(input.context.v, "/admin"); input.request.path == "/orders/42" }`,
	} {
		t.Run(name, func(t *testing.T) {
			p := policy(t, patient, denying+rule+"\n")
			for _, value := range []string{`["/admin/x"]`, `5`, `{"a":1}`, `null`, `true`} {
				if strings.Contains(rule, "any_") && value[0] == '[' {
					continue // an array is an operand that these two take
				}
				a, err := evaluated(t.Context(), p, valued(value))
				if authz.KindOf(err) != authz.Misconfigured || a.Verdict != nil {
					t.Errorf("%s: verdict %+v, error %v, want misconfigured", value, a.Verdict, err)
				}
				explained, _, second := p.Explain(t.Context(), valued(value))
				if fmt.Sprint(second) != fmt.Sprint(err) || !explained.Empty() {
					t.Errorf("%s: explain gives a result, %v", value, second)
				}
			}
			if a, err := evaluated(t.Context(), p, valued(`"y"`)); err != nil || !a.Verdict.Allow {
				t.Errorf("text that matches nothing: %v", err)
			}
		})
	}
}

func TestABuiltinThatFailsOnDataRefuses(t *testing.T) {
	for _, rule := range []string{
		`startswith(data.limits.prefix, "/admin")`,
		`endswith(data.limits.prefix, "/admin")`,
		`glob.match("/admin/*", ["/"], data.limits.prefix)`,
		`strings.any_prefix_match(data.limits.none, ["/admin"])`,
		`startswith(data.limits.by[input.request.method], "/admin")`,
	} {
		p, err := compiled(t, patient, map[string]string{
			"policies/authz.rego": "package authz\n\n" + denying +
				"denied if {\n\tinput.context\n\tinput.request.path != \"/\"\n\t" + rule + "\n}\n",
			"policies/limits/data.json": `{"prefix": ["/admin"], "none": null, "by": {"GET": {}}}`,
		})
		if err != nil {
			t.Fatal(err)
		}
		fails(t, p, question(`{}`), "eval_type_error", "operand ")
	}
}

// TestAMaskWhoseBuiltinFailsRefusesTheEvent: the input of a mask is an event, whose members have no types.
func TestAMaskWhoseBuiltinFailsRefusesTheEvent(t *testing.T) {
	for _, rule := range []string{
		`startswith(input.result.context.kind, "secret")`,
		`endswith(input.result.context.kind, "secret")`,
		`startswith(input.input.context.kind, "secret")`,
		`startswith(input.path, "secret")`,
		`startswith(input.request.path, "secret")`,
		`glob.match("secret*", [], input.result.context.kind)`,
		`glob.match("secret/*", ["/"], input.result.context.kind)`,
		`strings.any_prefix_match(input.result.context.kind, ["secret"])`,
		`contains(input.result.context.kind, "secret")`,
	} {
		p, err := compiled(t, patient, map[string]string{
			"policies/authz.rego": "package authz\n\ndecision := true\n",
			"policies/mask.rego":  "package system.log\n\nmask contains \"/input/request/path\" if " + rule + "\n",
		})
		if err != nil {
			t.Fatal(err)
		}
		m, err := p.Mask(
			[]byte(
				`{"path":5,"request":{"path":5},"input":{"request":{"path":"/x"},"context":{"kind":5}},"result":{"context":{"kind":5}}}`))
		if err == nil {
			t.Errorf("%s: %+v, want an error", rule, m)
		}
	}
}

// TestGlobsMatchAsTheBuiltinSays: OPA's index splits strings otherwise than the builtin does.
func TestGlobsMatchAsTheBuiltinSays(t *testing.T) {
	for rule, value := range map[string]string{
		`glob.match("*/admin", ["/"], input.context.v)`:                   `"x\\/admin"`,
		`glob.match("a\\*b", ["/"], input.context.v)`:                     `"a*b"`,
		`glob.match("*", ["Ã"], input.context.v)`:                         `"é"`,
		`glob.match("/x/*", ["/"], input.request.headers["x-p"][0])`:      `"/x/y"`,
		`glob.match("*/42", ["/"], trim_prefix(input.request.path, "/"))`: `1`,
	} {
		q := valued(value)
		q.Document.Request.Headers["x-p"] = []string{"/x/y"}
		if a := answered(t, policy(t, patient, denying+"denied if "+rule+"\n"), q); a.Verdict.Allow {
			t.Errorf("%s does not match %s", rule, value)
		}
	}
}

// TestABuiltinThatFailsInPackageSystemRefuses reaches the package by a name that is known at run time only.
func TestABuiltinThatFailsInPackageSystemRefuses(t *testing.T) {
	p, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": "package authz\n\n" + denying +
			"denied if data[input.context.GET].lib.denied with input.request.path as input.context.v\n",
		"policies/lib.rego": "package system.lib\n\ndenied if startswith(input.request.path, \"/admin\")\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	fails(t, p, question(`{"v":5,"GET":"system"}`), "startswith")
}

// constant is a term of Rego of a type.
func constant(t types.Type) string {
	switch t := t.(type) {
	case *types.NamedType:
		return constant(t.Type)
	case types.Number:
		return `1`
	case types.Boolean:
		return `true`
	case *types.Array:
		return `["x"]`
	case *types.Set:
		return `{"x"}`
	case *types.Object:
		return `{"x": "x"}`
	case types.Null:
		return `null`
	case types.Any:
		for _, one := range t {
			if text := constant(one); text != `null` {
				return text
			}
		}
	}
	return `"x"`
}

// eachCall yields a call of every builtin with a place of the input as each of its arguments.
func eachCall(places []string, yield func(builtin, call string)) {
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if builtins.Unsafe(b.Name) || b.Infix != "" && b.Name != ast.Member.Name ||
			strings.HasPrefix(b.Name, "internal.") && b.Name != ast.Member.Name || b.Relation {
			continue
		}
		args := b.Decl.FuncArgs().Args
		for i := range args {
			for _, place := range places {
				parts := make([]string, len(args))
				for j := range args {
					parts[j] = constant(args[j])
				}
				parts[i] = place
				call := b.Name + "(" + strings.Join(parts, ", ") + ")"
				if b.Infix != "" {
					call = parts[0] + " " + b.Infix + " " + parts[1]
				}
				yield(b.Name, call)
			}
		}
	}
}

// TestTheIndexHidesNoErrorOfAnyBuiltin compares each builtin, on each kind of JSON in each argument, with an
// evaluation without the index. It fails when an OPA answers another builtin in its index, in a way that this package
// does not prevent.
func TestTheIndexHidesNoErrorOfAnyBuiltin(t *testing.T) {
	evaluations := 0
	eachCall([]string{`input.context.v`, `input.token.claims.v`}, func(_, call string) {
		p, err := compiled(t, patient, map[string]string{"policies/a.rego": "package authz\n\n" + denying +
			"denied if " + call + "\n"})
		if err != nil {
			return // types do not allow it
		}
		for _, value := range []string{`"x"`, `5`, `{"a":1}`, `null`, `true`, `["x"]`, `[5]`, `[]`} {
			evaluations++
			a, err := evaluated(t.Context(), p, valued(value))
			b, second := unindexed(t, p, valued(value))
			if (err == nil) != (second == nil) || err == nil && a.Verdict.Allow != b.Verdict.Allow {
				t.Errorf("%s with %s: %+v, %v; without the index %+v, %v", call, value, a.Verdict, err, b.Verdict,
					second)
			}
		}
	})
	if evaluations < 3000 {
		t.Errorf("%d evaluations, want all builtins", evaluations)
	}
}

// TestOPAIndexesTheBuiltinsThatAreKnown fails when an OPA answers other builtins in its index than this package was
// written for. Read what its index does with the new one, and whether captureCalls keeps it from hiding an error.
func TestOPAIndexesTheBuiltinsThatAreKnown(t *testing.T) {
	var got []string
	eachCall([]string{`input.v`}, func(builtin, call string) {
		c := ast.NewCompiler()
		c.Compile(parsed(t, "package p\n\ndenied if "+call+"\n"))
		if c.Failed() {
			return
		}
		for _, value := range []string{`5`, `{"a":1}`, `"no"`} {
			found, err := c.RuleIndex(ast.MustParseRef("data.p.denied")).Lookup(
				inputOf{ast.MustParseTerm(`{"v":` + value + `}`)})
			if err != nil {
				t.Fatal(err)
			}
			if found.Empty() && !slices.Contains(got, builtin) {
				got = append(got, builtin)
			}
		}
	})
	want := []string{ast.GlobMatch.Name, ast.Member.Name, ast.StartsWith.Name, ast.EndsWith.Name,
		ast.AnyPrefixMatch.Name, ast.AnySuffixMatch.Name}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("OPA's index answers %q, want %q", got, want)
	}
}

// inputOf resolves references for an index.
type inputOf struct{ input *ast.Term }

func (r inputOf) Resolve(ref ast.Ref) (ast.Value, error) {
	if !ref.HasPrefix(ast.InputRootRef) {
		return nil, nil
	}
	v, err := r.input.Value.Find(ref[1:])
	if err != nil {
		return nil, nil // undefined
	}
	return v, nil
}

// TestAnExpressionWithoutTheIndexCostsItselfOnly has five hundred rules that the index tells apart, beside one
// expression that it cannot answer.
func TestAnExpressionWithoutTheIndexCostsItselfOnly(t *testing.T) {
	for _, many := range []string{`input.request.path == "/p%d"`, `startswith(input.request.path, "/p%d/")`,
		`startswith(input.request.headers["x-a"][0], "/p%d/")`} {
		rules := "default decision := false\nother if input.request.path == \"/b\"\n"
		for i := range 500 {
			rules += fmt.Sprintf("decision if "+many+"\n", i)
		}
		allocations := func(more string) float64 {
			p, q := policy(t, patient, rules+more+"\n"), question(`{"v":"a"}`)
			q.Document.Request.Headers = map[string][]string{"x-a": {"/b"}}
			return testing.AllocsPerRun(10, func() { answered(t, p, q) })
		}
		alone := allocations("")
		for _, more := range []string{
			`decision if startswith(input.context.v, "/b")`,
			`decision if glob.match("/b/*", ["/"], input.context.v)`,
			`decision if regex.match("^/b", input.request.path)`,
			`decision if not startswith(input.request.path, "/")`,
			`decision if { some s in input.request.segments; startswith(s, "/b") }`,
			`decision if input.request.query == {"a": ["b"]}`,
			`decision if { other with input.request.path as input.request.raw_path }`,
			`decision if { other with input as input.context }`,
		} {
			if n := allocations(more); n > alone+100 {
				t.Errorf("%s, beside 500 of %s: %v allocations, %v without it", more, many, n, alone)
			}
		}
	}
}

// TestTheIndexAnswersAsTheRulesSay draws rules of what the index answers, and values of odd types and spellings. The
// order in which OPA reads a body differs with the index, so only bodies in which nothing fails are compared.
func TestTheIndexAnswersAsTheRulesSay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	constants := []string{`"a"`, `"a/b"`, `""`, `0`, `-0`, `1`, `1.0`, `1e0`, `100`, `1e2`, `9007199254740993`,
		`9007199254740992`, `null`, `true`, `false`, `[]`, `["a"]`, `["a","b"]`, `[1,[0]]`, `{"a":1}`, `[null]`}
	places := []string{`input.context.v`, `input.context.w`, `input.context`, `input.context.v.a`, `data.d.v`,
		`input.context.v[_]`}
	expressions := func() string {
		at, c := pick(places), pick(constants)
		return pick([]string{
			at + " == " + c, c + " == " + at, at + " = " + c, at + " in [" + c + ", " + pick(constants) + "]",
			c + " in " + at, at + " in {" + c + "}",
			at, "{ x := " + at + "; x == " + c + " }", "{ x := " + c + "; " + at + " == x }",
			at + " == [" + c + ", _]",
			at + " == " + pick(places),
			"data.d.members[" + at + "]", at + " in data.d.members", at + " in {" + `"k": ` + c + "}",
			"not " + at + " == " + c,
		})
	}
	for range 300 {
		var rego strings.Builder
		rego.WriteString("decision := {\"allow\": true, \"context\": {\"hit\": hit}}\n")
		for i := range 1 + random.IntN(4) {
			var parts []string
			for range 1 + random.IntN(3) {
				parts = append(parts, strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(expressions(), "x",
					fmt.Sprintf("x%d", len(parts))), "{ "), " }"))
			}
			fmt.Fprintf(&rego, "hit contains %d if { %s }\n", i, strings.Join(parts, "; "))
		}
		p, err := compiled(t, patient, map[string]string{"policies/a.rego": "package authz\n\n" + rego.String(),
			"policies/d/data.json": `{"v":["a",1],"members":{"a":1,"1":"a/b"}}`})
		if err != nil {
			continue // types do not allow it
		}
		for range 8 {
			q := question(`{"v":` + pick(constants) + `,"w":` + pick(constants) + `}`)
			a, err := evaluated(t.Context(), p, q)
			b, second := unindexed(t, p, q)
			if err != nil || second != nil || resultJSON(t, a) != resultJSON(t, b) {
				t.Errorf("%s\nwith %s: %v %v; without the index %v %v", rego.String(), q.Document.Context, a.Result,
					err, b.Result, second)
			}
		}
	}
}
