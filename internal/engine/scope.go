package engine

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// program is a compiled set of modules as the checks at load look at it: each rule with what its variables stand for.
type program struct {
	compiler *ast.Compiler
	schema   map[string]any // of the input
	scopes   []*scope
	// of finds the scope of a rule.
	of map[*ast.Rule]*scope
	// calls are the calls of each function that policies define, by its path.
	calls map[string][]call
	// land is what there is under data, and replaced are the places there that a "with" changes. Both are known to examine.
	land     *landscape
	replaced []ast.Ref
}

// call is one call of a function: its arguments, and the rule that has it.
type call struct {
	from *scope
	name ast.Ref
	args []*ast.Term
}

// scope is one rule, or one else of a rule.
type scope struct {
	rule *ast.Rule
	// root is the rule whose else this is, or rule itself.
	root *ast.Rule
	// bound is what a variable was made equal to. The compiler puts variables where an author wrote none.
	bound map[ast.Var]*ast.Term
	// outputs are the calls whose values variables are.
	outputs map[ast.Var]call
	// parameters are the positions of the arguments of a function.
	parameters map[ast.Var]int
}

// programOf reads what compiler compiled.
func programOf(compiler *ast.Compiler) *program {
	p := &program{compiler: compiler, schema: inputSchema(), of: map[*ast.Rule]*scope{}, calls: map[string][]call{}}
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		for _, root := range compiler.Modules[name].Rules {
			for r := root; r != nil; r = r.Else {
				p.add(root, r)
			}
		}
	}
	return p
}

func (p *program) add(root, rule *ast.Rule) {
	s := &scope{rule: rule, root: root, bound: map[ast.Var]*ast.Term{}, outputs: map[ast.Var]call{}, parameters: map[ast.Var]int{}}
	p.scopes, p.of[rule] = append(p.scopes, s), s
	for i, arg := range rule.Head.Args {
		if v, ok := arg.Value.(ast.Var); ok {
			s.parameters[v] = i
		}
	}
	ast.WalkExprs(rule.Body, func(x *ast.Expr) bool {
		if x.IsEquality() && !x.Negated && len(x.With) == 0 {
			s.bind(x.Operand(0), x.Operand(1))
			s.bind(x.Operand(1), x.Operand(0))
		}
		if every, ok := x.Terms.(*ast.Every); ok {
			s.bindEvery(every)
		}
		return false
	})
	visitCalls(rule, func(name ast.Ref, args []*ast.Term, _ *ast.Location) {
		c := call{from: s, name: name, args: args}
		if name.HasPrefix(ast.DefaultRootRef) {
			p.calls[name.String()] = append(p.calls[name.String()], c)
		}
		if len(args) > 0 {
			if v, ok := args[len(args)-1].Value.(ast.Var); ok && p.compiler.GetArity(name) == len(args)-1 {
				s.outputs[v] = c
			}
		}
	})
}

func (s *scope) bind(variable, value *ast.Term) {
	v, ok := variable.Value.(ast.Var)
	if !ok || s.bound[v] != nil {
		return
	}
	if _, is := s.parameters[v]; !is {
		s.bound[v] = value
	}
}

// bindEvery makes the value of an every stand for the members of its domain.
func (s *scope) bindEvery(every *ast.Every) {
	switch domain := every.Domain.Value.(type) {
	case ast.Var:
		s.bind(every.Value, ast.NewTerm(ast.Ref{every.Domain, ast.VarTerm(ast.WildcardPrefix)}))
	case ast.Ref:
		s.bind(every.Value, ast.NewTerm(append(domain[:len(domain):len(domain)], ast.VarTerm(ast.WildcardPrefix))))
	}
}

// visitCalls visits the calls in the head and the body of rule, without those of its else.
func visitCalls(rule *ast.Rule, visit func(name ast.Ref, args []*ast.Term, at *ast.Location)) {
	see := func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.IsCall() {
				visit(x.Operator(), x.Operands(), x.Location)
			}
		case *ast.Term:
			if c, ok := x.Value.(ast.Call); ok {
				if name, ok := c[0].Value.(ast.Ref); ok {
					visit(name, c[1:], x.Location)
				}
			}
		}
		return false
	}
	visitor := ast.NewGenericVisitor(see)
	visitor.Walk(rule.Head)
	visitor.Walk(rule.Body)
}

// visitRefs visits the references in the head and the body of rule, without those of its else, each with its place.
func visitRefs(rule *ast.Rule, visit func(t *ast.Term, ref ast.Ref, at *ast.Location)) {
	at := rule.Location
	visitor := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.Location != nil {
				at = x.Location
			}
		case *ast.Term:
			ref, ok := x.Value.(ast.Ref)
			if !ok {
				return false
			}
			switch {
			case x.Location != nil && x.Location.File != "":
				visit(x, ref, x.Location)
			case ref[0].Location != nil && ref[0].Location.File != "":
				visit(x, ref, ref[0].Location)
			default:
				visit(x, ref, at)
			}
		}
		return false
	})
	visitor.Walk(rule.Head)
	visitor.Walk(rule.Body)
}

const (
	// mostExpansions bounds what a reference may stand for; a function may be called from everywhere.
	mostExpansions = 256
	deepestChain   = 32
)

// expansions are the references that ref stands for: itself when it begins with data or input, else what its variable is
// bound to, or what the callers of a function hand over. ok is false when it may also stand for something else.
func (p *program) expansions(s *scope, ref ast.Ref) (all []ast.Ref, ok bool) {
	ok = p.expand(s, ref, deepestChain, &all)
	return all, ok
}

func (p *program) expand(s *scope, ref ast.Ref, depth int, into *[]ast.Ref) bool {
	if depth == 0 || len(*into) >= mostExpansions || len(ref) == 0 {
		return false
	}
	if ast.RootDocumentNames.Contains(ref[0]) {
		*into = append(*into, ref)
		return true
	}
	v, ok := ref[0].Value.(ast.Var)
	if !ok {
		return false
	}
	if made, ok := s.outputs[v]; ok {
		return p.expandOutput(made, ref[1:], depth-1, into)
	}
	if bound := s.bound[v]; bound != nil {
		return p.expandTerm(s, bound, ref[1:], depth-1, into)
	}
	i, ok := s.parameters[v]
	calls := p.calls[s.rule.Ref().String()]
	if !ok || len(calls) == 0 {
		return false
	}
	for _, c := range calls {
		if i >= len(c.args) || !p.expandTerm(c.from, c.args[i], ref[1:], depth-1, into) {
			return false
		}
	}
	return true
}

func (p *program) expandTerm(s *scope, t *ast.Term, tail ast.Ref, depth int, into *[]ast.Ref) bool {
	switch v := t.Value.(type) {
	case ast.Ref:
		return p.expand(s, append(v[:len(v):len(v)], tail...), depth, into)
	case ast.Var:
		return p.expand(s, append(ast.Ref{t}, tail...), depth, into)
	case *ast.ArrayComprehension:
		return len(tail) > 0 && p.expandTerm(s, v.Term, tail[1:], depth-1, into)
	case *ast.ObjectComprehension:
		return len(tail) > 0 && p.expandTerm(s, v.Value, tail[1:], depth-1, into)
	}
	return false
}

// expandOutput goes on with what a function of the policies gives, or object.get finds.
func (p *program) expandOutput(made call, tail ast.Ref, depth int, into *[]ast.Ref) bool {
	if made.name.String() == ast.ObjectGet.Name {
		keys := p.keysOf(made.from, made.args[1])
		return keys != nil && len(tail) > 0 && lacks(made.args[2], tail[0]) && p.expandTerm(made.from, made.args[0], append(keys, tail...), depth, into)
	}
	rules := p.compiler.GetRulesExact(made.name)
	if len(rules) == 0 || len(tail) == 0 {
		return false
	}
	for _, r := range rules {
		for ; r != nil; r = r.Else {
			if s := p.of[r]; s == nil || r.Head.Value == nil || !p.expandTerm(s, r.Head.Value, tail, depth, into) {
				return false
			}
		}
	}
	return true
}

// lacks reports whether a default surely has no such member.
func lacks(otherwise, name *ast.Term) bool {
	o, ok := otherwise.Value.(ast.Object)
	if !ok {
		return ast.IsConstant(otherwise.Value)
	}
	return ast.IsConstant(o) && ast.IsConstant(name.Value) && o.Get(name) == nil
}
