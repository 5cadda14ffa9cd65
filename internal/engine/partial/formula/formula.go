// Package formula turns what partial evaluation leaves of a policy, queries and support modules, into a tree of and,
// or and not over literals, puts the support rules in their places, and lists its alternatives.
package formula

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Op says how a formula joins its parts.
type Op uint8

// The joints. True is an And, and false an Or, without parts.
const (
	Lit Op = iota
	And
	Or
	Not
)

// Formula is a condition. It is immutable.
type Formula struct {
	Op      Op
	Parts   []*Formula
	Literal *Literal // of Lit
}

// Literal is a group of expressions that share local variables; most are one expression.
type Literal struct {
	Body ast.Body
	// Key is the text of Body with numbered variables: equal keys mean equal conditions.
	Key string
}

// Location is where the condition is written, or nil.
func (l *Literal) Location() *ast.Location {
	for _, x := range l.Body {
		if at := x.Location; at != nil && at.File != "" {
			return at
		}
	}
	return nil
}

// Literals calls visit for each literal of f.
func (f *Formula) Literals(visit func(*Literal)) {
	if f.Op == Lit {
		visit(f.Literal)
	}
	for _, p := range f.Parts {
		p.Literals(visit)
	}
}

// Map is f with other formulas in place of its literals.
func (f *Formula) Map(replace func(*Literal) *Formula) *Formula {
	switch f.Op {
	case Lit:
		return replace(f.Literal)
	case Not:
		return Negate(f.Parts[0].Map(replace))
	}
	parts := make([]*Formula, 0, len(f.Parts))
	for _, p := range f.Parts {
		parts = append(parts, p.Map(replace))
	}
	return join(f.Op, parts)
}

// IsTrue and IsFalse report whether f is a constant.
func (f *Formula) IsTrue() bool { return f.Op == And && len(f.Parts) == 0 }

// IsFalse is described at IsTrue.
func (f *Formula) IsFalse() bool { return f.Op == Or && len(f.Parts) == 0 }

// Text is the canonical text of f: equal texts mean equal conditions.
func (f *Formula) Text() string {
	switch f.Op {
	case Lit:
		return f.Literal.Key
	case Not:
		return "not(" + f.Parts[0].Text() + ")"
	}
	texts := make([]string, 0, len(f.Parts))
	for _, p := range f.Parts {
		texts = append(texts, p.Text())
	}
	slices.Sort(texts)
	texts = slices.Compact(texts)
	if len(texts) == 1 {
		return texts[0]
	}
	return map[Op]string{And: "and", Or: "or"}[f.Op] + "(" + strings.Join(texts, " ; ") + ")"
}

// Any is the formula that holds where one of parts does.
func Any(parts ...*Formula) *Formula { return join(Or, parts) }

// All is the formula that holds where all of parts do.
func All(parts ...*Formula) *Formula { return join(And, parts) }

// join leaves out the constants, doubles, and joints within joints of the same kind.
func join(op Op, parts []*Formula) *Formula {
	out := &Formula{Op: op}
	seen := map[string]bool{}
	for _, p := range parts {
		if p.Op != op && (p.IsTrue() || p.IsFalse()) {
			return p // false in an And, true in an Or
		}
		flat := []*Formula{p}
		if p.Op == op {
			flat = p.Parts
		}
		for _, q := range flat {
			if text := q.Text(); !seen[text] {
				seen[text] = true
				out.Parts = append(out.Parts, q)
			}
		}
	}
	if len(out.Parts) == 1 {
		return out.Parts[0]
	}
	return out
}

// Negate is the formula that holds where f does not. A negation ends up at the literals.
func Negate(f *Formula) *Formula {
	switch f.Op {
	case Not:
		return f.Parts[0]
	case And, Or:
		parts := make([]*Formula, 0, len(f.Parts))
		for _, p := range f.Parts {
			parts = append(parts, Negate(p))
		}
		return join(And+Or-f.Op, parts)
	}
	return &Formula{Op: Not, Parts: []*Formula{f}}
}
