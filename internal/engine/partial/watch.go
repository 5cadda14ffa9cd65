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

// chains are the rules by themselves and by the rules of their else. Rules that stand for a branch of an else chain in
// a program without else are of the chain that they come from; those that stand for a default are in none.
func (p *Program) chains() map[*ast.Rule]*ast.Rule {
	p.facts.once.Do(func() {
		p.facts.chains, p.facts.loops = map[*ast.Rule]*ast.Rule{}, map[*ast.Rule]bool{}
		p.facts.one = oneValued(p.sliced)
		written := map[string]*ast.Rule{}
		for _, c := range []*ast.Compiler{p.sliced, p.quick} {
			eachRule(c, func(r, root *ast.Rule) {
				p.facts.chains[r] = root
				written[placeOf(r, root)] = root
			})
		}
		for _, compiler := range []func() (*ast.Compiler, error){p.flat, p.quickFlat} {
			flat, err := compiler()
			if err != nil {
				continue
			}
			eachRule(flat, func(r, root *ast.Rule) {
				if origin := written[placeOf(r, root)]; origin != nil {
					root = origin
				}
				if !root.Default {
					p.facts.chains[r] = root
				}
			})
		}
	})
	return p.facts.chains
}

// placeOf is the path of a rule with where it is written.
func placeOf(r, root *ast.Rule) string {
	if r.Location == nil {
		return root.Ref().String()
	}
	return fmt.Sprintf("%s %s:%d:%d", root.Ref(), r.Location.File, r.Location.Row, r.Location.Col)
}

func eachRule(c *ast.Compiler, visit func(r, root *ast.Rule)) {
	for _, name := range sortedKeys(c.Modules) {
		for _, root := range c.Modules[name].Rules {
			for r := root; r != nil; r = r.Else {
				visit(r, root)
			}
		}
	}
}

// oneValued are the paths whose rules all have the same constant value.
func oneValued(c *ast.Compiler) map[string]bool {
	out, values := map[string]bool{}, map[string]*ast.Term{}
	eachRule(c, func(r, root *ast.Rule) {
		path, value := root.Ref().String(), r.Head.Value
		switch have := values[path]; {
		case r.Default:
		case value == nil || !ast.IsConstant(value.Value), have != nil && !have.Equal(value):
			out[path] = false
		case have == nil:
			values[path] = value
			if _, known := out[path]; !known {
				out[path] = true
			}
		}
	})
	return out
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
