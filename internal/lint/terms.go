package lint

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// terms takes in the calls and references in a head or an expression, and the bodies within. at is the expression, or
// -1 for a head.
func (d *describer) terms(x any, at int) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.IsCall() {
				d.call(x.Terms.([]*ast.Term), x.Location, at)
			}
		case *ast.Every:
			d.terms(x.Domain, at)
			d.local(x.Value)
			d.body(x.Body, false)
			return true
		case *ast.With:
			d.terms(x.Value, at)
			return true
		case *ast.ArrayComprehension:
			d.body(x.Body, false)
			d.terms(x.Term, at)
			return true
		case *ast.SetComprehension:
			d.body(x.Body, false)
			d.terms(x.Term, at)
			return true
		case *ast.ObjectComprehension:
			d.body(x.Body, false)
			d.terms(x.Key, at)
			d.terms(x.Value, at)
			return true
		case *ast.Term:
			return d.term(x, at)
		}
		return false
	}).Walk(x)
}

// term takes in one term, and reports whether that was all of it.
func (d *describer) term(t *ast.Term, at int) bool {
	switch v := t.Value.(type) {
	case ast.Call:
		d.call(v, t.Location, at)
	case ast.Ref, ast.Var:
		d.reference(t, at)
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) {
			name, _ := key.Value.(ast.String)
			if name == "upstream_headers" || name == "response_headers" {
				d.doc.Headers = append(d.doc.Headers, member{
					Branch: len(d.doc.Branches) - 1, Place: placeOf(key.Location), Name: string(name),
					Value: d.describe(value),
				})
			}
		})
	}
	return false
}

func (d *describer) call(terms []*ast.Term, at *ast.Location, expr int) {
	c := call{
		Branch: len(d.doc.Branches) - 1, Place: placeOf(at), Expr: expr,
		Negated: expr >= 0 && d.doc.Exprs[expr].Negated, Text: d.callText(terms),
	}
	for _, arg := range terms[1:] {
		c.Args = append(c.Args, d.describe(arg))
	}
	c.Place = d.placed(c.Place, expr)
	name := terms[0].Value.String()
	d.doc.Calls[name] = append(d.doc.Calls[name], c)
}

func (d *describer) reference(t *ast.Term, expr int) {
	path := d.path(t)
	if path == nil || path[0] != "input" {
		return
	}
	_, written := t.Value.(ast.Ref)
	first := "input"
	if len(path) > 1 {
		first += "." + path[1]
	}
	d.doc.Refs[first] = append(d.doc.Refs[first], reference{
		Branch: len(d.doc.Branches) - 1, Place: d.placed(placeOf(t.Location), expr), Expr: expr, Path: path,
		Text: textOfPath(path), Written: written,
	})
}

// placed is at, or where the compiler made a term up, as for "some x in xs", the place of the expression or rule.
func (d *describer) placed(at place, expr int) place {
	switch {
	case at[0] > 0:
		return at
	case expr >= 0 && d.doc.Exprs[expr].Place[0] > 0:
		return d.doc.Exprs[expr].Place
	}
	return d.doc.Branches[len(d.doc.Branches)-1].Place
}
