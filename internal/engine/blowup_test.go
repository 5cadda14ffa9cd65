package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// manyTimes is how often a text repeats its parts.
const manyTimes = 330_000

// blowUps are calls of builtins by the text that a caller sends: deep, long, with repetitions or large numbers.
var blowUps = map[string][2]string{
	"graphql_parse_query": {`graphql.parse_query(input.context.s)`, strings.Repeat("{a", manyTimes)},
	"graphql_closed": {`graphql.parse_query(input.context.s)`,
		strings.Repeat("{a", manyTimes/2) + strings.Repeat("}", manyTimes/2)},
	"graphql_list": {`graphql.parse_query(input.context.s)`, "{a(x:" + strings.Repeat("[", 2*manyTimes) + ")}"},
	"graphql_is_valid": {`graphql.is_valid(input.context.s, "type Query { a: Query }")`,
		strings.Repeat("{a", manyTimes/2) + strings.Repeat("}", manyTimes/2)},
	"graphql_schema": {`graphql.schema_is_valid(input.context.s)`,
		"type Query { a: " + strings.Repeat("[", manyTimes) + "Int" + strings.Repeat("]", manyTimes) + " }"},
	"graphql_frag": {`graphql.is_valid(input.context.s, "type Query { a: Query }")`,
		"query { ...A } fragment A on Query { ...B a } fragment B on Query { ...A }"},
	"yaml_deep": {`yaml.unmarshal(input.context.s)`, strings.Repeat("[", 900_000)},
	"yaml_deep_closed": {`yaml.unmarshal(input.context.s)`,
		strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000)},
	"yaml_map": {`yaml.unmarshal(input.context.s)`, strings.Repeat("{a: ", 200_000)},
	"yaml_bomb": {`yaml.unmarshal(input.context.s)`,
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d " +
			"[*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f " +
			"[*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h " +
			"[*g,*g,*g,*g,*g,*g,*g,*g,*g]\ni: &i [*h,*h,*h,*h,*h,*h,*h,*h,*h]"},
	"json_deep": {`json.unmarshal(input.context.s)`, strings.Repeat("[", 900_000)},
	"json_deep_closed": {`json.unmarshal(input.context.s)`,
		strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999)},
	"json_walk": {`walk(json.unmarshal(input.context.s), [_, 5])`,
		strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999)},
	"json_schema_deep": {
		`json.match_schema(json.unmarshal(input.context.s), {"definitions":{"n":{"type":"array","items":{"$ref":"#/definitions/n"}}},"$ref":"#/definitions/n"})[0]`, strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999)},
	"json_nums": {`count(json.unmarshal(input.context.s)) == 0`,
		"[" + strings.Repeat("1e999999,", 90_000) + "1]"},
	"json_num_cmp": {`sum(json.unmarshal(input.context.s)) == 0`,
		"[" + strings.Repeat("1e-99999,", 50_000) + "1]"},
	"rego_parse": {`rego.parse_module("x", input.context.s)`,
		"package a\np := " + strings.Repeat("[", 500_000)},
	"jwt_decode_nested": {`io.jwt.decode(input.context.s)`,
		"eyJhbGciOiJub25lIiwiY3R5IjoiSldUIn0." + strings.Repeat("eyJhbGciOiJub25lIiwiY3R5IjoiSldUIn0.", 10)},
	"template": {`strings.render_template("{{range .x}}a{{end}}", {"x": numbers.range(1, 5)}) == input.context.s`,
		"x"},
	"regex_big": {`regex.match(input.context.s, "x")`,
		strings.Repeat("(", 900) + "a{1000}" + strings.Repeat(")", 900)},
	"regex_rep": {`regex.match(input.context.s, "x")`, "((a{100}){100}){100}"},
	"glob_big":  {`glob.match(input.context.s, [], "x")`, strings.Repeat("{a,", 100_000)},
	"glob_nest": {`glob.match(input.context.s, [], "x")`,
		strings.Repeat("{a,", 3000) + strings.Repeat("}", 3000)},
	"glob_quote":    {`glob.quote_meta(input.context.s) == "x"`, strings.Repeat("*", 900_000)},
	"x509":          {`crypto.x509.parse_certificates(input.context.s)`, strings.Repeat("A", 900_000)},
	"hexdec":        {`hex.decode(input.context.s) == "x"`, strings.Repeat("A", 900_000)},
	"sprintf_width": {`sprintf(input.context.s, [1]) == "x"`, "%999999d"},
	"sprintf_many":  {`sprintf(input.context.s, [1]) == "x"`, strings.Repeat("%[1]999999d", 300)},
	"indexof_n":     {`count(indexof_n(input.context.s, "a")) == 0`, strings.Repeat("a", 900_000)},
	"split_many":    {`count(split(input.context.s, "")) == 0`, strings.Repeat("a", 900_000)},
	"replace_blow": {`count(replace(input.context.s, "a", input.context.s)) == 0`,
		strings.Repeat("a", 30_000)},
	"cidr_expand6":       {`count(net.cidr_expand(input.context.s)) == 0`, "::/0"},
	"numbers_range_step": {`count(numbers.range_step(1, 1000000000000, 1)) == to_number(input.context.s)`, "5"},
	"uuid":               {`uuid.parse(input.context.s)`, strings.Repeat("a", 900_000)},
	"semver":             {`semver.is_valid(input.context.s)`, strings.Repeat("1.", 400_000)},
	"urlquery":           {`urlquery.decode_object(input.context.s)`, strings.Repeat("a=b&", 200_000)},
	"time_parse": {`time.parse_ns(input.context.s, input.context.s) == 1`,
		strings.Repeat("2006", 200_000)},
	"json_patch": {
		`count(json.patch({"a": [input.context.s]}, [{"op": "copy", "from": "/a", "path": "/a/-"} | some _ in numbers.range(1, 60)])) == 0`, "x"},
	"yaml_marshal": {
		`yaml.marshal(json.patch({"a": [input.context.s]}, [{"op": "copy", "from": "/a", "path": "/a/-"} | some _ in numbers.range(1, 60)])) == ""`, "x"},
	"globs_match": {`regex.globs_match(input.context.s, input.context.s)`, strings.Repeat("a*", 2000)},
	"glob_stars": {`glob.match(input.context.s, [], replace(input.context.s, "*", ""))`,
		strings.Repeat("*a", 400) + "b"},
	"strings_repeat": {`count(sprintf(input.context.s, [1])) == 0`, strings.Repeat("%[1]999999.999999f", 60)},
	"range":          {`count(numbers.range(1, to_number(input.context.s))) == 0`, "1e15"},
	"lsh":            {`bits.lsh(1, to_number(input.context.s)) == 0`, "80000000000"},
	"reachable": {
		`count(graph.reachable({sprintf("%d/%d", [l, i]): [sprintf("%d/%d", [l + 1, j]) | some j in [0, 1, 2, 3]] | some l in numbers.range(0, 50); some i in [0, 1, 2, 3]}, {input.context.s})) == 0`, "0/0"},
	"marshal": {`count(json.marshal([input.context.s | some _ in numbers.range(1, 3000)])) == 0`,
		strings.Repeat("a", 900_000)},
	"sort": {`count(sort([sprintf("%d", [x % 977]) | some x in numbers.range(1, 1000000)])) == 0`,
		"x"},
}

// TestNoTextThatACallerSendsEndsOrHoldsTheProcess: each call has an end, as an answer or as a refusal that says where
// it was. Without guards several end the process.
func TestNoTextThatACallerSendsEndsOrHoldsTheProcess(t *testing.T) {
	for name, c := range blowUps {
		t.Run(name, func(t *testing.T) {
			p := policy(t, Config{Deadline: 300 * time.Millisecond},
				denying+"denied if { input.context.run; "+c[0]+" }\n")
			a, err := evaluated(t.Context(), p, textual(t, c[1]))
			if (err == nil) == (a.Verdict == nil) || err != nil && authz.KindOf(err) != authz.Misconfigured {
				t.Errorf("verdict %v, error %v", a.Verdict, err)
			}
		})
	}
}
