package partial

import (
	"maps"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// kind is what is known of a value: its kinds, and those of its elements.
type kind struct{ of, elements term.Kinds }

var anything = kind{term.AnyKind, term.AnyKind}

// kinds tells the kinds of terms by the schema of the input.
type kinds struct {
	schema map[string]any
	vars   map[ast.Var]kind
}

// inputSchema is the schema of the input, which is only read.
var inputSchema = sync.OnceValue(rego.InputSchema)

func newKinds() *kinds { return &kinds{schema: inputSchema(), vars: map[ast.Var]kind{}} }

// total are the builtins that never fail for operands of the kinds that the letters stand for: a anything, s string, n
// number, l array or set of strings, c what can be counted, o object, A array, S set, p a pattern that is a constant.
var total = map[string]string{
	"eq": "aa", "equal": "aa", "neq": "aa", "lt": "aa", "lte": "aa", "gt": "aa", "gte": "aa", "assign": "aa",
	"internal.member_2": "aa", "internal.member_3": "aaa", "type_name": "a", "is_string": "a", "is_number": "a",
	"is_boolean": "a", "is_array": "a", "is_set": "a", "is_object": "a", "is_null": "a", "count": "c",
	"startswith": "ss", "endswith": "ss", "contains": "ss", "lower": "s", "upper": "s", "trim": "ss",
	"trim_left": "ss", "trim_right": "ss", "trim_prefix": "ss", "trim_suffix": "ss", "trim_space": "s",
	"split": "ss", "concat": "sl", "replace": "sss", "indexof": "ss", "plus": "nn", "mul": "nn", "minus": "nn",
	"abs": "n", "floor": "n", "ceil": "n", "round": "n", "or": "SS", "and": "SS", "array.concat": "AA",
	"object.get": "oaa", "object.keys": "o", "object.union": "oo", "json.marshal": "a", "regex.match": "ps",
	"walk": "a",
}

// fallible are the builtins that an expression calls with operands for which they may fail.
func (k *kinds) fallible(x *ast.Expr) (out []string) {
	k.learn(x)
	found := map[string]bool{}
	check := func(terms []*ast.Term) {
		name := terms[0].String()
		if b := ast.BuiltinMap[name]; b != nil && !k.fits(total[name], terms[1:]) {
			found[name] = true
		}
	}
	ast.WalkExprs(x, func(inner *ast.Expr) bool {
		if terms, ok := inner.Terms.([]*ast.Term); ok {
			check(terms)
		}
		return false
	})
	ast.WalkTerms(x, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			check(call)
		}
		return false
	})
	return append(out, slices.Sorted(maps.Keys(found))...)
}

// learn takes the kinds of variables from what an expression gives them. A variable that is given two kinds may be
// anything: variables of several rules have the same name.
func (k *kinds) learn(x *ast.Expr) {
	give := func(t *ast.Term, is kind) {
		v, ok := t.Value.(ast.Var)
		if !ok {
			return
		}
		if before, known := k.vars[v]; known && before != is {
			is = anything
		}
		k.vars[v] = is
	}
	visit := func(inner *ast.Expr) bool {
		if every, ok := inner.Terms.(*ast.Every); ok {
			give(every.Value, kind{k.of(every.Domain).elements, term.AnyKind})
		}
		terms, ok := inner.Terms.([]*ast.Term)
		if !ok {
			return false
		}
		if inner.IsEquality() && len(terms) == 3 {
			give(terms[1], k.of(terms[2]))
			give(terms[2], k.of(terms[1]))
			return false
		}
		if b := ast.BuiltinMap[terms[0].String()]; b != nil && len(terms) == b.Decl.Arity()+2 {
			result := b.Decl.Result()
			give(terms[len(terms)-1], kind{term.KindsOf(result), term.KindsOf(term.ElementsOf(result))})
		}
		return false
	}
	ast.WalkExprs(x, visit)
}

func (k *kinds) fits(wanted string, operands []*ast.Term) bool {
	if wanted == "" || len(operands) < len(wanted) {
		return false
	}
	const lists = term.ArrayKind | term.SetKind
	for i, letter := range wanted {
		is := k.of(operands[i])
		allowed := map[rune]term.Kinds{
			'a': term.AnyKind, 's': term.StringKind, 'n': term.NumberKind, 'l': lists, 'o': term.ObjectKind,
			'c': term.CollectionKinds | term.StringKind, 'A': term.ArrayKind, 'S': term.SetKind, 'p': term.StringKind,
		}[letter]
		if is.of&^allowed != 0 || letter == 'l' && is.elements&^term.StringKind != 0 {
			return false
		}
		if letter == 'p' {
			pattern, ok := operands[i].Value.(ast.String)
			if _, err := syntax.Parse(string(pattern), syntax.Perl); !ok || err != nil {
				return false
			}
		}
	}
	return true
}

func (k *kinds) of(t *ast.Term) kind {
	switch v := t.Value.(type) {
	case ast.Var:
		if is, ok := k.vars[v]; ok {
			return is
		}
	case ast.Ref:
		if v.HasPrefix(ast.InputRootRef) {
			return k.inSchema(v[1:])
		}
	case ast.Call:
		if b := ast.BuiltinMap[v[0].String()]; b != nil {
			return kind{term.KindsOf(b.Decl.Result()), term.KindsOf(term.ElementsOf(b.Decl.Result()))}
		}
	case ast.String:
		return kind{of: term.StringKind}
	case ast.Number:
		return kind{of: term.NumberKind}
	case ast.Boolean:
		return kind{of: term.BooleanKind}
	case ast.Null:
		return kind{of: term.NullKind}
	case *ast.Array:
		is := kind{of: term.ArrayKind}
		v.Foreach(func(e *ast.Term) { is.elements |= k.of(e).of })
		return is
	case ast.Set:
		is := kind{of: term.SetKind}
		v.Foreach(func(e *ast.Term) { is.elements |= k.of(e).of })
		return is
	case ast.Object, *ast.ObjectComprehension:
		return kind{term.ObjectKind, term.AnyKind}
	case *ast.SetComprehension:
		return kind{term.SetKind, k.of(v.Term).of}
	case *ast.ArrayComprehension:
		return kind{term.ArrayKind, k.of(v.Term).of}
	}
	return anything
}

// inSchema is the kind of a member of the input.
func (k *kinds) inSchema(path ast.Ref) kind {
	schema := k.schema
	for _, t := range path {
		name, _ := t.Value.(ast.String)
		member, _ := rego.Property(schema, string(name))
		if member == nil {
			member, _ = schema["additionalProperties"].(map[string]any)
		}
		if items, ok := schema["items"].(map[string]any); ok && schema["type"] == "array" {
			member = items
		}
		if member == nil {
			return anything
		}
		schema = member
	}
	is := kind{kindOfSchema(schema), term.AnyKind}
	for _, inner := range []string{"items", "additionalProperties"} {
		if of, ok := schema[inner].(map[string]any); ok {
			is.elements = kindOfSchema(of)
		}
	}
	return is
}

func kindOfSchema(schema map[string]any) term.Kinds {
	name, _ := schema["type"].(string)
	is, ok := map[string]term.Kinds{
		"string": term.StringKind, "integer": term.NumberKind, "number": term.NumberKind,
		"boolean": term.BooleanKind, "array": term.ArrayKind, "object": term.ObjectKind,
	}[strings.TrimSpace(name)]
	if !ok {
		return term.AnyKind
	}
	return is
}
