package migrate

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

func claimsTerm(loc *ast.Location) *ast.Term {
	return &ast.Term{Value: ownRef("input.token.claims"), Location: loc}
}

func activeTerm(loc *ast.Location) *ast.Term {
	return &ast.Term{Value: ownRef("input.token.active"), Location: loc}
}

func presentTerm(loc *ast.Location) *ast.Term {
	return &ast.Term{Value: ownRef("input.token.present"), Location: loc}
}

// decoded is what a call that reads a token becomes, or nil for another call.
func (t *tokens) decoded(m *module, call []*ast.Term, loc *ast.Location, sc *scope) *ast.Term {
	name := call[0].String()
	switch {
	case name == "io.jwt.decode" && len(call) > 1:
		t.told(m, loc, call[1], sc)
		return ast.ArrayTerm(ast.ObjectTerm(), claimsTerm(loc), ast.StringTerm(""))
	case name == "io.jwt.decode_verify" && len(call) > 2:
		t.told(m, loc, call[1], sc)
		t.constraints(m, call[2], loc)
		return ast.ArrayTerm(activeTerm(loc), ast.ObjectTerm(), claimsTerm(loc))
	case strings.HasPrefix(name, "io.jwt.verify_") && len(call) > 1:
		t.told(m, loc, call[1], sc)
		return activeTerm(loc)
	case name == "json.unmarshal" && len(call) == 2 &&
		(t.isCredential(call[1], sc, t.locals(sc)) || t.isPayloadHeader(call[1], sc)):
		if !mentionsCall(call[1], "base64") && !isVarTerm(call[1]) {
			return nil
		}
		if t.isPayloadHeader(call[1], sc) {
			t.report.look(m.file, placeOf(m, loc).row, "a header with the payload of a token is input.token.claims: "+
				"the header of a client can pass for that of the proxy", "check that the answer of introspection "+
				"has these claims")
		} else {
			t.told(m, loc, call[1], sc)
		}
		return claimsTerm(loc)
	}
	return nil
}

func isVarTerm(t *ast.Term) bool {
	_, ok := t.Value.(ast.Var)
	return ok
}

func mentionsCall(x any, prefix string) bool {
	found := false
	ast.WalkTerms(x, func(t *ast.Term) bool {
		call, ok := t.Value.(ast.Call)
		found = found || ok && strings.HasPrefix(call[0].String(), prefix)
		return found
	})
	return found
}

// locals are unknown outside of a body: the names of the scope that are credentials are found when the body is
// visited.
func (t *tokens) locals(sc *scope) map[ast.Var]bool {
	for ; sc != nil; sc = sc.parent {
		if found := t.inScope[sc]; len(found) > 0 {
			return found
		}
	}
	return nil
}

// constraints reports what a verification asked for, which the configuration says here.
func (t *tokens) constraints(m *module, c *ast.Term, loc *ast.Location) {
	at := placeOf(m, loc)
	object, ok := c.Value.(ast.Object)
	if !ok {
		t.report.note(m.file, at.row, "tokens were verified by "+c.String(),
			"issuers[].issuer and .audience say it here")
		return
	}
	object.Foreach(func(k, v *ast.Term) {
		key, _ := k.Value.(ast.String)
		switch key {
		case "iss":
			t.report.verify("issuers[].issuer", v.String())
		case "aud":
			t.report.verify("issuers[].audience", v.String())
		case "secret", "cert":
			t.report.note(m.file, at.row, "the key of tokens was given as "+string(key),
				"the authorization server is asked here, or its published keys are used: issuers[].mode")
		}
	})
}

// term replaces calls that read tokens, inside of expressions.
func (t *tokens) term(m *module, x *ast.Term, sc *scope) (*ast.Term, bool) {
	switch v := x.Value.(type) {
	case ast.Call:
		if out := t.decoded(m, v, x.Location, sc); out != nil {
			return out, true
		}
		if out := t.callOf(v, sc, x.Location); out != nil {
			return out, isClaims(out)
		}
	case ast.Ref: // io.jwt.decode(x)[1]
		call, ok := v[0].Value.(ast.Call)
		if !ok {
			return x, false
		}
		out := t.decoded(m, call, x.Location, sc)
		if out == nil {
			if out = t.callOf(call, sc, x.Location); out == nil {
				return x, false
			}
		}
		return part(out, v[1:], x.Location), false
	}
	return x, false
}

// part is what a reference behind a term leads to: elements of arrays are taken at once.
func part(t *ast.Term, steps ast.Ref, loc *ast.Location) *ast.Term {
	if array, ok := t.Value.(*ast.Array); ok && len(steps) > 0 {
		if i, isNumber := steps[0].Value.(ast.Number); isNumber {
			if n, ok := i.Int(); ok && n >= 0 && n < array.Len() {
				return part(array.Elem(n), steps[1:], loc)
			}
		}
	}
	if ref, ok := t.Value.(ast.Ref); ok {
		return &ast.Term{Value: join(ref, steps), Location: loc}
	}
	if len(steps) == 0 {
		return t
	}
	return &ast.Term{Value: append(ast.Ref{t}, steps...), Location: loc}
}

// callOf is a call of a function of the policy that returns claims, or that lost an argument.
func (t *tokens) callOf(call ast.Call, sc *scope, loc *ast.Location) *ast.Term {
	name := t.functionOf(call, sc)
	if t.claims[name] {
		return claimsTerm(loc)
	}
	changed := append(ast.Call{}, call...)
	some := false
	for i := range t.ignores[name] {
		if i+1 < len(call) && !isClaims(call[i+1]) {
			changed[i+1], some = claimsTerm(loc), true
		}
	}
	if !some {
		return nil
	}
	return &ast.Term{Value: changed, Location: loc}
}

// functionOf is the name of the rule that a call is of.
func (t *tokens) functionOf(call []*ast.Term, sc *scope) string {
	ref := asRef(call[0])
	if ref == nil {
		return ""
	}
	to := t.resolve(ref, sc)
	if !to[0].Equal(ast.DefaultRootDocument) {
		return ""
	}
	return t.ruleOf(to)
}

// headArguments notes the arguments that a function reads, before its body changes.
func (t *tokens) headArguments(m *module, r *ast.Rule) {
	if len(r.Head.Args) == 0 || r.Else != nil {
		return
	}
	name := fullName(m, r)
	for i, arg := range r.Head.Args {
		v, ok := arg.Value.(ast.Var)
		if ok && (mentions(r.Body, v) || r.Head.Value != nil && mentions(r.Head.Value, v)) {
			if t.reads[name] == nil {
				t.reads[name] = map[int]bool{}
			}
			t.reads[name][i] = true
		}
	}
}

// learn finds out what a function that has changed does not read any more.
func (t *tokens) learn(m *module, r *ast.Rule) {
	name := fullName(m, r)
	if len(r.Head.Args) == 0 || len(t.rulesNow(name)) != 1 || r.Else != nil {
		return
	}
	all := true
	for i, arg := range r.Head.Args {
		v, ok := arg.Value.(ast.Var)
		if !ok || mentions(r.Body, v) || r.Head.Value != nil && mentions(r.Head.Value, v) {
			all = false
			continue
		}
		if t.reads[name][i] {
			if t.ignores[name] == nil {
				t.ignores[name] = map[int]bool{}
			}
			t.ignores[name][i] = true
			r.Head.Args[i] = ast.VarTerm("_")
		}
	}
	if all && returnsClaims(r) {
		t.claims[name] = true
	}
}

func (t *tokens) rulesNow(name string) []*ast.Rule { return t.world.rules[name] }

// returnsClaims reports whether a function does nothing but return the claims of the token.
func returnsClaims(r *ast.Rule) bool {
	value := r.Head.Value
	if len(r.Body) == 1 && r.Body[0].IsAssignment() && r.Body[0].Operand(0).Equal(value) {
		value = r.Body[0].Operand(1)
	} else if !isTrivial(r.Body) {
		return false
	}
	return value != nil && value.Equal(claimsTerm(nil))
}
