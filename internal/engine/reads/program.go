package reads

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Program is a compiled program of which each rule is looked at once, when it is first met. It is not safe for
// concurrent use.
type Program struct {
	tree  *ast.TreeNode
	rules map[*ast.Rule]*Rule
	// reached are those of values that were asked for, by their references.
	reached map[string]reached
	used    map[ast.Var]bool
}

// New returns the program of a compiler, whose rules must not change any more.
func New(c *ast.Compiler) *Program {
	return &Program{tree: c.RuleTree, rules: map[*ast.Rule]*Rule{}, reached: map[string]reached{},
		used: map[ast.Var]bool{}}
}

// Rule is one rule, without its else, which is a rule of its own.
type Rule struct {
	*ast.Rule
	// Path is the reference to the rule, and Name how Rego writes it.
	Path ast.Ref
	Name string
	// Refs are the references in the rule. A variable that is input or data by itself counts as one.
	Refs []ast.Ref
	// Paths are the parts of the input that Refs lead to.
	Paths []Path

	// at is Name up to the first variable.
	at string
	// leads are the places that Refs lead to.
	leads []lead
	// texts are those in the rule, once they were asked for.
	texts []string
	// pinned are the variables whose value is given where they are used, and repeated those that stand for several
	// arguments.
	pinned   map[ast.Var]bool
	repeated []ast.Var
}

// lead is a place that a reference passes, or one that it ends at, with all below.
type lead struct {
	to    *ast.TreeNode
	below bool
}

func (p *Program) rule(r *ast.Rule) *Rule {
	if known := p.rules[r]; known != nil {
		return known
	}
	one := &Rule{Rule: r, Path: r.Ref(), pinned: pinnedIn(r, p.used), repeated: repeatedIn(r)}
	one.Name = one.Path.String()
	one.at = one.Name
	if known := one.Path.GroundPrefix(); len(known) < len(one.Path) {
		one.at = known.String()
	}
	p.rules[r] = one
	var seen map[lead]bool
	visit(r, func(ref ast.Ref) {
		one.Refs = append(one.Refs, ref)
		switch {
		case ref[0].Equal(ast.InputRootDocument):
			one.Paths = append(one.Paths, constant(ref[1:]))
		case ref[0].Equal(ast.DefaultRootDocument):
			if seen == nil {
				seen = map[lead]bool{}
			}
			p.leads(ref, func(l lead) {
				if !seen[l] {
					seen[l], one.leads = true, append(one.leads, l)
				}
			})
		}
	})
	return one
}

// leads visits the places above, at and below the constant beginning of a reference.
func (p *Program) leads(ref ast.Ref, visit func(lead)) {
	node := p.tree
	for i, t := range ref {
		if i > 0 && !ast.IsConstant(t.Value) {
			break
		}
		if node = node.Child(t.Value); node == nil {
			return
		}
		visit(lead{to: node})
	}
	visit(lead{node, true})
}

// Each visits the rules that the value at ref may depend on, hidden ones included, until visit returns false.
func (p *Program) Each(ref ast.Ref, visit func(*Rule) bool) { p.each(visit, ref) }

// each does so for the values at several references, and returns the places that they and the rules lead to.
func (p *Program) each(visit func(*Rule) bool, from ...ast.Ref) map[*ast.TreeNode]bool {
	w := &walker{rules: map[*ast.Rule]bool{nil: true}, here: map[*ast.TreeNode]bool{}, below: map[*ast.TreeNode]bool{}}
	for _, ref := range from {
		p.leads(ref, w.follow)
	}
	for i := 0; i < len(w.out); i++ {
		r := p.rule(w.out[i])
		if !visit(r) {
			break
		}
		for _, l := range r.leads {
			w.follow(l)
		}
	}
	return w.here
}

// walker collects rules, each once.
type walker struct {
	out   []*ast.Rule
	rules map[*ast.Rule]bool
	// here and below are the places whose rules, and those below, are in out.
	here, below map[*ast.TreeNode]bool
}

func (w *walker) follow(l lead) {
	if l.below {
		w.addBelow(l.to)
	} else {
		w.add(l.to)
	}
}

func (w *walker) add(node *ast.TreeNode) {
	if w.here[node] {
		return
	}
	w.here[node] = true
	for _, r := range node.Values {
		for ; !w.rules[r]; r = r.Else {
			w.rules[r] = true
			w.out = append(w.out, r)
		}
	}
}

func (w *walker) addBelow(node *ast.TreeNode) {
	if w.below[node] {
		return
	}
	w.below[node] = true
	w.add(node)
	for _, child := range node.Children {
		w.addBelow(child)
	}
}

// pinnedIn are the variables whose value is given where they are used: arguments, and what is unified with a reference
// or a constant before they are used otherwise. A reference into an array or an object that has them as a part does
// not choose them. used is a buffer.
func pinnedIn(r *ast.Rule, used map[ast.Var]bool) map[ast.Var]bool {
	clear(used)
	pinned := map[ast.Var]bool{}
	addTo := func(vars map[ast.Var]bool) func(ast.Var) bool {
		return func(v ast.Var) bool {
			vars[v] = true
			return false
		}
	}
	for _, arg := range r.Head.Args {
		ast.WalkVars(arg, addTo(pinned))
	}
	use := addTo(used)
	for _, x := range r.Body {
		for i := range 2 {
			if x.Negated || !x.IsEquality() {
				break
			}
			v, ok := x.Operand(i).Value.(ast.Var)
			if !ok || used[v] {
				continue
			}
			switch x.Operand(1 - i).Value.(type) {
			case ast.Ref, ast.String, ast.Number:
				pinned[v] = true
			}
		}
		ast.WalkVars(x, use)
	}
	return pinned
}

// repeatedIn are the variables that stand for several arguments, as often as they are there again.
func repeatedIn(r *ast.Rule) (repeated []ast.Var) {
	var seen []ast.Var
	for _, arg := range r.Head.Args {
		ast.WalkVars(arg, func(v ast.Var) bool {
			if slices.Contains(seen, v) {
				repeated = append(repeated, v)
			}
			seen = append(seen, v)
			return false
		})
	}
	return repeated
}
