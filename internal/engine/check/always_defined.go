package check

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// AlwaysDefined reports whether the rule at path has a value for every input. It is false where that is not certain;
// the entrypoint is then tried with requests.
func (p *Program) AlwaysDefined(path string) bool {
	return p.alwaysDefined(p.compiler.GetRulesExact(rego.RefOf(path)), maxRuleDepth)
}

// alwaysDefined reports the same about the rules of one path, so many rules deep.
func (p *Program) alwaysDefined(rules []*ast.Rule, depth int) bool {
	if depth == 0 {
		return false
	}
	for _, r := range rules {
		if r.Default || r.Head.RuleKind() == ast.MultiValue || !r.Ref().IsGround() {
			return true // a partial rule without a match is an empty collection
		}
	}
	for _, r := range rules {
		for ; r != nil; r = r.Else {
			if s := p.of[r]; s != nil && argumentsMatch(r) && p.bodyAlwaysHolds(s, depth) &&
				p.hasValue(s, r.Head.Value, depth) {
				return true
			}
		}
	}
	return false
}

// argumentsMatch reports whether a rule is no function, or a function that matches all arguments.
func argumentsMatch(r *ast.Rule) bool {
	seen := map[ast.Var]bool{}
	for _, arg := range r.Head.Args {
		v, ok := arg.Value.(ast.Var)
		if !ok || seen[v] {
			return false
		}
		seen[v] = true
	}
	return true
}

// bodyAlwaysHolds reports whether the body of a rule holds for every input.
func (p *Program) bodyAlwaysHolds(s *scope, depth int) bool {
	for _, x := range s.rule.Body {
		if x.Negated || len(x.With) > 0 || !p.exprAlwaysHolds(s, x, depth) {
			return false
		}
	}
	return true
}

func (p *Program) exprAlwaysHolds(s *scope, x *ast.Expr, depth int) bool {
	switch terms := x.Terms.(type) {
	case *ast.Term:
		return terms.Equal(ast.BooleanTerm(true))
	case []*ast.Term:
		if x.IsEquality() {
			a, b := x.Operand(0), x.Operand(1)
			return p.assigned(s, a, b) && p.hasValue(s, b, depth) || p.assigned(s, b, a) && p.hasValue(s, a, depth)
		}
		return p.callHasValue(s, x, depth)
	}
	return false
}

// assigned reports whether a variable gets its one value from value.
func (p *Program) assigned(s *scope, variable, value *ast.Term) bool {
	v, ok := variable.Value.(ast.Var)
	return ok && s.bound[v] != nil && s.bound[v].Equal(value)
}

// callHasValue reports whether a call always assigns a value to a variable.
func (p *Program) callHasValue(s *scope, x *ast.Expr, depth int) bool {
	name, args := x.Operator().String(), x.Operands()
	out := len(args) - 1
	if b := ast.BuiltinMap[name]; b != nil {
		if len(args) != b.Decl.Arity()+1 || name == ast.Max.Name || name == ast.Min.Name {
			return false
		}
	} else {
		rules := p.compiler.GetRulesExact(x.Operator())
		if len(rules) == 0 || len(args) != len(rules[0].Head.Args)+1 || !p.alwaysDefined(rules, depth-1) {
			return false
		}
	}
	if _, ok := args[out].Value.(ast.Var); !ok {
		return false
	}
	for _, arg := range args[:out] {
		if !p.hasValue(s, arg, depth) {
			return false
		}
	}
	return true
}

// hasValue reports whether a term always has a value where the body around it holds.
func (p *Program) hasValue(s *scope, t *ast.Term, depth int) bool {
	switch v := t.Value.(type) {
	case ast.Var, ast.Null, ast.Boolean, ast.Number, ast.String, *ast.ArrayComprehension, *ast.SetComprehension,
		*ast.ObjectComprehension:
		return true
	case ast.Ref:
		if v.HasPrefix(ast.InputRootRef) {
			return p.requiredInput(v)
		}
		rules := p.compiler.GetRulesExact(v)
		return len(rules) > 0 && len(rules[0].Head.Args) == 0 && p.alwaysDefined(rules, depth-1)
	case *ast.Array, ast.Object, ast.Set:
		all := true
		ast.WalkTerms(v, func(inner *ast.Term) bool {
			switch inner.Value.(type) {
			case *ast.Array, ast.Object, ast.Set:
				return false
			}
			all = all && p.hasValue(s, inner, depth)
			return true
		})
		return all
	}
	return false
}

// requiredInput reports whether every document has the member ref.
func (p *Program) requiredInput(ref ast.Ref) bool {
	schema := p.schema
	for _, t := range ref[1:] {
		name, ok := t.Value.(ast.String)
		member, required := rego.Property(schema, string(name))
		if !ok || !required || member == nil {
			return false
		}
		schema = member
	}
	return true
}
