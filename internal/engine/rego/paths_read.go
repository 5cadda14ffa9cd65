package rego

import (
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// pathsRead are the paths under data whose values evaluations of compiled policies ask a store for. A variable that
// may have no value yet ends a path, since all that is there is tried for it. A path is missing where OPA puts a
// constant in the place of a variable to find rules: a store must answer any.
func pathsRead(compilers []*ast.Compiler) [][]bundle.Step {
	p := pathReads{found: map[string]bool{}, vars: ast.NewVarVisitor()}
	for _, c := range compilers {
		for _, m := range c.Modules {
			for _, root := range m.Rules {
				for r := root; r != nil; r = r.Else {
					bound := ast.NewVarSet()
					p.addVars(bound, r.Head.Args)
					p.body(r.Body, bound)
					p.see(r.Head, bound)
				}
			}
		}
	}
	return p.paths
}

type pathReads struct {
	paths [][]bundle.Step
	found map[string]bool
	vars  *ast.VarVisitor
	key   []byte
}

// body adds the paths of expressions, which are in the order of their evaluation, and to bound the variables that have
// a value after them.
func (p *pathReads) body(b ast.Body, bound ast.VarSet) {
	for _, e := range b {
		p.see(e, bound)
		if e.Negated {
			continue
		}
		if ref, ok := e.Terms.(*ast.Term); ok {
			p.collection(ref)
		}
		p.addVars(bound, e)
	}
}

// see adds the paths of x, in which only these variables have a value.
func (p *pathReads) see(x any, bound ast.VarSet) {
	closure := func(b ast.Body, more ...any) bool {
		own := bound.Copy()
		p.body(b, own)
		for _, x := range more {
			p.see(x, own)
		}
		return true
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension:
			return closure(x.Body, x.Term)
		case *ast.SetComprehension:
			return closure(x.Body, x.Term)
		case *ast.ObjectComprehension:
			return closure(x.Body, x.Key, x.Value)
		case *ast.Every:
			p.see(x.Domain, bound)
			own := bound.Copy()
			if x.Key != nil {
				p.addVars(own, x.Key)
			}
			p.addVars(own, x.Value)
			p.body(x.Body, own)
			return true
		case *ast.With:
			p.see(x.Value, bound)
			return true // what it replaces is not read
		case ast.Ref:
			p.ref(x, bound)
		}
		return false
	}).Walk(x)
}

// addVars adds the variables in x, but not those in comprehensions there.
func (p *pathReads) addVars(to ast.VarSet, x any) {
	p.vars.Clear().WithParams(ast.VarVisitorParams{SkipClosures: true}).Walk(x)
	to.Update(p.vars.Vars())
}

// ref adds the path of a reference.
func (p *pathReads) ref(ref ast.Ref, bound ast.VarSet) {
	if !ref.HasPrefix(ast.DefaultRootRef) {
		return
	}
	path := make([]bundle.Step, 0, len(ref)-1)
	for _, t := range ref[1:] {
		switch name := t.Value.(type) {
		case ast.String:
			path = append(path, bundle.Step{Name: string(name)})
			continue
		case ast.Var:
			if !bound.Contains(name) {
				p.add(path)
				return
			}
		}
		path = append(path, bundle.Step{Any: true})
	}
	p.add(path)
}

// collection adds what OPA's index of rules reads for an expression that looks a name up in data: the top member that
// the collection is in, or all.
func (p *pathReads) collection(t *ast.Term) {
	ref, ok := t.Value.(ast.Ref)
	if ok && len(ref) > 1 && ref.HasPrefix(ast.DefaultRootRef) && !ast.IsConstant(ref[len(ref)-1].Value) {
		if of := ref[:len(ref)-1]; of.IsGround() {
			p.ref(of[:min(len(of), 2)], nil)
		}
	}
}

func (p *pathReads) add(path []bundle.Step) {
	p.key = p.key[:0]
	for _, step := range path {
		p.key = strconv.AppendBool(p.key, step.Any)
		p.key = strconv.AppendQuote(p.key, step.Name)
	}
	if !p.found[string(p.key)] {
		p.found[string(p.key)] = true
		p.paths = append(p.paths, path)
	}
}
