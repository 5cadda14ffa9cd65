package meaning

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// analysis reads the rules that one entrypoint depends on.
type analysis struct {
	compiler *ast.Compiler
	document map[string]any // the data
	scopes   []*scope
	// calls are the calls of each function of the policies, by its path.
	calls                        map[string][]call
	input, data, builtins, hosts uses
}

// call is one call of a function: its arguments, and the rule around it.
type call struct {
	from *scope
	args []*ast.Term
}

// scope is one rule, or one else of a rule, with its variables. The compiler gives each variable that is declared a
// name of its own.
type scope struct {
	rule *ast.Rule
	// bound are the terms that a variable is unified with.
	bound map[ast.Var][]*ast.Term
	// parameters are the positions of the arguments, where the rule is a function.
	parameters map[ast.Var]int
	// count is how often a variable occurs.
	count map[ast.Var]int
}

func newAnalysis(compiler *ast.Compiler, document map[string]any, entrypoint string) *analysis {
	a := &analysis{compiler: compiler, document: document, calls: map[string][]call{},
		input: uses{}, data: uses{}, builtins: uses{}, hosts: uses{}}
	for rule := range rego.Dependencies(compiler, rego.RefOf(entrypoint)) {
		a.scopes = append(a.scopes, newScope(rule))
	}
	for _, s := range a.scopes {
		rego.VisitCalls(s.rule, func(name ast.Ref, args []*ast.Term, _ *ast.Location) {
			if name.HasPrefix(ast.DefaultRootRef) {
				a.calls[name.String()] = append(a.calls[name.String()], call{s, args})
			}
		})
	}
	return a
}

func newScope(rule *ast.Rule) *scope {
	s := &scope{rule: rule, bound: map[ast.Var][]*ast.Term{}, parameters: map[ast.Var]int{}, count: map[ast.Var]int{}}
	for i, arg := range rule.Head.Args {
		if v, ok := arg.Value.(ast.Var); ok {
			s.parameters[v] = i
		}
	}
	ast.WalkExprs(rule.Body, func(x *ast.Expr) bool {
		if x.IsEquality() {
			s.bind(x.Operand(0), x.Operand(1))
			s.bind(x.Operand(1), x.Operand(0))
		}
		return false
	})
	count := func(x any) {
		ast.WalkVars(x, func(v ast.Var) bool {
			s.count[v]++
			return false
		})
	}
	count(rule.Body)
	if rule.Head.Key != nil {
		count(rule.Head.Key)
	}
	if rule.Head.Value != nil {
		count(rule.Head.Value)
	}
	count(rule.Head.Reference)
	return s
}

func (s *scope) bind(variable, value *ast.Term) {
	if v, ok := variable.Value.(ast.Var); ok {
		s.bound[v] = append(s.bound[v], value)
	}
}

const (
	// maxPaths bounds how many paths one variable may stand for: a function may have many callers.
	maxPaths = 256
	// maxDepth bounds how many bindings of variables are followed from one to the next.
	maxDepth = 32
)

// stands yields what a reference stands for: references to input or data, directly, through variables, or through
// the arguments that callers pass.
func (a *analysis) stands(s *scope, ref ast.Ref, depth int, into *[]ast.Ref) {
	if depth == 0 || len(*into) >= maxPaths {
		return
	}
	if ast.RootDocumentNames.Contains(ref[0]) {
		*into = append(*into, ref)
		return
	}
	head, ok := ref[0].Value.(ast.Var)
	if !ok {
		return
	}
	a.eachTerm(s, head, func(from *scope, t *ast.Term) {
		switch v := t.Value.(type) {
		case ast.Ref:
			a.stands(from, append(v[:len(v):len(v)], ref[1:]...), depth-1, into)
		case ast.Var:
			a.stands(from, append(ast.Ref{t}, ref[1:]...), depth-1, into)
		}
	})
}

// eachTerm yields the terms that a variable is bound to, and the rules that they are in.
func (a *analysis) eachTerm(s *scope, v ast.Var, yield func(*scope, *ast.Term)) {
	for _, t := range s.bound[v] {
		yield(s, t)
	}
	if i, ok := s.parameters[v]; ok {
		for _, c := range a.calls[s.rule.Ref().String()] {
			if i < len(c.args) {
				yield(c.from, c.args[i])
			}
		}
	}
}

// refs are what a term stands for; none where it is no reference.
func (a *analysis) refs(s *scope, t *ast.Term) (out []ast.Ref) {
	switch v := t.Value.(type) {
	case ast.Ref:
		a.stands(s, v, maxDepth, &out)
	case ast.Var:
		a.stands(s, ast.Ref{t}, maxDepth, &out)
	}
	return out
}
