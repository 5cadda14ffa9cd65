package partial

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"

	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Partial evaluation of OPA takes a reference with a variable, such as input.request.headers[name], for known as soon
// as a member beside it is: headers are all unknown to it, and what is known of them is put in here.

// settled is f with what r says about headers and the token.
func (p *Program) settled(f *formula.Formula, r Request) *formula.Formula {
	return f.Map(func(l *formula.Literal) *formula.Formula { return p.settledLiteral(l, r) })
}

func (p *Program) settledLiteral(l *formula.Literal, r Request) *formula.Formula {
	if x := single(l.Body); x != nil {
		if t := formula.Presence(x); t != nil && alwaysThere(t) {
			return formula.All()
		}
		for _, fact := range r.Facts {
			if f := fact.settles(x); f != nil {
				return f
			}
		}
	}
	if slices.ContainsFunc(l.Body, func(x *ast.Expr) bool { return readsAbsentHeader(x, r) }) {
		return formula.Any()
	}
	body, changed := withHeaders(l.Body, r.Headers)
	if !changed {
		return formula.OfBody(l.Body)
	}
	if isGround(body) {
		return p.value(body)
	}
	return formula.OfBody(body)
}

// settles is the value of an expression that depends on the fact alone, or nil.
func (fact Fact) settles(x *ast.Expr) *formula.Formula {
	member := ast.NewTerm(inputRef(fact.Path...))
	value := ast.NewTerm(ast.MustInterfaceToValue(fact.Value))
	holds := formula.All()
	if fact.Not {
		holds = formula.Any()
	}
	switch terms := x.Terms.(type) {
	case *ast.Term:
		if _, isBool := fact.Value.(bool); isBool && terms.Equal(member) {
			if fact.Value == true {
				return holds
			}
			return formula.Negate(holds)
		}
	case []*ast.Term:
		if len(terms) != 3 {
			return nil
		}
		a, b := terms[1], terms[2]
		if b.Equal(member) {
			a, b = b, a
		}
		if !a.Equal(member) || !ast.IsConstant(b.Value) {
			return nil
		}
		switch name := x.Operator().String(); {
		case name != ast.Equality.Name && name != ast.Equal.Name:
		case b.Equal(value):
			return holds
		case !fact.Not:
			return formula.Negate(holds)
		}
	}
	return nil
}

// single is the only expression of a body, or nil.
func single(body ast.Body) *ast.Expr {
	if len(body) != 1 || body[0].Negated || len(body[0].With) > 0 {
		return nil
	}
	return body[0]
}

// alwaysThere reports whether a term is a member that every document about a request has.
func alwaysThere(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	return ok && ref.HasPrefix(ast.InputRootRef) && (requiredInput(ref) || ref.Equal(inputRef("request")) ||
		ref.HasPrefix(inputRef("request")) && requiredIn("request", ref[2:]))
}

var headersRef = inputRef("request", "headers")

// readsAbsentHeader reports whether an expression is undefined since it reads a header that never comes.
func readsAbsentHeader(x *ast.Expr, r Request) bool {
	if x.Negated || len(x.With) > 0 {
		return false
	}
	absent := false
	visitRefs(x, func(ref ast.Ref) {
		if name, ok := headerOf(ref); ok {
			absent = absent || r.Headers[name] == nil && !slices.Contains(r.HeaderNames, name)
		}
	})
	return absent
}

// visitRefs visits the references of an expression outside of closures.
func visitRefs(x *ast.Expr, visit func(ast.Ref)) {
	if x.IsEvery() {
		return
	}
	v := ast.NewGenericVisitor(func(n any) bool {
		switch n := n.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		case ast.Ref:
			visit(n)
		}
		return false
	})
	v.Walk(x)
}

// headerOf is the name of the header that a reference reads.
func headerOf(ref ast.Ref) (string, bool) {
	if len(ref) <= len(headersRef) || !ref.HasPrefix(headersRef) {
		return "", false
	}
	name, ok := ref[len(headersRef)].Value.(ast.String)
	return string(name), ok
}

// withHeaders puts the values of known headers in place of references to them.
func withHeaders(body ast.Body, headers map[string][]string) (out ast.Body, changed bool) {
	if len(headers) == 0 {
		return body, false
	}
	out = body.Copy()
	for _, x := range out {
		ast.WalkTerms(x, func(t *ast.Term) bool {
			ref, ok := t.Value.(ast.Ref)
			if !ok {
				return false
			}
			name, ok := headerOf(ref)
			if values := headers[name]; ok && values != nil {
				if v, err := ast.MustInterfaceToValue(values).Find(ref[len(headersRef)+1:]); err == nil {
					t.Value = v
					changed = true
				}
			}
			return false
		})
	}
	return out, changed
}

func isGround(body ast.Body) bool {
	ground := true
	for _, x := range body {
		visitRefs(x, func(ref ast.Ref) {
			ground = ground && !ref[0].Equal(ast.InputRootDocument) && !ref[0].Equal(ast.DefaultRootDocument)
		})
		ground = ground && !x.IsEvery()
	}
	return ground
}

// value evaluates a body that depends on nothing. Where that fails, it stays.
func (p *Program) value(body ast.Body) *formula.Formula {
	switch holds, err := p.holds(context.Background(), body, ast.NewObject()); {
	case err != nil:
		return formula.OfBody(body)
	case holds:
		return formula.All()
	}
	return formula.Any()
}

// Holds evaluates a constraint for a whole document, as JSON. An error means that it cannot be evaluated by itself.
func (p *Program) Holds(ctx context.Context, c Constraint, document []byte) (bool, error) {
	in, err := term.ParseJSON(document)
	if err != nil {
		return false, err
	}
	holds, err := p.holds(ctx, c.body, in.Value)
	return holds != c.Not, err
}

// errNondeterministic refuses what is different each time, or asks another server.
var errNondeterministic = errors.New("the expression calls a builtin that is not deterministic")

func (p *Program) holds(ctx context.Context, body ast.Body, in ast.Value) (bool, error) {
	if callsNondeterministic(body) {
		return false, errNondeterministic
	}
	ctx, stop := context.WithTimeout(ctx, cmp.Or(p.cfg.Timeout, defaultTimeout))
	defer stop()
	rs, err := oparego.New(oparego.ParsedQuery(body.Copy()), oparego.Compiler(p.whole), oparego.Store(p.store),
		oparego.ParsedInput(in), oparego.Time(p.cfg.Now)).Eval(ctx)
	for _, r := range rs {
		if !slices.ContainsFunc(r.Expressions, func(v *oparego.ExpressionValue) bool { return v.Value == false }) {
			return true, err
		}
	}
	return false, err
}

func callsNondeterministic(body ast.Body) bool {
	found := false
	check := func(operator *ast.Term) {
		b := ast.BuiltinMap[operator.String()]
		found = found || b != nil && b.Nondeterministic
	}
	ast.WalkExprs(body, func(x *ast.Expr) bool {
		if terms, ok := x.Terms.([]*ast.Term); ok {
			check(terms[0])
		}
		return found
	})
	ast.WalkTerms(body, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			check(call[0])
		}
		return found
	})
	return found
}

// Settled is a literal where some facts hold: a constant where these decide it.
func (p *Program) Settled(l *formula.Literal, facts []Fact) *formula.Formula {
	if x := single(l.Body); x != nil {
		for _, fact := range facts {
			if f := fact.settles(x); f != nil {
				return f
			}
		}
	}
	return &formula.Formula{Op: formula.Lit, Literal: l}
}
