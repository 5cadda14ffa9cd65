package builtins

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestEveryBuiltinThatIsNotFastIsBounded(t *testing.T) {
	guards := Guarded(NewRunaways())
	for _, name := range []string{"sort", "json.marshal", "bits.lsh", "numbers.range", "numbers.range_step",
		"graph.reachable", "graph.reachable_paths", "graphql.parse_query", "regex.match", "yaml.unmarshal", "sprintf",
		"io.jwt.verify_rs256", "object.union_n", "json.patch", "mul"} {
		if guards[privatePrefix+name] == nil {
			t.Errorf("%s is not guarded", name)
		}
	}
}

// TestCallsWhoseOperandsMultiplyRunDetached has calls on small operands that take long, for parts of one meet parts of
// another.
func TestCallsWhoseOperandsMultiplyRunDetached(t *testing.T) {
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
		"json.marshal_with_options": {text("a", 30_000),
			ast.ObjectTerm([2]*ast.Term{ast.StringTerm("indent"), text(" ", 3_000)})},
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
		units := weigh(operands, maxUnits, l.levels())
		if l.makes != nil {
			units = max(units, l.makes(operands))
		}
		if units <= maxInlineUnits && (l.slow == nil || !l.slow(operands)) {
			t.Errorf("%s runs in place", name)
		}
		if Declarations()[privatePrefix+name] == nil {
			t.Errorf("%s is not guarded", name)
		}
	}
	for name, operands := range map[string][]*ast.Term{
		"regex.match": {text("^/orders/[0-9]+$", 1), text("/orders/42", 1)},
		"glob.match":  {text("/orders/*/items/*", 1), ast.ArrayTerm(), text("/orders/42/items/1", 1)},
		"indexof":     {text("a", 1000), text("b", 1)},
	} {
		if l := limits[name]; weigh(operands, maxUnits, l.levels()) > maxInlineUnits ||
			l.slow != nil && l.slow(operands) {
			t.Errorf("%s on short texts does not run in place", name)
		}
	}
}
