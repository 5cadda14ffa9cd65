package engine

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
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
	layers := `layers := {sprintf("%d/%d", [l, i]): [sprintf("%d/0", [l + 1]), sprintf("%d/1", [l + 1]), sprintf("%d/2", [l + 1])] | some l in numbers.range(0, 59); some i in numbers.range(0, 2)}` + "\n"
	doubled := `huge := json.patch({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/a/-"} | some _ in numbers.range(1, 60)])`
	for rule, want := range map[string]string{
		`bits.lsh(1, 80000000000) > 0`:  "bits.lsh is told to shift by more than 32768 bits",
		`bits.lsh(1, -80000000000) > 0`: "bits.lsh is told to shift by more than 32768 bits",
		`bits.lsh(1, 1e9999) > 0`:       "bits.lsh is told to shift by more than 32768 bits",
		`sprintf("%999999d%999999d` + strings.Repeat(`%[1]999999d`, 100) + `", [1]) == ""`:                                                                         "sprintf is given, or would make, more than",
		`sprintf("` + strings.Repeat(`%[1]*d`, 100) + `", [999999]) == ""`:                                                                                         "sprintf is given, or would make, more than",
		`sprintf("` + strings.Repeat(`%[1]s`, 2000) + `", [input.context.s]) == ""`:                                                                                "sprintf is given, or would make, more than",
		`replace(input.context.s, "a", input.context.s) == ""`:                                                                                                     "replace is given, or would make, more than",
		`replace(input.context.s, "", input.context.s) == ""`:                                                                                                      "replace is given, or would make, more than",
		`strings.replace_n({"a": input.context.s}, input.context.s) == ""`:                                                                                         "strings.replace_n is given, or would make, more than",
		`regex.replace(input.context.s, "a", input.context.s) == ""`:                                                                                               "regex.replace is given, or would make, more than",
		`concat(input.context.s, split(input.context.s, "")) == ""`:                                                                                                "concat is given, or would make, more than",
		`json.marshal_with_options(numbers.range(1, 100000), {"prefix": input.context.s, "pretty": true}) == ""`:                                                   "json.marshal_with_options is given, or would make, more than",
		`strings.render_template("{{range .x}}{{range $.x}}{{range $.x}}{{$.s}}{{end}}{{end}}{{end}}", {"x": numbers.range(1, 1000), "s": input.context.s}) == ""`: "strings.render_template makes more than",
		`strings.render_template("{{$a := .s}}{{range .x}}{{$a = printf \"%s%s\" $a $a}}{{end}}", {"x": numbers.range(1, 60), "s": input.context.s}) == ""`:        "strings.render_template makes more than",
		`count(graph.reachable_paths(layers, {"0/0"})) == 0`:                                                                                                       "graph.reachable_paths would make paths of more than",
		`to_number(sprintf("1%s", [replace(input.context.s, "a", "1")])) > 1`:                                                                                      "to_number is given a text of more than",
		`graphql.parse_query(replace(input.context.s, "a", "{a"))`:                                                                                                 "graphql.parse_query is given a text with more than 10000 brackets",
		`graphql.schema_is_valid(sprintf("type Query { a: %sInt }", [replace(input.context.s, "a", "[")]))`:                                                        "graphql.schema_is_valid is given a text with more than 10000 brackets",
		`glob.match(replace(input.context.s, "a", "{a,"), [], "x")`:                                                                                                "glob.match is given a pattern of more than",
		`1e9000 * 1e9000 * 1e9000 > 1`:                                                                                                                             "mul is given what",
		`count(json.marshal(huge)) == 0`:                                                                                                                           "json.marshal is given, or would make, more than",
		`bits.and(1, bits.lsh(bits.lsh(1, 32000), 32000)) == 1`:                                                                                                    "bits.and is given what",
	} {
		t.Run(rule[:min(40, len(rule))], func(t *testing.T) {
			p := policy(t, patient, denying+"denied if { input.context.run; "+rule+" }\n"+layers+doubled)
			fails(t, p, textual(t, strings.Repeat("a", 60_000)), want)
		})
	}
}

func TestASchemaWithoutEndIsRefused(t *testing.T) {
	for name, schema := range map[string]string{
		"a reference to itself":         `{"$ref": "#/definitions/order", "definitions": {"order": {"$ref": "#/definitions/order"}}}`,
		"the whole":                     `{"$ref": "#"}`,
		"the whole in allOf":            `{"allOf": [{"type": "object"}, {"$ref": "#"}]}`,
		"a chain":                       `{"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"anyOf": [{"$ref": "#/definitions/c"}]}, "c": {"not": {"$ref": "#/definitions/a"}}}}`,
		"oneOf":                         `{"oneOf": [{"$ref": "#"}]}`,
		"if":                            `{"if": {"$ref": "#"}, "then": {}}`,
		"then":                          `{"if": {}, "then": {"$ref": "#"}}`,
		"else":                          `{"if": {"type": "null"}, "else": {"$ref": "#"}}`,
		"dependencies":                  `{"dependencies": {"a": {"$ref": "#"}}}`,
		"a place that is no definition": `{"$ref": "#/x/0", "x": [{"$ref": "#/x/0"}]}`,
		"escapes":                       `{"$ref": "#/definitions/a~1b%25", "definitions": {"a/b%": {"$ref": "#/definitions/a~1b%25"}}}`,
		"$id":                           `{"$id": "http://x.example/root.json", "$ref": "root.json"}`,
		"an id of draft 4":              `{"$schema": "http://json-schema.org/draft-04/schema#", "id": "http://x.example/root.json", "allOf": [{"$ref": "http://x.example/root.json#"}]}`,
		"$id of a part":                 `{"$id": "http://x.example/root.json", "definitions": {"a": {"$id": "#a", "allOf": [{"$ref": "#a"}]}}, "$ref": "#a"}`,
		"$id that moves the base":       `{"properties": {"p": {"$id": "http://x.example/sub/", "definitions": {"a": {"allOf": [{"$ref": "#/definitions/a"}]}}, "$ref": "#/definitions/a"}}}`,
		"below a property":              `{"properties": {"p": {"allOf": [{"$ref": "#/properties/p"}]}}}`,
		"another document":              `{"$ref": "http://x.example/other.json"}`,
		"a relative document":           `{"properties": {"p": {"$ref": "other.json#/a"}}}`,
		"alternatives without end":      `{"definitions": {"a": {"anyOf": [{"$ref": "#/definitions/b"}, {"$ref": "#/definitions/b"}]}` + manyAlternatives() + `}, "$ref": "#/definitions/a"}`,
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(schema)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range []string{
				`json.match_schema(input.context, ` + schema + `)[0]`, `json.match_schema({"a": {"p": 1}, "p": 1}, ` + string(text) + `)[0]`,
				`json.match_schema(input.context.a, input.context.schema)[0]`, `json.verify_schema(` + schema + `)[0]`, `json.verify_schema(input.context.schema)[0]`,
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
		b.WriteString(`, "` + string(c) + `": {"anyOf": [{"$ref": "#/definitions/` + next + `"}, {"$ref": "#/definitions/` + next + `"}]}`)
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
		p := policy(t, patient, "default decision := false\ndecision if json.match_schema(input.context.v, "+schema+")[0]\n")
		if a := answered(t, p, question(`{"v":{"child":{"child":{}}}}`)); !a.Verdict.Allow && !strings.Contains(schema, "items") {
			t.Errorf("%s does not match", schema)
		}
	}
}

// slow takes one call of a builtin that runs until the channel is closed.
func slow(started chan<- struct{}, end <-chan struct{}) topdown.BuiltinFunc {
	return func(topdown.BuiltinContext, []*ast.Term, func(*ast.Term) error) error {
		started <- struct{}{}
		<-end
		return nil
	}
}

// withSlowSort is a policy whose sort of a long array goes on until end, and what counts it.
func withSlowSort(t *testing.T, deadline time.Duration) (p *Policy, r *Runaways, started chan struct{}, end chan struct{}) {
	t.Helper()
	r, started, end = NewRunaways(), make(chan struct{}, 100), make(chan struct{})
	p = policy(t, Config{Deadline: deadline, Runaways: r}, "default decision := false\ndecision if count(sort(numbers.range(1, input.context.n))) > 0\n")
	for _, e := range p.entries {
		sort := e.builtins[private+"sort"]
		e.builtins[private+"sort"] = &topdown.Builtin{Decl: sort.Decl, Func: guard(r, "sort", limit{}, slow(started, end))}
	}
	return p, r, started, end
}

func TestABuiltinThatGoesOnIsAnsweredAtTheDeadlineAndCounted(t *testing.T) {
	p, r, started, end := withSlowSort(t, 50*time.Millisecond)
	for r.Running() == 0 { // a busy machine may not come to the call in time
		fails(t, p, question(`{"n":10000}`), "not done after 50ms, the deadline of one evaluation")
	}
	if len(started) != 1 || r.Running() != 1 || r.Total() != 1 {
		t.Errorf("%d running, %d in all, want 1 and 1", r.Running(), r.Total())
	}
	close(end)
	for r.Running() != 0 { // the test's own deadline ends it
		time.Sleep(time.Millisecond)
	}
	if r.Total() != 1 {
		t.Errorf("%d in all, want 1", r.Total())
	}
}

func TestRunawaysDoNotPileUp(t *testing.T) {
	p, r, started, end := withSlowSort(t, 20*time.Millisecond)
	defer close(end)
	for int(r.Running()) < cap(r.places) {
		fails(t, p, question(`{"n":10000}`), "not done after")
	}
	for range 3 {
		a, err := evaluated(t.Context(), p, question(`{"n":10000}`))
		if err == nil || a.Verdict != nil {
			t.Errorf("verdict %v", a.Verdict)
		}
	}
	if int(r.Running()) != cap(r.places) || len(started) != cap(r.places) {
		t.Errorf("%d running, %d started", r.Running(), len(started))
	}
	if err := r.enter(nil); err != errTooManyRunaways {
		t.Errorf("one more: %v", err)
	}
}

func TestABuiltinThatPanicsAsideDoesSoWhereItWasCalled(t *testing.T) {
	r := NewRunaways()
	defer func() {
		if v := recover(); v != "broken" || len(r.places) != 0 {
			t.Errorf("recovered %v, %d places held", v, len(r.places))
		}
	}()
	_ = r.aside(topdown.BuiltinContext{}, nil, func(topdown.BuiltinContext, []*ast.Term, func(*ast.Term) error) error { panic("broken") }, nil)
}

// TestGuardedBuiltinsAnswerAsOPAsDo compares private names with the public ones, and replacements with what they replace.
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
		world := *plain.world
		world.builtins = map[string]*topdown.Builtin{}
		for name, b := range guarded(NewRunaways()) {
			world.builtins[name] = &topdown.Builtin{Decl: b.Decl, Func: topdown.GetBuiltin(strings.TrimPrefix(name, private))}
		}
		plain.world = &world
		want, err := plain.eval(t.Context(), ast.NewObject(), run{})
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

func TestEveryBuiltinThatIsNotLightIsGuarded(t *testing.T) {
	guards := guarded(NewRunaways())
	for _, name := range []string{"sort", "json.marshal", "bits.lsh", "numbers.range", "numbers.range_step", "graph.reachable", "graph.reachable_paths", "graphql.parse_query", "regex.match", "yaml.unmarshal", "sprintf", "io.jwt.verify_rs256", "object.union_n", "json.patch", "mul"} {
		if guards[private+name] == nil {
			t.Errorf("%s is not guarded", name)
		}
	}
}

// TestCallsWhoseOperandsMultiplyRunAside has calls on small operands that take long, for parts of one meet parts of another.
func TestCallsWhoseOperandsMultiplyRunAside(t *testing.T) {
	text := func(s string, n int) *ast.Term { return ast.StringTerm(strings.Repeat(s, n)) }
	nets := make([]*ast.Term, 500)
	for i := range nets {
		nets[i] = ast.StringTerm("10.0.0.0/8")
	}
	limits := limitsOf()
	for name, operands := range map[string][]*ast.Term{
		"regex.match":               {text("(a?){1,1000}b", 1), text("a", 30_000)},
		"regex.split":               {text("(a{0,500}){0,2}b", 1), text("a", 30_000)},
		"regex.find_n":              {text("a?", 200), text("a", 30_000), ast.InternedTerm(-1)},
		"regex.replace":             {text("a", 30_000), text("(a{0,90}){0,10}b", 1), text("x", 1)},
		"glob.match":                {text("*a*b*", 1), ast.ArrayTerm(), text("a", 30_000)},
		"indexof":                   {text("é", 10_000), text("é", 5_000)},
		"indexof_n":                 {text("é", 10_000), text("é", 5_000)},
		"net.cidr_contains_matches": {ast.ArrayTerm(nets...), ast.ArrayTerm(nets...)},
		"json.match_schema":         {text("a", 1), ast.ObjectTerm()},
		"graph.reachable_paths":     {ast.ObjectTerm(), ast.ArrayTerm()},
		"regex.globs_match":         {text("a.*", 9), text(".*b", 9)},
		"strings.render_template":   {text("x", 1), ast.ObjectTerm()},
		"io.jwt.decode_verify":      {text("x", 1), ast.ObjectTerm()},
		"rego.parse_module":         {text("x", 1), text("x", 1)},
		"json.marshal_with_options": {text("a", 30_000), ast.ObjectTerm([2]*ast.Term{ast.StringTerm("indent"), text(" ", 3_000)})},
		"graphql.schema_is_valid":   {text("x", 1)},
		"numbers.range":             {ast.InternedTerm(1), ast.InternedTerm(5_000)},
		"net.cidr_expand":           {ast.StringTerm("10.0.0.0/16")},
		"crypto.x509.parse_keypair": {text("x", 1), text("x", 1)},
		"regex.template_match":      {text("x", 1), text("x", 1), text("{", 1), text("}", 1)},
		"crypto.parse_private_keys": {text("x", 1)},
		"json.verify_schema":        {ast.ObjectTerm()},
		"regex.is_valid":            {text("a{9}b{9}c{9}", 1)},
	} {
		l := limits[name]
		units := weigh(operands, most, l.levels())
		if l.makes != nil {
			units = max(units, l.makes(operands))
		}
		if units <= inPlace && (l.aside == nil || !l.aside(operands)) {
			t.Errorf("%s runs in place", name)
		}
		if guardedDecls()[private+name] == nil {
			t.Errorf("%s is not guarded", name)
		}
	}
	for name, operands := range map[string][]*ast.Term{
		"regex.match": {text("^/orders/[0-9]+$", 1), text("/orders/42", 1)},
		"glob.match":  {text("/orders/*/items/*", 1), ast.ArrayTerm(), text("/orders/42/items/1", 1)},
		"indexof":     {text("a", 1000), text("b", 1)},
	} {
		if l := limits[name]; weigh(operands, most, l.levels()) > inPlace || l.aside != nil && l.aside(operands) {
			t.Errorf("%s on short texts does not run in place", name)
		}
	}
}
