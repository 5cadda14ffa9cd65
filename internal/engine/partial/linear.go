package partial

import (
	"math/big"

	"github.com/open-policy-agent/opa/v1/ast"
)

// line is a*member + b.
type line struct {
	member *ast.Term // nil for a constant
	a, b   *big.Rat
}

// lineOf reads sums, differences and multiples of at most one member of the input.
func lineOf(t *ast.Term) (line, bool) {
	switch v := t.Value.(type) {
	case ast.Number:
		b, ok := new(big.Rat).SetString(string(v))
		return line{a: new(big.Rat), b: b}, ok
	case ast.Ref:
		_, ok := memberPath(t)
		return line{member: t, a: big.NewRat(1, 1), b: new(big.Rat)}, ok
	case ast.Call:
		if len(v) != 3 {
			return line{}, false
		}
		x, ok := lineOf(v[1])
		y, fine := lineOf(v[2])
		if !ok || !fine || x.member != nil && y.member != nil {
			return line{}, false
		}
		return joined(v[0].String(), x, y)
	}
	return line{}, false
}

func joined(op string, x, y line) (line, bool) {
	out := line{member: x.member, a: new(big.Rat), b: new(big.Rat)}
	if out.member == nil {
		out.member = y.member
	}
	switch op {
	case ast.Plus.Name:
		out.a.Add(x.a, y.a)
		out.b.Add(x.b, y.b)
	case ast.Minus.Name:
		out.a.Sub(x.a, y.a)
		out.b.Sub(x.b, y.b)
	case ast.Multiply.Name:
		if x.member != nil {
			x, y = y, x
		}
		out.a.Mul(x.b, y.a)
		out.b.Mul(x.b, y.b)
	case ast.Divide.Name:
		if y.member != nil || y.b.Sign() == 0 {
			return line{}, false
		}
		out.a.Quo(x.a, y.b)
		out.b.Quo(x.b, y.b)
	default:
		return line{}, false
	}
	return out, true
}

// comparisons are the ops, and what they are when both sides are exchanged.
var comparisons = map[string][2]Op{
	ast.LessThan.Name: {Less, More}, ast.LessThanEq.Name: {AtMost, AtLeast},
	ast.GreaterThan.Name: {More, Less}, ast.GreaterThanEq.Name: {AtLeast, AtMost},
}

// compare reads "now - input.token.auth.time <= 300" as a bound of the member. OPA orders values of all types: a
// member that the schema does not make a number may be something else, and stays as it is.
func (c *Constraint) compare(name string, left, right *ast.Term) bool {
	ops := comparisons[name]
	if call, ok := left.Value.(ast.Call); ok && call[0].String() == ast.Count.Name {
		return false
	}
	x, ok := lineOf(left)
	y, fine := lineOf(right)
	if !ok || !fine || (x.member == nil) == (y.member == nil) {
		return false
	}
	if x.member == nil {
		x, y = y, x
		ops[0], ops[1] = ops[1], ops[0]
	}
	// a*member + b op y.b
	if x.a.Sign() == 0 {
		return false
	}
	op := ops[0]
	if x.a.Sign() < 0 {
		op = ops[1]
	}
	path, _ := memberPath(x.member)
	bound := new(big.Rat).Sub(y.b, x.b)
	*c = Constraint{Op: op, Member: path, Path: pathOf(x.member), Value: bound.Quo(bound, x.a)}
	return true
}
