package migrate

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// sameCall are builtins that have another name today.
var sameCall = map[string]*ast.Builtin{
	"re_match":         ast.RegexMatch,
	"net.cidr_overlap": ast.NetCIDRContains,
	"set_diff":         ast.Minus,
}

// replaceBuiltins puts what there is today in the place of builtins that are gone.
func (s *session) replaceBuiltins() {
	s.index()
	r := &rewriter{world: s.world}
	for _, m := range s.modules {
		r.expr = func(x *ast.Expr, sc *scope) {
			terms, ok := x.Terms.([]*ast.Term)
			if !ok || !s.isGone(terms[0], sc) {
				return
			}
			s.report.note(m.file, x.Location.Row, "the builtin "+terms[0].String()+" is gone: replaced", "")
			if name := terms[0].String(); name == "all" && !x.Negated && len(terms) == 2 {
				x.Terms = everyTrue(terms[1])
				return
			}
			call := instead(terms)
			if c, ok := call.Value.(ast.Call); ok {
				x.Terms = []*ast.Term(c)
			} else {
				x.Terms = call
			}
		}
		r.term = func(t *ast.Term, sc *scope) (*ast.Term, bool) {
			call, ok := t.Value.(ast.Call)
			if !ok || !s.isGone(call[0], sc) {
				return t, false
			}
			s.report.note(m.file, t.Location.Row, "the builtin "+call[0].String()+" is gone: replaced", "")
			out := instead(call)
			return &ast.Term{Value: out.Value, Location: t.Location}, false
		}
		r.module(m)
	}
}

// isGone reports whether an operator is a builtin that Rego v1 lacks, and no function of the package.
func (s *session) isGone(op *ast.Term, sc *scope) bool {
	name := op.String()
	switch name {
	case "any", "all", "cast_array", "cast_set", "cast_string", "cast_boolean", "cast_null", "cast_object":
	default:
		if sameCall[name] == nil {
			return false
		}
	}
	_, imported := sc.m.imports[ast.Var(name)]
	own := sc.m.ast.Package.Path.Append(ast.StringTerm(name))
	return !imported && s.rules[dotted(own)] == nil
}

// instead is the call that means the same today.
func instead(call []*ast.Term) *ast.Term {
	if b := sameCall[call[0].String()]; b != nil {
		return ast.NewTerm(append(ast.Call{ast.NewTerm(b.Ref())}, call[1:]...))
	}
	if len(call) < 2 {
		return ast.NewTerm(ast.Call(call))
	}
	x, each := call[1], ast.VarTerm("element")
	from := ast.NewBody(ast.NewExpr(&ast.SomeDecl{Symbols: []*ast.Term{ast.Member.Call(each, x)}}))
	switch call[0].String() {
	case "any":
		return ast.Member.Call(ast.BooleanTerm(true), x)
	case "all": // a part that is undefined leaves it undefined, as it was
		from.Append(ast.Equal.Expr(each, ast.BooleanTerm(true)))
		return ast.Equal.Call(ast.Count.Call(x), ast.Count.Call(ast.ArrayComprehensionTerm(each, from)))
	case "cast_array":
		return ast.ArrayComprehensionTerm(each, from)
	case "cast_set":
		return ast.SetComprehensionTerm(each, from)
	}
	return x
}

func everyTrue(x *ast.Term) *ast.Every {
	each := ast.VarTerm("element")
	return &ast.Every{Value: each, Domain: x, Body: ast.NewBody(ast.Equal.Expr(each, ast.BooleanTerm(true))),
		Location: x.Location}
}
