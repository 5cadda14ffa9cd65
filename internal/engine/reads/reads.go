// Package reads tells which parts of the input the value of a rule may follow from.
//
// It says too much rather than too little. In compiled Rego every access to the input is a reference that begins with
// input, also behind an alias, in an argument of a function, in a comprehension or as the value of a "with". So the
// references of a rule and of all rules that it may depend on are a superset of what an evaluation reads. Where a
// reference names no single rule, it counts for all rules that begin as it does: OPA's own dependency graph leaves out
// those that it finds impossible.
package reads

import (
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Path is the constant beginning of a reference below the input: names and positions in arrays. The empty path is the
// whole input.
type Path []Step

// Step is a name, or a position in an array.
type Step struct {
	Name string
	// Position is meaningful when IsPosition; Name is empty then.
	Position   int
	IsPosition bool
}

func (s Step) String() string {
	if s.IsPosition {
		return strconv.Itoa(s.Position)
	}
	return s.Name
}

func (p Path) equal(q Path) bool { return slices.Equal(p, q) }

// String is the path in parts joined by dots, below "input".
func (p Path) String() string {
	var b strings.Builder
	b.WriteString("input")
	for _, s := range p {
		b.WriteByte('.')
		b.WriteString(s.String())
	}
	return b.String()
}

// Reads are the paths that may be read, sorted. None is a part of another.
type Reads struct {
	Paths []Path
}

// Of returns what the value at ref, which begins with data, may follow from.
func (p *Program) Of(ref ast.Ref) Reads { return Reads{Paths: p.reachOne(ref).paths()} }

// reached are the rules that a value may depend on, and the places of packages and rules that these lead to.
type reached struct {
	rules  []*Rule
	places map[*ast.TreeNode]bool
}

// Rules are the rules that the value at ref may depend on, hidden ones included.
func (p *Program) Rules(ref ast.Ref) []*Rule { return p.reachOne(ref).rules }

func (p *Program) reachOne(ref ast.Ref) reached {
	name := ref.String()
	all, known := p.reached[name]
	if !known {
		all = p.reach(ref)
		p.reached[name] = all
	}
	return all
}

// reach looks at all that values depend on.
func (p *Program) reach(from ...ast.Ref) (all reached) {
	all.places = p.each(func(r *Rule) bool {
		all.rules = append(all.rules, r)
		return true
	}, from...)
	return all
}

// paths are the parts of the input that the rules read.
func (r reached) paths() []Path {
	var all []Path
	for _, rule := range r.rules {
		all = append(all, rule.Paths...)
	}
	return minimal(all)
}

// visit visits the references of a rule but not of its else. A variable that is input or data by itself counts as a
// reference.
func visit(r *ast.Rule, f func(ast.Ref)) {
	walk(r.Head, f)
	for _, t := range r.Head.Reference {
		walk(t, f)
	}
	walk(r.Body, f)
}

func walk(node any, f func(ast.Ref)) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			f(x)
			for i, t := range x {
				switch t.Value.(type) {
				case ast.String, ast.Number, ast.Boolean, ast.Null: // nothing is in them
					continue
				case ast.Var:
					if i == 0 {
						continue
					}
				}
				walk(t, f)
			}
			return true
		case ast.Var:
			if x == ast.InputRootDocument.Value || x == ast.DefaultRootDocument.Value {
				f(ast.Ref{ast.NewTerm(x)})
			}
		}
		return false
	}).Walk(node)
}

// constant is the beginning of a reference up to its first part that is neither a name nor a position.
func constant(ref ast.Ref) Path {
	return appendConstant(make(Path, 0, len(ref)), ref)
}

func appendConstant(to Path, ref ast.Ref) Path {
	for _, t := range ref {
		s, ok := step(t.Value)
		if !ok {
			break
		}
		to = append(to, s)
	}
	return to
}

func step(v ast.Value) (Step, bool) {
	switch v := v.(type) {
	case ast.String:
		return Step{Name: string(v)}, true
	case ast.Number:
		n, ok := v.Int()
		return Step{Position: n, IsPosition: true}, ok && n >= 0 && string(v) == strconv.Itoa(n)
	}
	return Step{}, false
}

// minimal sorts paths and drops those that are a part of another.
func minimal(all []Path) []Path {
	slices.SortFunc(all, compare)
	var out []Path
	for _, p := range all {
		if n := len(out); n == 0 || !within(p, out[n-1]) {
			out = append(out, p)
		}
	}
	return out
}

// compare orders a path before its parts, and these before all that comes after it.
func compare(a, b Path) int {
	return slices.CompareFunc(a, b, func(a, b Step) int {
		switch {
		case a.IsPosition != b.IsPosition && a.IsPosition:
			return -1
		case a.IsPosition != b.IsPosition:
			return 1
		case a.IsPosition:
			return a.Position - b.Position
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// within reports whether p is a part of whole, or whole itself.
func within(p, whole Path) bool { return len(whole) <= len(p) && slices.Equal(p[:len(whole)], whole) }
