package lint

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// describer makes the document of one module.
type describer struct {
	*program
	effects *effects
	reads   *readers
	asked   []string // the rules of entrypoints
	doc     document
	// before are the expressions that have been evaluated in the bodies around the one that is described.
	before []int
}

// document describes the module of a file.
func (d *describer) document(file string) document {
	m := d.resolved[file]
	d.doc = document{
		File: file, Package: names(m.Package.Path), Place: placeOf(m.Package.Location),
		Test: strings.HasSuffix(file, "_test.rego"), Log: len(m.Rules) > 0 && rego.IsLogPolicy(m.Rules[0]),
		Calls: map[string][]call{}, Refs: map[string][]reference{}, Branches: []branch{}, Exprs: []expr{},
		Headers: []member{}, Locals: []local{}, Iterators: []local{},
	}
	for _, imp := range d.parsed[file].Imports {
		d.doc.NotKeyword = d.doc.NotKeyword || imp.Path.Value.String() == "future.keywords.not"
	}
	for _, a := range d.parsed[file].Annotations {
		d.doc.Title = d.doc.Title || a.Title != ""
	}
	for _, root := range m.Rules {
		n := 0
		for r := root; r != nil; r = r.Else {
			d.branch(r, n)
			n++
		}
	}
	return d.doc
}

// names are the names of a package path.
func names(ref ast.Ref) []string {
	out := []string{"data"}
	for _, t := range ref[1:] {
		name, _ := t.Value.(ast.String)
		out = append(out, string(name))
	}
	return out
}

func (d *describer) branch(r *ast.Rule, position int) {
	path := pathOf(r)
	b := branch{
		Name: string(rego.LastName(strings.ReplaceAll(path, ".", "/"))), Path: path, Kind: ruleKind(r),
		Place: placeOf(r.Location), Else: position, Default: r.Default,
		Bare:       hasNoBody(r),
		Entrypoint: slices.Contains(d.asked, path), Reached: d.effects.reached[path],
		Allows: d.effects.bodies[r]&allows != 0, Denies: d.effects.bodies[r]&denies != 0, Refuses: refuses(r),
		Reads: d.reads.of(r),
	}
	if r.Head.Value != nil {
		value := d.describe(r.Head.Value)
		b.Value = &value
	}
	d.doc.Branches = append(d.doc.Branches, b)
	for _, arg := range r.Head.Args {
		d.local(arg)
	}
	d.before = d.before[:0]
	d.terms(r.Head, -1)
	if !b.Bare {
		d.body(r.Body, true)
	}
	d.iterators(r)
}

// hasNoBody reports whether the body of a rule is the one that the parser makes up.
func hasNoBody(r *ast.Rule) bool {
	at := placeOf(r.Body.Loc())
	return r.Body.Equal(ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))) &&
		(at == placeOf(r.Location) || r.Head.Value != nil && at == placeOf(r.Head.Value.Location) ||
			r.Body.Loc() == nil || string(r.Body.Loc().Text) != "true")
}

// iterators takes in the variables that a reference in the body alone declares, and that the rule names nowhere else.
func (d *describer) iterators(r *ast.Rule) {
	named, elements := map[ast.Var]int{}, map[ast.Var]*ast.Term{}
	count := func(v ast.Var) bool {
		named[v]++
		return false
	}
	ast.WalkVars(r.Head, count)
	ast.WalkVars(r.Body, count)
	ast.WalkRefs(r.Body, func(ref ast.Ref) bool {
		for _, t := range ref[1:] {
			if v, ok := t.Value.(ast.Var); ok {
				elements[v] = t
			}
		}
		return false
	})
	for v, t := range elements {
		if _, declared := d.written[v]; !declared && named[v] == 1 && !v.IsWildcard() && !v.IsGenerated() {
			d.doc.Iterators = append(d.doc.Iterators, local{string(v), placeOf(t.Location)})
		}
	}
}

func ruleKind(r *ast.Rule) string {
	switch {
	case len(r.Head.Args) > 0:
		return "function"
	case r.Head.RuleKind() == ast.MultiValue:
		return "set"
	case !r.Ref().IsGround():
		return "object"
	}
	return "complete"
}

// local takes in a declared variable.
func (d *describer) local(t *ast.Term) {
	if v, ok := t.Value.(ast.Var); ok {
		if name, ok := d.written[v]; ok && !name.IsWildcard() && !name.IsGenerated() {
			d.doc.Locals = append(d.doc.Locals, local{string(name), placeOf(t.Location)})
		}
	}
}

// body takes in the expressions of a body, and those of the bodies within.
func (d *describer) body(body ast.Body, top bool) {
	kept := len(d.before)
	for _, x := range body {
		i := d.expr(x, top)
		d.terms(x, i)
		d.before = append(d.before, i)
	}
	d.before = d.before[:kept]
}

// expr takes in one expression, without what is in it.
func (d *describer) expr(x *ast.Expr, top bool) int {
	i := len(d.doc.Exprs)
	out := expr{
		Branch: len(d.doc.Branches) - 1, Place: placeOf(x.Location), Negated: x.Negated, Top: top,
		Before: slices.Clone(d.before[max(0, len(d.before)-maxBefore):]),
	}
	if x.Location != nil && len(x.Location.Text) > 0 {
		out.Text = d.authored(string(x.Location.Text))
	} else {
		out.Text = d.text(x)
	}
	out.Paths = d.inputPaths(x)
	describe := func(t *ast.Term) {
		described := d.describe(t)
		out.Term = &described
	}
	switch terms := x.Terms.(type) {
	case *ast.Term:
		out.Form = "term"
		describe(terms)
	case *ast.SomeDecl:
		out.Form = "some"
		for _, t := range terms.Symbols {
			d.local(t)
		}
	case *ast.Every:
		out.Form = "every"
		describe(terms.Domain)
	case []*ast.Term:
		out.Form = "call"
		out.Call = terms[0].Value.String()
		if x.IsEquality() && d.declares(terms[1]) {
			out.Form = "assign"
			if strings.HasPrefix(out.Text, "some ") {
				out.Form = "some"
			}
			d.local(terms[1])
			describe(terms[2])
		}
		for _, arg := range terms[1:] {
			out.Args = append(out.Args, d.describe(arg))
		}
	}
	d.doc.Exprs = append(d.doc.Exprs, out)
	return i
}

// declares reports whether a term is a variable that got its value by an assignment.
func (d *describer) declares(t *ast.Term) bool {
	v, ok := t.Value.(ast.Var)
	return ok && d.bound[v] != nil
}
