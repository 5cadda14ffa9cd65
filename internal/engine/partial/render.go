package partial

import (
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
)

// render is a body as an author would write it: operators between their operands, "_" for variables that are used
// once, and short names for the others.
func render(body ast.Body) string {
	if len(body) == 1 && body[0].IsEvery() && body[0].Location != nil && len(body[0].Location.Text) > 0 {
		return string(body[0].Location.Text) // as it is written
	}
	uses := map[ast.Var]int{}
	ast.WalkTerms(body, func(t *ast.Term) bool {
		if v, ok := t.Value.(ast.Var); ok {
			uses[v]++
		}
		return false
	})
	locals, names := formula.Locals(body), map[ast.Var]ast.Var{}
	body = body.Copy()
	_, _ = ast.TransformVars(body, func(v ast.Var) (ast.Value, error) {
		switch {
		case !locals.Contains(v):
			return v, nil
		case uses[v] == 1:
			return ast.Var("_"), nil
		case names[v] == "":
			names[v] = ast.Var("x" + strconv.Itoa(len(names)+1))
		}
		return names[v], nil
	})
	return strings.ReplaceAll(expressions(body), "data.partial.", "data.")
}

func expressions(body ast.Body) string {
	parts := make([]string, 0, len(body))
	for _, x := range body {
		parts = append(parts, expression(x))
	}
	return strings.Join(parts, "; ")
}

func expression(x *ast.Expr) string {
	text := ""
	switch terms := x.Terms.(type) {
	case *ast.Term:
		text = termText(terms)
	case []*ast.Term:
		text = call(terms)
	default:
		return x.String()
	}
	if x.Negated {
		text = "not " + text
	}
	for _, w := range x.With {
		text += " " + w.String()
	}
	return text
}

func call(terms []*ast.Term) string {
	name := terms[0].String()
	args := make([]string, 0, len(terms)-1)
	for _, t := range terms[1:] {
		args = append(args, termText(t))
	}
	b := ast.BuiltinMap[name]
	switch {
	case len(args) != 2 || b == nil:
	case name == ast.Equality.Name && (binds(terms[1]) || binds(terms[2])):
		return args[0] + " = " + args[1]
	case name == ast.Equality.Name:
		return args[0] + " == " + args[1]
	case name == ast.Member.Name:
		return args[0] + " in " + args[1]
	case b.Infix != "":
		for i, t := range terms[1:] {
			if _, isCall := t.Value.(ast.Call); isCall && i == 1 {
				args[1] = "(" + args[1] + ")"
			}
		}
		return args[0] + " " + b.Infix + " " + args[1]
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// binds reports whether a term in an equality gives a variable its value, which "==" does not.
func binds(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case ast.Var:
		return true
	case *ast.Array:
		return v.Until(binds)
	case ast.Object:
		return v.Until(func(_, member *ast.Term) bool { return binds(member) })
	}
	return false
}

func termText(t *ast.Term) string {
	switch v := t.Value.(type) {
	case ast.Call:
		return call(v)
	case *ast.Array:
		var parts []string
		v.Foreach(func(e *ast.Term) { parts = append(parts, termText(e)) })
		return "[" + strings.Join(parts, ", ") + "]"
	case *ast.ArrayComprehension:
		return "[" + termText(v.Term) + " | " + expressions(v.Body) + "]"
	case *ast.SetComprehension:
		return "{" + termText(v.Term) + " | " + expressions(v.Body) + "}"
	case *ast.ObjectComprehension:
		return "{" + termText(v.Key) + ": " + termText(v.Value) + " | " + expressions(v.Body) + "}"
	}
	return t.String()
}
