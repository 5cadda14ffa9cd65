// Package builtins bounds the calls of OPA's builtins that may run long or allocate much.
//
// OPA keeps its builtins in a map that the process shares, and an evaluation cannot replace one. So compiled policies
// call a bounded builtin by a private name, which no Rego can spell; messages show the public name. The implementation
// behind the private name estimates the size of the operands and refuses a call that is too large. A small call runs
// in place, another one on a goroutine of its own (runaways.go).
package builtins

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// privatePrefix is the beginning of private names.
const privatePrefix = "bounded:"

// A unit is a term or 16 bytes of text. A call of up to maxInlineUnits runs in place. No call may be given, or make,
// more than maxUnits.
const (
	maxInlineUnits = 4096
	maxUnits       = 4 << 20
)

// tooMany is the cause of a refusal by maxUnits.
var tooMany = fmt.Sprintf(
	"is given, or would make, more than %d terms or %d MB of text, the limit", maxUnits, maxUnits>>16,
)

// limitError is the cause of a refused call.
type limitError struct{ name, what string }

func (e *limitError) Error() string { return e.name + " " + e.what }

// Guarded returns the implementations behind the private names. Calls that outlive their evaluation are counted in r.
func Guarded(r *Runaways) map[string]*topdown.Builtin {
	limits := limitsOf()
	out := map[string]*topdown.Builtin{}
	for name, decl := range Declarations() {
		public := strings.TrimPrefix(name, privatePrefix)
		f := topdown.GetBuiltin(public)
		if own := ownImplementation(public); own != nil {
			f = own
		}
		if !isFast(ast.BuiltinMap[public]) {
			f = guard(r, public, limits[public], f)
		}
		out[name] = &topdown.Builtin{Decl: decl, Func: f}
		if isNoted(public) {
			out[name] = noted(out[name])
		}
	}
	return out
}

// Declarations are the declarations of the private names, for a compiler to know them.
func Declarations() map[string]*ast.Builtin {
	out := map[string]*ast.Builtin{}
	for _, b := range ast.Builtins {
		if isFast(b) && !isNoted(b.Name) { // a call that is noted, or that Offline replaces, has a private name too
			continue
		}
		decl := *b
		decl.Name, decl.CanSkipBctx = privatePrefix+b.Name, false
		out[decl.Name] = &decl
	}
	return out
}

// guard bounds the calls of f, the builtin called name.
func guard(r *Runaways, name string, limit limit, f topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		units := weigh(operands, maxUnits, limit.levels())
		if limit.refuse != nil {
			if what := limit.refuse(operands); what != "" {
				return halt(&limitError{name, what}, bctx.Location)
			}
		}
		if limit.makes != nil && units <= maxUnits {
			units = max(units, limit.makes(operands))
		}
		switch {
		case units > maxUnits && limit.counts && bctx.Cancel != nil:
			return waitForDeadline(bctx)
		case units > maxUnits:
			return halt(&limitError{name, tooMany}, bctx.Location)
		case units > maxInlineUnits || limit.slow != nil && limit.slow(operands):
			return r.callDetached(bctx, operands, f, iter)
		}
		return f(bctx, operands, iter)
	}
}

// waitForDeadline stands for a builtin that would count past every deadline: it takes the time and not the memory.
func waitForDeadline(bctx topdown.BuiltinContext) error {
	await(nil, bctx.Cancel)
	return deadlineError(bctx.Location)
}

// weigh counts the units of terms, so many levels deep, until the count is over limit.
func weigh(terms []*ast.Term, limit, levels int) int {
	left := limit
	for _, t := range terms {
		if left = subtractUnits(t, left, levels); left < 0 {
			break
		}
	}
	return limit - left
}

// subtractUnits subtracts the units of t from left, and stops when the rest is negative.
func subtractUnits(t *ast.Term, left, levels int) int {
	left--
	switch v := t.Value.(type) {
	case ast.String:
		return left - len(v)/16
	case ast.Number:
		return left - len(v)/16
	case *ast.Array:
		for i := 0; levels > 0 && left >= 0 && i < v.Len(); i++ {
			left = subtractUnits(v.Elem(i), left, levels-1)
		}
	case ast.Set:
		if left -= v.Len(); left >= 0 && levels > 0 { // iterating a set sorts it
			left = subtractMembers(v, left, levels-1)
		}
	case ast.Object:
		if left -= v.Len(); left >= 0 && levels > 0 {
			left = subtractPairs(v, left, levels-1)
		}
	}
	return left
}

func subtractMembers(s ast.Set, left, levels int) int {
	s.Until(func(t *ast.Term) bool {
		left = subtractUnits(t, left, levels)
		return left < 0
	})
	return left
}

func subtractPairs(o ast.Object, left, levels int) int {
	o.Until(func(k, t *ast.Term) bool {
		if left = subtractUnits(k, left, levels); left >= 0 {
			left = subtractUnits(t, left, levels)
		}
		return left < 0
	})
	return left
}

// GuardCalls makes the rules of a compiled policy call bounded builtins by their private names, also where a "with"
// replaces a builtin or has one as its value.
func GuardCalls(c *ast.Compiler) {
	names := privateNames()
	for _, m := range c.Modules {
		renameCalls(m, names)
	}
}

// privateNames are the private names of builtins by their public ones.
func privateNames() map[string]ast.Ref {
	names := map[string]ast.Ref{}
	for name, decl := range Declarations() {
		names[strings.TrimPrefix(name, privatePrefix)] = decl.Ref()
	}
	return names
}

// renameCalls gives the builtins that a module or a body calls other names.
func renameCalls(node any, names map[string]ast.Ref) {
	ast.WalkExprs(node, func(x *ast.Expr) bool {
		if terms, ok := x.Terms.([]*ast.Term); ok && len(terms) > 0 {
			terms[0] = renamed(terms[0], names)
		}
		for _, w := range x.With {
			w.Target, w.Value = renamed(w.Target, names), renamed(w.Value, names)
		}
		return false
	})
}

func renamed(t *ast.Term, names map[string]ast.Ref) *ast.Term {
	if ref, ok := t.Value.(ast.Ref); ok {
		if to, ok := names[ref.String()]; ok {
			return &ast.Term{Value: to, Location: t.Location}
		}
	}
	return t
}

// PublicNames is a message with the names by which policies know the builtins.
func PublicNames(message string) string { return strings.ReplaceAll(message, privatePrefix, "") }
