package reads

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// call follows a call of a builtin or a function. The last operand of most is the result.
func (f *flow) call(r *Rule, operator *ast.Term, operands []*ast.Term) {
	ref, ok := operator.Value.(ast.Ref)
	if !ok {
		f.unknown = true
		return
	}
	f.followed[&ref[0]] = true
	if ref.HasPrefix(ast.DefaultRootRef) {
		f.function(r, ref, operands)
		return
	}
	name := strings.TrimPrefix(ref.String(), "bounded:")
	b := ast.BuiltinMap[name]
	if b == nil {
		f.unknown = true
		return
	}
	if name == ast.Equality.Name && len(operands) == 2 {
		f.unify(r, operands[0], operands[1])
		return
	}
	given, result := operands, []*ast.Term(nil)
	if n := b.Decl.Arity(); len(operands) > n {
		given, result = operands[:n], operands[n:]
	}
	c := f.builtin(r, name, b, given)
	for _, t := range result {
		f.compare(c | f.term(r, t))
		f.bind(r, t, c)
	}
}

// function follows a call of a function of the policy.
func (f *flow) function(r *Rule, ref ast.Ref, operands []*ast.Term) {
	rules := f.at[ref.String()]
	if len(rules) == 0 {
		f.unknown = true
		return
	}
	c, arity := class(0), 0
	for _, to := range rules {
		arity = len(to.Head.Args)
		if len(operands) < arity {
			f.unknown = true
			return
		}
		for i, arg := range to.Head.Args {
			given := f.term(r, operands[i])
			f.compare(given)
			f.bind(to, arg, given)
		}
		for _, v := range to.repeated { // f(x, x)
			f.compare(f.vars[variable{to, v}])
		}
		c |= f.values[to.Rule]
	}
	f.compare(c) // definitions that differ in their result are an error
	for _, t := range operands[arity:] {
		f.compare(c | f.term(r, t))
		f.bind(r, t, c)
	}
}

// selecting are builtins whose result consists of parts of what they are given.
var selecting = []string{
	"object.remove", "object.filter", "object.union", "object.union_n", "object.keys", "array.concat", "array.reverse",
	"array.flatten", "union", "intersection", "set_diff", "minus", "and", "or", "min", "max", "sort", "json.filter",
	"json.remove", "cast_array", "cast_set", "cast_object", "cast_string",
}

// builtin is the class of the result of a builtin.
func (f *flow) builtin(r *Rule, name string, b *ast.Builtin, given []*ast.Term) class {
	all := class(0)
	for _, t := range given {
		all |= f.term(r, t)
	}
	switch {
	case name == "neq" || name == "equal" || strings.HasPrefix(name, "internal.member_"):
		f.compare(parts(all))
		return 0
	case strings.HasPrefix(name, "is_"):
		return 0
	case name == "count" && all&(segment|prefixed) == 0:
		return 0 // of the array of segments, not of a text
	case name == "array.slice":
		return all
	case name == "object.get":
		f.compare(parts(all))
		return parts(f.term(r, given[0]) | f.term(r, given[2]))
	case name == "concat" && all&ofPath != 0:
		return f.concat(given, all)
	}
	f.distinguished = f.distinguished || all&ofPath != 0
	switch result := b.Decl.Result(); {
	case types.Compare(result, types.N) == 0, types.Compare(result, types.B) == 0:
		return 0
	case slices.Contains(selecting, name):
		return parts(all)
	}
	return all | computed | member
}

// concat is the class of a segment after a constant: concat("", ["/", segment]).
func (f *flow) concat(given []*ast.Term, all class) class {
	list, ok := given[1].Value.(*ast.Array)
	if !ok || given[0].Value.Compare(ast.String("")) != 0 || list.Len() != 2 || all != segment {
		f.distinguished = true
		return computed
	}
	prefix, ok := list.Elem(0).Value.(ast.String)
	text := string(prefix)
	if !ok || f.prefix != nil && *f.prefix != text {
		f.distinguished = true
		return computed
	}
	f.prefix = &text
	return prefixed
}
