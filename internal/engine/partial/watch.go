package partial

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// watch follows a partial evaluation and collects why a document that meets its result may be denied all the same. A
// builtin that fails denies the request, wherever it is called, and so does a rule with two values. Both are seen
// here as far as they depend on what is unknown: what partial evaluation saves is what a decision would evaluate.
type watch struct {
	program *Program
	risks   map[string]bool
	exited  map[string]map[*ast.Rule]bool // the chains that had a value, by the path of the rule
	kinds   *kinds
}

func newWatch(p *Program) *watch {
	return &watch{program: p, risks: map[string]bool{}, exited: map[string]map[*ast.Rule]bool{}, kinds: newKinds()}
}

// Enabled implements topdown.QueryTracer.
func (*watch) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (*watch) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (w *watch) TraceEvent(e topdown.Event) {
	switch e.Op {
	case topdown.SaveOp:
		if x, ok := e.Node.(*ast.Expr); ok {
			w.saved(x, e.Plug)
		}
	case topdown.ExitOp:
		if r, ok := e.Node.(*ast.Rule); ok && !r.Default {
			w.exit(r)
		}
	}
}

func (w *watch) saved(x *ast.Expr, plug func(*ast.Term) *ast.Term) {
	if len(x.With) > 0 {
		w.risk("a value is replaced by with", x.Location)
	}
	if terms, ok := x.Terms.([]*ast.Term); ok {
		plugged := make([]*ast.Term, 0, len(terms))
		for _, t := range terms {
			plugged = append(plugged, plug(t))
		}
		x = &ast.Expr{Terms: plugged, Location: x.Location}
	}
	for _, name := range w.kinds.fallible(x) {
		w.risk("a call of "+name+" can fail", x.Location)
	}
}

func (w *watch) risk(text string, at *ast.Location) {
	if at != nil && at.File != "" {
		text += fmt.Sprintf(" (%s:%d)", at.File, at.Row)
	}
	w.risks[text] = true
}

func (w *watch) exit(r *ast.Rule) {
	root := w.program.chains()[r]
	if root == nil || root.Head.RuleKind() == ast.MultiValue {
		return
	}
	path := root.Ref().String()
	if w.exited[path] == nil {
		w.exited[path] = map[*ast.Rule]bool{}
	}
	w.exited[path][root] = true
	if len(w.exited[path]) > 1 && !w.program.oneValue(root) {
		w.risk("data."+rego.Dotted(rego.PathOf(root.Ref()))+" can have two values", root.Location)
	}
	if !ast.IsConstant(r.Head.Value.Value) && w.program.iterates(r) {
		w.risk("data."+rego.Dotted(rego.PathOf(root.Ref()))+" can have several values", r.Location)
	}
}

// found are the risks, with the builtins that failed for what is known.
func (w *watch) found(failed []topdown.Error) []string {
	for _, e := range failed {
		w.risk("a builtin fails for this request", e.Location)
	}
	return slices.Sorted(maps.Keys(w.risks))
}

// facts about the rules of a program, which are made once.
type ruleFacts struct {
	once   sync.Once
	chains map[*ast.Rule]*ast.Rule
	one    map[string]bool
	mutex  sync.Mutex
	loops  map[*ast.Rule]bool
}

// chains are the rules by themselves and by the rules of their else.
func (p *Program) chains() map[*ast.Rule]*ast.Rule {
	p.facts.once.Do(func() {
		chains, one := map[*ast.Rule]*ast.Rule{}, map[string]bool{}
		values := map[string]*ast.Term{}
		add := func(c *ast.Compiler) {
			for _, m := range c.Modules {
				for _, root := range m.Rules {
					path := root.Ref().String()
					for r := root; r != nil; r = r.Else {
						chains[r] = root
						if r.Default {
							continue
						}
						value, known := r.Head.Value, values[path] != nil
						switch {
						case value == nil || !ast.IsConstant(value.Value), known && !values[path].Equal(value):
							one[path] = false
						case !known:
							values[path] = value
							if _, set := one[path]; !set {
								one[path] = true
							}
						}
					}
				}
			}
		}
		add(p.sliced)
		if flat, err := p.flat(); err == nil {
			add(flat)
		}
		p.facts.chains, p.facts.one, p.facts.loops = chains, one, map[*ast.Rule]bool{}
	})
	return p.facts.chains
}

// oneValue reports whether all rules of a path have the same constant value.
func (p *Program) oneValue(r *ast.Rule) bool { return p.facts.one[r.Ref().String()] }

// iterates reports whether a rule may hold in several ways, by a reference with a variable that nothing binds.
func (p *Program) iterates(r *ast.Rule) bool {
	p.facts.mutex.Lock()
	defer p.facts.mutex.Unlock()
	loops, known := p.facts.loops[r]
	if !known {
		loops = hasFreeVariable(r)
		p.facts.loops[r] = loops
	}
	return loops
}

// hasFreeVariable reports whether the body of a rule has a reference with a variable that is neither an argument nor
// the result of a call or of a reference without such a variable.
func hasFreeVariable(r *ast.Rule) bool {
	bound := ast.NewVarSet()
	for _, arg := range r.Head.Args {
		bound.Update(arg.Vars())
	}
	for again := true; again; {
		again = false
		bind := func(t *ast.Term) {
			if v, ok := t.Value.(ast.Var); ok && !bound.Contains(v) {
				bound.Add(v)
				again = true
			}
		}
		for _, x := range r.Body {
			terms, ok := x.Terms.([]*ast.Term)
			if !ok || x.Negated || len(terms) < 2 {
				continue
			}
			last := len(terms) - 1
			switch {
			case !x.IsEquality():
				if b := ast.BuiltinMap[terms[0].String()]; b == nil || !b.Relation {
					bind(terms[last])
				}
			case !hasFree(terms[2], bound):
				bind(terms[1])
			case !hasFree(terms[1], bound):
				bind(terms[2])
			}
		}
	}
	return slices.ContainsFunc(r.Body, func(x *ast.Expr) bool { return !x.Negated && hasFree(x, bound) })
}

// hasFree reports whether x has a reference with a variable that is not bound, outside of closures, or is itself such
// a variable.
func hasFree(x any, bound ast.VarSet) bool {
	free := false
	visitor := ast.NewGenericVisitor(func(n any) bool {
		switch n := n.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, *ast.Every:
			return true
		case ast.Ref:
			for _, t := range n[1:] {
				if v, ok := t.Value.(ast.Var); ok && !bound.Contains(v) {
					free = true
				}
			}
		}
		return free
	})
	visitor.Walk(x)
	if t, ok := x.(*ast.Term); ok {
		if v, isVar := t.Value.(ast.Var); isVar && !bound.Contains(v) {
			return true
		}
	}
	return free
}
