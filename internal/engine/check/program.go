package check

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Program is a compiled set of modules, prepared for the checks: for each rule, what its variables stand for.
type Program struct {
	compiler *ast.Compiler
	schema   map[string]any // of the input
	scopes   []*scope
	// of finds the scope of a rule.
	of map[*ast.Rule]*scope
	// calls are the calls of each function of the policies, by its path.
	calls map[string][]*call
	// tree is what there is under data, and replaced are the targets of "with" there. Problems sets both.
	tree     *dataTree
	replaced replacements
	// optional are the paths that metadata declare optional, once they were asked for.
	optional *optionalPaths
}

// call is one call of a function: its arguments, its location, and the rule around it.
type call struct {
	from *scope
	name ast.Ref
	// text is name as Rego writes it.
	text string
	args []*ast.Term
	at   *ast.Location
}

// reference is one reference, with the term that it is the value of.
type reference struct {
	term *ast.Term
	ref  ast.Ref
	at   *ast.Location
}

// scope is one rule, or one else of a rule, with its variables.
type scope struct {
	rule *ast.Rule
	// root is the rule that this is an else of, or rule itself.
	root *ast.Rule
	// path is the reference to the rule, as Rego writes it.
	path string
	// logged is set when the input is an event of the decision log.
	logged bool
	// calls and refs are those in the head and the body.
	calls []*call
	refs  []reference
	// bound is the term that a variable is unified with. Many variables are made by the compiler.
	bound map[ast.Var]*ast.Term
	// outputs are the calls whose results are variables.
	outputs map[ast.Var]*call
	// parameters are the positions of the arguments, where the rule is a function.
	parameters map[ast.Var]int
	// inferred are the types that OPA infers, once one was asked for.
	inferred *inferred
}

// New prepares the modules of a compiler.
func New(compiler *ast.Compiler) *Program {
	p := &Program{
		compiler: compiler, schema: rego.InputSchemaOf(compiler.Modules), of: map[*ast.Rule]*scope{},
		calls: map[string][]*call{},
	}
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		rules := compiler.Modules[name].Rules
		logged := len(rules) > 0 && rego.IsLogPolicy(rules[0])
		for _, root := range rules {
			for r := root; r != nil; r = r.Else {
				p.add(root, r, logged)
			}
		}
	}
	return p
}

func (p *Program) add(root, rule *ast.Rule, logged bool) {
	s := &scope{
		rule: rule, root: root, path: rule.Ref().String(), logged: logged,
		bound: map[ast.Var]*ast.Term{}, outputs: map[ast.Var]*call{}, parameters: map[ast.Var]int{},
	}
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
	rego.Visit(rule, func(name ast.Ref, args []*ast.Term, at *ast.Location) {
		c := &call{from: s, name: name, text: name.String(), args: args, at: at}
		s.calls = append(s.calls, c)
		if name.HasPrefix(ast.DefaultRootRef) {
			p.calls[c.text] = append(p.calls[c.text], c)
		}
		if len(args) > 0 {
			if v, ok := args[len(args)-1].Value.(ast.Var); ok && p.compiler.GetArity(name) == len(args)-1 {
				s.outputs[v] = c
			}
		}
	}, func(t *ast.Term, ref ast.Ref, at *ast.Location) {
		s.refs = append(s.refs, reference{t, ref, at})
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

// bindEvery lets the variable of an "every" stand for the members of its domain.
func (s *scope) bindEvery(every *ast.Every) {
	switch domain := every.Domain.Value.(type) {
	case ast.Var:
		s.bind(every.Value, ast.NewTerm(ast.Ref{every.Domain, ast.VarTerm(ast.WildcardPrefix)}))
	case ast.Ref:
		s.bind(every.Value, ast.NewTerm(append(domain[:len(domain):len(domain)], ast.VarTerm(ast.WildcardPrefix))))
	}
}
