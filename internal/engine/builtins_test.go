package engine

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// textual asks about a text in the context.
func textual(t *testing.T, s string) Question {
	t.Helper()
	b, err := json.Marshal(map[string]any{"s": s, "run": true})
	if err != nil {
		t.Fatal(err)
	}
	return question(string(b))
}

// TestWhatWouldEndTheProcessIsRefused has calls that fill the stack or the memory, which Go does not survive.
func TestWhatWouldEndTheProcessIsRefused(t *testing.T) {
	layers :=
		`layers := {sprintf("%d/%d", [l, i]): [sprintf("%d/0", [l + 1]), sprintf("%d/1", [l + 1]), sprintf("%d/2", [l + 1])] | some l in numbers.range(0, 59); some i in numbers.range(0, 2)}` + "\n"
	doubled :=
		`huge := json.patch({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/a/-"} | some _ in numbers.range(1, 60)])`
	for _, c := range []struct{ rule, want string }{
		{`bits.lsh(1, 80000000000) > 0`, "bits.lsh is told to shift by more than 32768 bits"},
		{`bits.lsh(1, -80000000000) > 0`, "bits.lsh is told to shift by more than 32768 bits"},
		{`bits.lsh(1, 1e9999) > 0`, "bits.lsh is told to shift by more than 32768 bits"},
		{`sprintf("%999999d%999999d` + strings.Repeat(`%[1]999999d`,
			100) + `", [1]) == ""`, "sprintf is given, or would make, more than"},
		{`sprintf("` + strings.Repeat(`%[1]*d`,
			100) + `", [999999]) == ""`, "sprintf is given, or would make, more than"},
		{`sprintf("` + strings.Repeat(`%[1]s`,
			2000) + `", [input.context.s]) == ""`, "sprintf is given, or would make, more than"},
		{`replace(input.context.s, "a", input.context.s) == ""`, "replace is given, or would make, more than"},
		{`replace(input.context.s, "", input.context.s) == ""`, "replace is given, or would make, more than"},
		{`strings.replace_n({"a": input.context.s}, input.context.s) == ""`,
			"strings.replace_n is given, or would make, more than"},
		{`regex.replace(input.context.s, "a", input.context.s) == ""`,
			"regex.replace is given, or would make, more than"},
		{`concat(input.context.s, split(input.context.s, "")) == ""`, "concat is given, or would make, more than"},
		{`json.marshal_with_options(numbers.range(1, 100000), {"prefix": input.context.s, "pretty": true}) == ""`,
			"json.marshal_with_options is given, or would make, more than"},
		{`strings.render_template("{{range .x}}{{range $.x}}{{range $.x}}{{$.s}}{{end}}{{end}}{{end}}", {"x": numbers.range(1, 1000), "s": input.context.s}) == ""`, "strings.render_template makes more than"},
		{`strings.render_template("{{$a := .s}}{{range .x}}{{$a = printf \"%s%s\" $a $a}}{{end}}", {"x": numbers.range(1, 60), "s": input.context.s}) == ""`, "strings.render_template makes more than"},
		{`count(graph.reachable_paths(layers, {"0/0"})) == 0`, "graph.reachable_paths would make paths of more than"},
		{`to_number(sprintf("1%s", [replace(input.context.s, "a", "1")])) > 1`,
			"to_number is given a text of more than"},
		{`graphql.parse_query(replace(input.context.s, "a", "{a"))`,
			"graphql.parse_query is given a text with more than 10000 brackets"},
		{`graphql.schema_is_valid(sprintf("type Query { a: %sInt }", [replace(input.context.s, "a", "[")]))`,
			"graphql.schema_is_valid is given a text with more than 10000 brackets"},
		{`glob.match(replace(input.context.s, "a", "{a,"), [], "x")`, "glob.match is given a pattern of more than"},
		{`1e9000 * 1e9000 * 1e9000 > 1`, "mul is given what"},
		{`count(json.marshal(huge)) == 0`, "json.marshal is given, or would make, more than"},
		{`bits.and(1, bits.lsh(bits.lsh(1, 32000), 32000)) == 1`, "bits.and is given what"},
	} {
		rule, want := c.rule, c.want
		t.Run(rule[:min(40, len(rule))], func(t *testing.T) {
			p := policy(t, patient, denying+"denied if { input.context.run; "+rule+" }\n"+layers+doubled)
			fails(t, p, textual(t, strings.Repeat("a", 60_000)), want)
		})
	}
}

func TestASchemaWithoutEndIsRefused(t *testing.T) {
	for _, c := range []struct{ name, schema string }{
		{"a reference to itself",
			`{"$ref": "#/definitions/order", "definitions": {"order": {"$ref": "#/definitions/order"}}}`},
		{"the whole", `{"$ref": "#"}`},
		{"the whole in allOf", `{"allOf": [{"type": "object"}, {"$ref": "#"}]}`},
		{"a chain",
			`{"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"anyOf": [{"$ref": "#/definitions/c"}]}, "c": {"not": {"$ref": "#/definitions/a"}}}}`},
		{"oneOf", `{"oneOf": [{"$ref": "#"}]}`},
		{"if", `{"if": {"$ref": "#"}, "then": {}}`},
		{"then", `{"if": {}, "then": {"$ref": "#"}}`},
		{"else", `{"if": {"type": "null"}, "else": {"$ref": "#"}}`},
		{"dependencies", `{"dependencies": {"a": {"$ref": "#"}}}`},
		{"a place that is no definition", `{"$ref": "#/x/0", "x": [{"$ref": "#/x/0"}]}`},
		{"escapes", `{"$ref": "#/definitions/a~1b%25", "definitions": {"a/b%": {"$ref": "#/definitions/a~1b%25"}}}`},
		{"$id", `{"$id": "http://x.example/root.json", "$ref": "root.json"}`},
		{"an id of draft 4",
			`{"$schema": "http://json-schema.org/draft-04/schema#", "id": "http://x.example/root.json", "allOf": [{"$ref": "http://x.example/root.json#"}]}`},
		{"$id of a part",
			`{"$id": "http://x.example/root.json", "definitions": {"a": {"$id": "#a", "allOf": [{"$ref": "#a"}]}}, "$ref": "#a"}`},
		{"$id that moves the base",
			`{"properties": {"p": {"$id": "http://x.example/sub/", "definitions": {"a": {"allOf": [{"$ref": "#/definitions/a"}]}}, "$ref": "#/definitions/a"}}}`},
		{"below a property", `{"properties": {"p": {"allOf": [{"$ref": "#/properties/p"}]}}}`},
		{"another document", `{"$ref": "http://x.example/other.json"}`},
		{"a relative document", `{"properties": {"p": {"$ref": "other.json#/a"}}}`},
		{"alternatives without end",
			`{"definitions": {"a": {"anyOf": [{"$ref": "#/definitions/b"}, {"$ref": "#/definitions/b"}]}` +
				manyAlternatives() + `}, "$ref": "#/definitions/a"}`},
	} {
		name, schema := c.name, c.schema
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(schema)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range []string{
				`json.match_schema(input.context, ` + schema + `)[0]`,
				`json.match_schema({"a": {"p": 1}, "p": 1}, ` + string(text) + `)[0]`,
				`json.match_schema(input.context.a, input.context.schema)[0]`, `json.verify_schema(` + schema + `)[0]`,
				`json.verify_schema(input.context.schema)[0]`,
			} {
				p := policy(t, patient, denying+"denied if { input.context.run; "+call+" }\n")
				fails(t, p, question(`{"run":true,"a":{"p":1},"p":1,"schema":`+schema+`}`), "is given a schema")
			}
		})
	}
}

func manyAlternatives() string {
	var b strings.Builder
	for c := 'b'; c < 'z'; c++ {
		next := string(c + 1)
		b.WriteString(`, "` + string(c) + `": {"anyOf": [{"$ref": "#/definitions/` + next +
			`"}, {"$ref": "#/definitions/` + next + `"}]}`)
	}
	return b.String() + `, "z": {}`
}

func TestASchemaThatRefersToItselfBelowAStepIsUsed(t *testing.T) {
	for _, schema := range []string{
		`{"properties": {"child": {"$ref": "#"}, "children": {"type": "array", "items": {"$ref": "#"}}}, "additionalProperties": false}`,
		`{"$ref": "#/definitions/n", "definitions": {"n": {"type": ["array", "object"], "items": {"$ref": "#/definitions/n"}, "additionalProperties": {"anyOf": [{"$ref": "#/definitions/n"}]}}}}`,
		`{"$id": "http://x.example/root.json", "properties": {"child": {"$ref": "root.json"}}}`,
		`{"$ref": "http://json-schema.org/draft-07/schema#"}`,
	} {
		p := policy(t, patient, "default decision := false\ndecision if json.match_schema(input.context.v, "+schema+
			")[0]\n")
		if a := answered(t, p, question(`{"v":{"child":{"child":{}}}}`)); !a.Verdict.Allow &&
			!strings.Contains(schema, "items") {
			t.Errorf("%s does not match", schema)
		}
	}
}

// TestGuardedBuiltinsAnswerAsOPAsDo compares private names with the public ones, and replacements with what they
// replace.
func TestGuardedBuiltinsAnswerAsOPAsDo(t *testing.T) {
	for _, rule := range []string{
		`[sort([3, 1, 2]), sprintf("%5.2f|%s|%v|%-4d", [1.5, "a", {"b": 1}, 7])]`,
		`graph.reachable({"a": ["b", "c"], "b": {"d"}, "c": [], "d": ["a"], "e": ["a"]}, {"a", "zz"})`,
		`graph.reachable({"a": [], "b": ["a", "x"]}, ["b"])`,
		`graph.reachable_paths({"a": ["b", "c"], "b": {"d"}, "c": [], "d": ["a"]}, {"a"})`,
		`strings.render_template("{{range .x}}{{.}},{{end}}{{.nope}}{{printf \"%03d\" 7}}{{html \"<\"}}", {"x": [1, "b", 2.5]})`,
		`[numbers.range(5, 1), numbers.range_step(1, 10, 4), net.cidr_expand("10.0.0.0/30"), bits.lsh(3, 40), replace("aaa", "a", "bb"), concat(",", {"x", "y"})]`,
		`[json.marshal({"a": [1, {2}]}), regex.replace("abc", "b", "[$0]"), split("a,b", ","), object.union({"a": 1}, {"b": 2}), sum([1, 2.5]), 7 % 4, to_number("12.5")]`,
		`json.match_schema({"a": 1}, {"properties": {"a": {"type": "string"}}})`,
		`[v | walk({"a": [1, 2]}, [_, v])]`,
	} {
		text := "decision := {\"allow\": true, \"context\": {\"x\": x}}\nx := " + rule + "\n"
		p := policy(t, patient, text)
		plain := *p.entries[decisionPath]
		runtime := *plain.runtime
		runtime.builtins = map[string]*topdown.Builtin{}
		for name, b := range builtins.Guarded(builtins.NewRunaways()) {
			_, public, _ := strings.Cut(name, ":")
			runtime.builtins[name] = &topdown.Builtin{Decl: b.Decl, Func: topdown.GetBuiltin(public)}
		}
		plain.runtime = &runtime
		want, err := plain.eval(t.Context(), ast.NewObject(), evalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := answered(t, p, question(`{}`)); got.Result.value.Compare(want) != 0 {
			t.Errorf("%s: %v, want %v", rule, got.Result.value, want)
		}
	}
}

func TestWithReplacesGuardedBuiltins(t *testing.T) {
	p := policy(t, patient, `decision := {"allow": true, "context": {"x": [a, b, c, d]}}
a := x if x := inner with sort as reversed
b := x if x := inner with sort as [7]
c := x if x := outer with count as sum
d := x if x := inner with sort as array.reverse
inner := sort([2, 1, 3])
outer := count([2, 1, 3])
reversed(l) := array.reverse(l)
`)
	if got := resultJSON(t, answered(t, p, question(`{}`))); !strings.Contains(got, `[[3,1,2],[7],6,[3,1,2]]`) {
		t.Error(got)
	}
}
