package partial

import (
	"math/big"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Op says what a constraint asks of a member of the input. A member that is absent meets no constraint, and every
// constraint with Not.
type Op string

// The ops. Value is JSON; where Other is set, the member Other of the input stands for it.
const (
	Contains   Op = "contains"   // the member, an array, has the value
	Is         Op = "is"         // the member is the value
	Differs    Op = "differs"    // the member is there, and is not the value
	OneOf      Op = "one_of"     // the member is one of the values
	True       Op = "true"       // the member is there, and is not false
	Present    Op = "present"    // the member is there
	Less       Op = "lt"         // the member is below the value
	AtMost     Op = "lte"        // the member is the value or below it
	More       Op = "gt"         // the member is above the value
	AtLeast    Op = "gte"        // the member is the value or above it
	StartsWith Op = "startswith" // the member, a text, begins with the value
	EndsWith   Op = "endswith"   // the member, a text, ends with the value
	Includes   Op = "includes"   // the member, a text, has the value in it
	OnlyValue  Op = "only_value" // the member, an array, has one element, which is the value
	HasOther   Op = "has_other"  // the member, an array, has an element that is none of the values
	Length     Op = "length"     // the member has as many elements as the value says
	Any        Op = "any"        // one of the alternatives in Any holds
	Rego       Op = "rego"       // the expression in Rego holds
	Opaque     Op = "opaque"     // the expression in Rego holds, which depends on the rules in Rules
)

// Constraint is one thing that a condition asks for.
type Constraint struct {
	Op  Op
	Not bool
	// Member is a path as Rego writes it: input.token.scopes, input.request.headers["x-tenant"].
	Member string
	// Path is Member in parts: names, and indexes of arrays. OtherPath is that of Other.
	Path, OtherPath []any
	// Value is nil, a text, a boolean, a *big.Rat, or a slice of these.
	Value any
	Other string
	// Any is of the op Any.
	Any [][]Constraint
	// Rego is the expression, as OPA writes it.
	Rego string
	// Rules are those that an opaque expression depends on.
	Rules []Rule
	// File and Row are where it is written; Row is 0 when that is not known.
	File string
	Row  int

	body ast.Body // of a literal
}

// Rule is a rule and its place.
type Rule struct {
	Path string // data.authz.limit
	File string
	Row  int
}

// Constraints lists the alternatives of f: each is met when all of its constraints are.
func (p *Program) Constraints(f *formula.Formula) [][]Constraint {
	var out [][]Constraint
	for _, way := range formula.Alternatives(f) {
		out = append(out, p.constraints(way))
	}
	return out
}

func (p *Program) constraints(way []formula.Term) []Constraint {
	list := make([]Constraint, 0, len(way))
	for _, t := range way {
		list = append(list, p.constraint(t))
	}
	return list
}

func (p *Program) constraint(t formula.Term) Constraint {
	if t.Literal == nil {
		c := Constraint{Op: Any}
		for _, f := range t.Choice {
			c.Any = append(c.Any, p.Constraints(f)...)
		}
		return c
	}
	c := Constraint{}
	x := single(t.Literal.Body)
	if p.refersToRules(t.Literal) || (x == nil || !c.read(x)) && !c.readOther(t.Literal.Body) {
		c = Constraint{Op: Rego}
		if p.refersToRules(t.Literal) {
			c.Op, c.Rules = Opaque, p.rulesOf(t.Literal)
		}
	}
	c.Not = t.Negated
	c.Rego, c.body = render(t.Literal.Body), t.Literal.Body
	if at := t.Literal.Location(); at != nil {
		c.File, c.Row = at.File, at.Row
	}
	return c
}

// refersToRules reports whether a literal depends on rules, and not on data alone.
func (p *Program) refersToRules(l *formula.Literal) bool {
	found := false
	ast.WalkRefs(l.Body, func(ref ast.Ref) bool {
		if ref.HasPrefix(ast.DefaultRootRef) {
			ref = ref.GroundPrefix()
			found = found || len(ref) < 2 || ref[1].Equal(ast.StringTerm("partial")) ||
				len(p.whole.GetRulesForVirtualDocument(ref)) > 0 || len(p.whole.GetRulesWithPrefix(ref)) > 0
		}
		return found
	})
	return found
}

// rulesOf are the rules that a literal refers to. The names of support rules are those of the policy below
// data.partial, where they have one.
func (p *Program) rulesOf(l *formula.Literal) (out []Rule) {
	ast.WalkRefs(l.Body, func(ref ast.Ref) bool {
		if !ref.HasPrefix(ast.DefaultRootRef) {
			return false
		}
		path := ref.GroundPrefix()
		if len(path) > 2 && path[1].Equal(ast.StringTerm("partial")) {
			path = append(ast.DefaultRootRef.Copy(), path[2:]...)
		}
		for n := len(path); n > 1; n-- {
			if rules := p.whole.GetRulesExact(path[:n]); len(rules) > 0 {
				out = append(out, Rule{path[:n].String(), rules[0].Location.File, rules[0].Location.Row})
				return false
			}
		}
		if !strings.Contains(path.String(), "__") { // a name that OPA made up
			out = append(out, Rule{Path: path.String()})
		}
		return false
	})
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.Path, b.Path) })
	return slices.Compact(out)
}

// read reads an expression, and reports whether it is one of those that have an op.
func (c *Constraint) read(x *ast.Expr) bool {
	if t := formula.Presence(x); t != nil {
		return c.set(Present, t, nil)
	}
	switch terms := x.Terms.(type) {
	case *ast.Term:
		if call, ok := terms.Value.(ast.Call); ok {
			return c.readCall(call[0].String(), call[1:])
		}
		return c.set(True, terms, nil)
	case []*ast.Term:
		return c.readCall(terms[0].String(), terms[1:])
	}
	return false
}

// textOps are by the name of the builtin; the member comes first.
var textOps = map[string]Op{ast.StartsWith.Name: StartsWith, ast.EndsWith.Name: EndsWith, ast.Contains.Name: Includes}

func (c *Constraint) readCall(name string, args []*ast.Term) bool {
	if len(args) != 2 {
		return false
	}
	a, b := args[0], args[1]
	switch name {
	case ast.Equality.Name, ast.Equal.Name:
		return c.readEquality(a, b) || c.readEquality(b, a)
	case ast.NotEqual.Name:
		return c.set(Differs, a, b) || c.set(Differs, b, a)
	case ast.Member.Name:
		return c.readMember(a, b)
	case ast.LessThan.Name, ast.LessThanEq.Name, ast.GreaterThan.Name, ast.GreaterThanEq.Name:
		return c.compare(name, a, b)
	}
	if op := textOps[name]; op != "" {
		return c.set(op, a, b)
	}
	return false
}

// readEquality reads a = b; its caller tries both ways round.
func (c *Constraint) readEquality(a, b *ast.Term) bool {
	if _, ok := b.Value.(ast.Var); ok {
		return c.set(Present, a, nil)
	}
	if list, ok := b.Value.(*ast.Array); ok && list.Len() == 1 {
		if ours, ok := a.Value.(*ast.Array); ok { // ["acme"] = [input.token.tenant]
			return ours.Len() == 1 && (c.set(Is, list.Elem(0), ours.Elem(0)) || c.set(Is, ours.Elem(0), list.Elem(0)))
		}
		return c.set(OnlyValue, a, list.Elem(0))
	}
	switch v := a.Value.(type) {
	case ast.Call:
		return v[0].String() == ast.Count.Name && c.set(Length, v[1], b)
	case ast.Ref:
		if last := len(v) - 1; last > 1 && !ast.IsConstant(v[last].Value) && v[:last].IsGround() {
			return isArray(v[:last]) && c.set(Contains, ast.NewTerm(v[:last]), b)
		}
	}
	return c.set(Is, a, b)
}

func (c *Constraint) readMember(a, b *ast.Term) bool {
	if c.set(Contains, b, a) {
		return true
	}
	return c.set(OneOf, a, b)
}

// readOther reads "x := input.token.groups[_]; not x in [...]".
func (c *Constraint) readOther(body ast.Body) bool {
	if len(body) != 2 {
		return false
	}
	for i, x := range body {
		terms, isCall := body[1-i].Terms.([]*ast.Term)
		if !x.Negated || !isCall || !body[1-i].IsEquality() {
			continue
		}
		args, isMember := x.Terms.([]*ast.Term)
		if !isMember || args[0].String() != ast.Member.Name || len(args) != 3 {
			continue
		}
		for j := range 2 {
			ref, isRef := terms[2-j].Value.(ast.Ref)
			last := len(ref) - 1
			if isRef && terms[1+j].Equal(args[1]) && last > 1 && !ast.IsConstant(ref[last].Value) &&
				ref[:last].IsGround() && isArray(ref[:last]) {
				return c.set(HasOther, ast.NewTerm(ref[:last]), args[2]) && c.Value != nil
			}
		}
	}
	return false
}

// set makes c the constraint op of member and value, if these are a member of the input, and a constant or another
// member.
func (c *Constraint) set(op Op, member, value *ast.Term) bool {
	path, ok := memberPath(member)
	if !ok {
		return false
	}
	*c = Constraint{Op: op, Member: path, Path: pathOf(member)}
	if value == nil {
		return true
	}
	if other, ok := memberPath(value); ok {
		c.Other, c.OtherPath = other, pathOf(value)
		return true
	}
	c.Value, ok = constantOf(value)
	return ok
}

// memberPath is the path of a member of the input; ok is false for a term that is none.
func memberPath(t *ast.Term) (string, bool) {
	ref, ok := t.Value.(ast.Ref)
	if !ok || len(ref) < 2 || !ref.HasPrefix(ast.InputRootRef) || !ref.IsGround() {
		return "", false
	}
	return rego.AsWritten(ref), true
}

// pathOf is a reference to a member of the input in parts, without "input".
func pathOf(t *ast.Term) (out []any) {
	for _, part := range t.Value.(ast.Ref)[1:] {
		switch v := part.Value.(type) {
		case ast.String:
			out = append(out, string(v))
		case ast.Number:
			i, _ := v.Int()
			out = append(out, i)
		}
	}
	return out
}

// isArray reports whether every document has an array, if anything, at a member: an object has elements too.
func isArray(ref ast.Ref) bool {
	if _, isHeader := headerOf(ref); isHeader && len(ref) == len(headersRef)+1 {
		return true
	}
	schema := inputSchema()
	for _, t := range ref[1:] {
		name, _ := t.Value.(ast.String)
		if schema, _ = rego.Property(schema, string(name)); schema == nil {
			return false
		}
	}
	return schema["type"] == "array"
}

// constantOf is a constant as a Go value.
func constantOf(t *ast.Term) (any, bool) {
	switch v := t.Value.(type) {
	case ast.String:
		return string(v), true
	case ast.Boolean:
		return bool(v), true
	case ast.Number:
		r, ok := new(big.Rat).SetString(string(v))
		return r, ok
	case ast.Set:
		return constantsOf(v.Slice())
	case *ast.Array:
		var terms []*ast.Term
		v.Foreach(func(t *ast.Term) { terms = append(terms, t) })
		return constantsOf(terms)
	}
	return nil, false
}

func constantsOf(terms []*ast.Term) (any, bool) {
	out := make([]any, 0, len(terms))
	for _, t := range terms {
		v, ok := constantOf(t)
		if !ok {
			return nil, false
		}
		out = append(out, v)
	}
	return out, true
}
