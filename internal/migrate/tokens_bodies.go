package migrate

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// expr replaces calls that are expressions by themselves: io.jwt.verify_rs256(x, key), io.jwt.decode(x, [h, p, s]).
func (t *tokens) expr(m *module, x *ast.Expr, sc *scope) {
	terms, ok := x.Terms.([]*ast.Term)
	if !ok {
		return
	}
	name := terms[0].String()
	arity := map[string]int{"io.jwt.decode": 1, "io.jwt.decode_verify": 2}[name]
	if strings.HasPrefix(name, "io.jwt.verify_") {
		arity = 2
	}
	if arity == 0 {
		if out := t.callOf(terms, sc, x.Location); out != nil {
			if call, ok := out.Value.(ast.Call); ok {
				x.Terms = []*ast.Term(call)
			} else {
				x.Terms = out
			}
		}
		return
	}
	out := t.decoded(m, terms[:min(arity+1, len(terms))], x.Location, sc)
	if out == nil {
		return
	}
	if len(terms) == arity+2 { // the last operand takes the result
		x.Terms = ast.Equality.Expr(terms[arity+1], out).Terms
		return
	}
	x.Terms = out
}

// body translates the expressions of a body that read a token or its text.
func (t *tokens) body(m *module, b ast.Body, sc *scope, read func(ast.Var) bool) ast.Body {
	locals := t.localCredentials(b, sc)
	t.inScope[sc] = locals
	fed := map[ast.Var]bool{}
	for v := range locals {
		fed[v] = true
	}
	decodes := false
	var out ast.Body
	for _, x := range b {
		decoding := t.feeds(x, sc, fed)
		decodes = decodes || decoding
		if decoding {
			others := slices.DeleteFunc(slices.Clone(b), func(y *ast.Expr) bool { return y == x })
			looked := func(v ast.Var) bool { return looksInto(others, v) }
			out = append(out, t.split(m, x, sc, looked)...)
			continue
		}
		out = append(out, x)
	}
	before := len(out)
	out = t.withoutTests(m, out, sc, locals)
	out = t.withoutBindings(out, sc, fed, read)
	if (before > len(out) || decodes) && !saysPresent(out) && len(locals) > 0 || len(out) == 0 && len(b) > 0 {
		x := ast.NewExpr(presentTerm(b[0].Location))
		x.Location = b[0].Location
		out = append(ast.Body{x}, out...)
	}
	return out
}

// feeds reports whether an expression hands something to a call that reads tokens, and notes what.
func (t *tokens) feeds(x *ast.Expr, sc *scope, fed map[ast.Var]bool) bool {
	found := false
	note := func(call []*ast.Term) {
		name := call[0].String()
		if !strings.HasPrefix(name, "io.jwt.decode") && !strings.HasPrefix(name, "io.jwt.verify") &&
			name != "json.unmarshal" &&
			!t.claims[t.functionOf(call, sc)] && len(t.ignores[t.functionOf(call, sc)]) == 0 {
			return
		}
		if len(call) < 2 || name == "json.unmarshal" && !t.isCredential(call[1], sc, fed) &&
			!t.isPayloadHeader(call[1], sc) {
			return
		}
		found = true
		for _, arg := range call[1:min(3, len(call))] {
			for _, v := range varsOf(arg) {
				if _, local := sc.local(v); local {
					fed[v] = true
				}
			}
		}
	}
	if terms, ok := x.Terms.([]*ast.Term); ok {
		note(terms)
	}
	ast.WalkTerms(x, func(term *ast.Term) bool {
		if call, ok := term.Value.(ast.Call); ok {
			note(call)
		}
		return false
	})
	return found
}

// split turns [valid, _, payload] := io.jwt.decode_verify(...) into one expression for each part.
func (t *tokens) split(m *module, x *ast.Expr, sc *scope, looked func(ast.Var) bool) ast.Body {
	t.expr(m, x, sc)
	pattern, value, ok := binding(x)
	if !ok && isUnification(x) {
		pattern, value, ok = x.Operand(0), x.Operand(1), true
	}
	if !ok && x.IsAssignment() {
		pattern, value, ok = x.Operand(0), x.Operand(1), true
	}
	if !ok {
		return ast.Body{x}
	}
	if call, isCall := value.Value.(ast.Call); isCall {
		if result := t.decoded(m, call, x.Location, sc); result != nil {
			value = result
		} else if result := t.callOf(call, sc, x.Location); result != nil && isClaims(result) {
			x.Terms.([]*ast.Term)[2] = result
			return ast.Body{x}
		}
	}
	names, isArray := pattern.Value.(*ast.Array)
	values, isParts := value.Value.(*ast.Array)
	if !isArray || !isParts || names.Len() != values.Len() {
		return ast.Body{x}
	}
	var out ast.Body
	for i := range names.Len() {
		if one := t.bind(m, names.Elem(i), values.Elem(i), x, looked); one != nil {
			one.Location, one.With = x.Location, x.With
			out = append(out, one)
		}
	}
	return out
}

// bind gives one part of a decoded token its name.
func (t *tokens) bind(m *module, name, value *ast.Term, x *ast.Expr, looked func(ast.Var) bool) *ast.Expr {
	if v, ok := name.Value.(ast.Var); ok {
		if v.IsWildcard() {
			return nil
		}
		if !isClaims(value) && looked(v) { // the header and the signature are not there
			at := placeOf(m, x.Location)
			t.report.left(at.file, at.row, string(v)+": the header and the signature of a token are not there",
				"drop what depends on it; until then it is input.context."+string(v)+
					", which is undefined unless the caller sends it")
			value = ast.NewTerm(ownRef("input.context." + string(v)))
		}
		if x.IsAssignment() {
			return ast.Assign.Expr(name, value)
		}
		return ast.Equality.Expr(name, value)
	}
	if name.Equal(ast.BooleanTerm(true)) && isClaims(value) {
		return ast.NewExpr(value)
	}
	return ast.Equality.Expr(name, value)
}

// looksInto reports whether a body reads a member of a variable, or compares it.
func looksInto(b ast.Body, v ast.Var) bool {
	found := false
	ast.WalkRefs(b, func(ref ast.Ref) bool {
		found = found || len(ref) > 1 && ref[0].Equal(ast.NewTerm(v))
		return found
	})
	for _, x := range b {
		found = found || x.IsCall() && mentions(x, v)
	}
	return found
}

// withoutTests replaces conditions on the text of a credential: there is a token, or there is none.
func (t *tokens) withoutTests(m *module, b ast.Body, sc *scope, locals map[ast.Var]bool) ast.Body {
	var out ast.Body
	for _, x := range b {
		if len(boundBy(x)) > 0 || !t.isCredential(x, sc, locals) || hasClosure(x) {
			out = append(out, x)
			continue
		}
		if !t.isTest(x) {
			out = append(out, x)
			continue
		}
		absent := x.Negated != asksForNothing(x)
		test := ast.NewExpr(presentTerm(x.Location))
		test.Negated, test.Location = absent, x.Location
		if absent || !saysPresent(b) && !saysPresent(out) {
			out = append(out, test)
		}
		t.report.note(m.file, placeOf(m, x.Location).row, "the test of the token's text is input.token.present", "")
	}
	return out
}

func hasClosure(x *ast.Expr) bool {
	found := false
	ast.WalkClosures(x, func(any) bool { found = true; return true })
	return found
}

// isTest reports whether an expression asks no more of a credential than that it is there, or is a bearer token.
func (t *tokens) isTest(x *ast.Expr) bool {
	terms, ok := x.Terms.([]*ast.Term)
	if !ok {
		ref, isRef := x.Terms.(*ast.Term)
		return isRef && asRef(ref) != nil
	}
	name := terms[0].String()
	switch name {
	case "startswith", "contains", "regex.match", "re_match", "endswith":
		for _, arg := range terms[1:] {
			if text, ok := arg.Value.(ast.String); ok {
				return strings.Contains(strings.ToLower(string(text)), "bearer")
			}
		}
		return false
	case "eq", "equal", "neq", "gt", "gte":
		return isPlain(terms[1]) || isPlain(terms[2])
	case "is_string", "is_null":
		return true
	}
	return false
}

// isPlain reports whether a text or number says only that something is there.
func isPlain(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case ast.String:
		return v == "" || strings.EqualFold(strings.TrimSpace(string(v)), "bearer")
	case ast.Null, ast.Number:
		return true
	}
	return false
}

// asksForNothing reports whether an expression holds when there is no token: x == "", x == null.
func asksForNothing(x *ast.Expr) bool {
	terms, ok := x.Terms.([]*ast.Term)
	if !ok || len(terms) < 2 {
		return false
	}
	name := terms[0].String()
	if name == "is_null" {
		return true
	}
	if name != "eq" && name != "equal" || len(terms) < 3 {
		return false
	}
	for _, t := range terms[1:] {
		if t.Equal(ast.NullTerm()) || t.Equal(ast.StringTerm("")) {
			return true
		}
	}
	return false
}

// withoutBindings drops what only fed a call that read a token.
func (t *tokens) withoutBindings(b ast.Body, sc *scope, fed map[ast.Var]bool, read func(ast.Var) bool) ast.Body {
	for again := true; again; {
		again = false
		for i, x := range b {
			pattern, value, ok := binding(x)
			if !ok || isClaims(value) {
				continue
			}
			vars := varsOf(pattern)
			needed := len(vars) == 0
			for _, v := range vars {
				needed = needed || !fed[v] || read(v) || mentionedElsewhere(b, i, v)
			}
			if !needed {
				for _, v := range varsOf(value) {
					if _, local := sc.local(v); local {
						fed[v] = true
					}
				}
				b = append(append(ast.Body{}, b[:i]...), b[i+1:]...)
				again = true
				break
			}
		}
	}
	return b
}

func mentionedElsewhere(b ast.Body, at int, v ast.Var) bool {
	for i, x := range b {
		if i != at && mentions(x, v) {
			return true
		}
	}
	return false
}

// saysPresent reports whether a body holds only where there is a token.
func saysPresent(b ast.Body) bool {
	for _, x := range b {
		if x.Negated {
			continue
		}
		found := false
		ast.WalkTerms(x, func(t *ast.Term) bool {
			ref, ok := t.Value.(ast.Ref)
			found = found || ok && len(ref) > 2 && ref[0].Equal(ast.VarTerm(own)) &&
				ref[1].Equal(ast.StringTerm("token"))
			return found
		})
		if found && !hasClosure(x) {
			return true
		}
	}
	return false
}
