package partial

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// replaced are the expressions of one compiler that replace values by "with". Partial evaluation writes to those
// whose values are unknown, although all evaluations share them: topdown.saveExprMarkUnknowns of OPA 1.22 sets With,
// less the functions that are replaced, and Location. So one evaluation runs at a time, and puts them back. nil is
// none.
type replaced struct {
	mu       sync.Mutex
	original []original
}

// original is an expression with what it has when no evaluation runs.
type original struct {
	expr *ast.Expr
	with []*ast.With
	at   *ast.Location
}

// replacedIn finds them. No evaluation may run.
func replacedIn(c *ast.Compiler) *replaced {
	var all []original
	for _, name := range sortedKeys(c.Modules) {
		ast.WalkExprs(c.Modules[name], func(x *ast.Expr) bool {
			if len(x.With) > 0 {
				all = append(all, original{x, x.With, x.Location})
			}
			return false
		})
	}
	if len(all) == 0 {
		return nil
	}
	return &replaced{original: all}
}

// hold waits until no other evaluation runs, and keeps others waiting until release.
func (r *replaced) hold() (release func()) {
	if r == nil {
		return func() {}
	}
	r.mu.Lock()
	return func() {
		for _, o := range r.original {
			o.expr.With, o.expr.Location = o.with, o.at
		}
		r.mu.Unlock()
	}
}

// replacedBy are those of a compiler of p.
func (p *Program) replacedBy(c *ast.Compiler) *replaced {
	p.replacedMu.Lock()
	defer p.replacedMu.Unlock()
	found, known := p.replaced[c]
	if !known {
		found = replacedIn(c)
		p.replaced[c] = found
	}
	return found
}

// apart is c, or, where partial evaluation writes to its expressions, another compiler of the same modules.
func (p *Program) apart(c *ast.Compiler, modules map[string]*ast.Module) (*ast.Compiler, error) {
	if p.replacedBy(c) == nil {
		return c, nil
	}
	return compiled(copies(modules), p.cfg.Rego)
}
