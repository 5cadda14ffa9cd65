package rego

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
)

// terms makes terms of data. They are shared, and must not be written.
type terms struct{}

func (terms) Null() *ast.Term         { return ast.InternedNullTerm }
func (terms) Bool(b bool) *ast.Term   { return ast.InternedTerm(b) }
func (terms) Text(s string) *ast.Term { return ast.InternedTerm(s) }

func (terms) Number(n json.Number) *ast.Term { return ast.NewTerm(ast.Number(n)) }

func (terms) Array(elements []*ast.Term) *ast.Term {
	return ast.ArrayTerm(append(make([]*ast.Term, 0, len(elements)), elements...)...)
}

func (terms) Object(members [][2]*ast.Term) *ast.Term { return ast.NewTerm(ast.NewObject(members...)) }
