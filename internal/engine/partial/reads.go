package partial

import (
	"math/big"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Read is a member of the input that a constraint reads.
type Read struct {
	// Path is the member in parts: names and indexes.
	Path []any
	// Elements is set when the elements of the member are read, whichever.
	Elements bool
	// Below is what is read of each element, where Elements is set: names.
	Below []any
	// Constants are the texts and numbers (float64) in the constraint.
	Constants []any
}

// Reads are the members that a constraint told as Rego reads, with the constants that stand beside them.
func (p *Program) Reads(c Constraint) (out []Read) {
	var constants []any
	ast.WalkTerms(c.body, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Ref:
			n := 1
			for n < len(v) && ast.IsConstant(v[n].Value) {
				n++
			}
			if v.HasPrefix(ast.InputRootRef) && n > 2 {
				out = append(out, Read{Path: pathOf(ast.NewTerm(v[:n])), Elements: n == len(v)-1})
			}
			return true
		case ast.String:
			constants = append(constants, string(v))
		case ast.Number:
			if r, ok := new(big.Rat).SetString(string(v)); ok {
				f, _ := r.Float64()
				constants = append(constants, f)
			}
		}
		return false
	})
	for i := range out {
		out[i].Constants = constants
	}
	return out
}
