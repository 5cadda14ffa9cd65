package migrate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// tokens turns what policies do with the text of a token into what the token says. The text itself never comes.
type tokens struct {
	*session
	// rules are the rules whose value is made of the text of a credential.
	rules map[string]bool
	// ignores are the arguments that a function does not read any more, and claims the functions that only return the
	// claims of a token.
	ignores map[string]map[int]bool
	claims  map[string]bool
	// reads are the arguments that functions read at first.
	reads map[string]map[int]bool
	// inScope are the variables of a scope that hold the text of a credential.
	inScope map[*scope]map[ast.Var]bool
}

// credentials are members that hold the text of a token, whatever is above them.
var credentials = regexp.MustCompile(`(?i)(^|\.)(authorization|(access|bearer|id|auth|raw|encoded)?[_-]?(jwt|token)|token\.?value|` +
	`x-(access|auth|jwt|id)([_-].*)?|x-access-token|x-forwarded-access-token)$`)

// translateTokens rewrites all modules. Functions that lose their argument are known after the first round, so that
// their callers change in the second.
func (s *session) translateTokens() {
	t := &tokens{session: s, ignores: map[string]map[int]bool{}, claims: map[string]bool{},
		reads: map[string]map[int]bool{}, inScope: map[*scope]map[ast.Var]bool{}}
	for range 3 {
		t.rules = t.credentialRules()
		for _, m := range s.modules {
			if !m.test { // tests hand tokens over, and do not read them
				t.module(m)
			}
		}
		s.index()
	}
}

func (t *tokens) module(m *module) {
	r := &rewriter{world: t.world}
	r.term = func(x *ast.Term, sc *scope) (*ast.Term, bool) { return t.term(m, x, sc) }
	r.expr = func(x *ast.Expr, sc *scope) { t.expr(m, x, sc) }
	r.body = func(b ast.Body, sc *scope, read func(ast.Var) bool) ast.Body { return t.body(m, b, sc, read) }
	r.rule = func(m *module, rule *ast.Rule) { t.headArguments(m, rule) }
	r.module(m)
	for _, rule := range m.ast.Rules {
		t.learn(m, rule)
	}
}

// isCredential reports whether a term is the text of a credential, or is made of one.
func (t *tokens) isCredential(x any, sc *scope, locals map[ast.Var]bool) bool {
	found := false
	ast.WalkTerms(x, func(term *ast.Term) bool {
		if found || isDecoded(term) {
			return true
		}
		if ref := asRef(term); ref != nil {
			found = t.isCredentialRef(ref, sc, locals)
		}
		if call, ok := term.Value.(ast.Call); ok && call[0].String() == "object.get" && len(call) > 2 {
			if base, key := asRef(call[1]), pathTerms(call[2]); base != nil && key != nil {
				found = t.isCredentialRef(join(base, key), sc, locals)
			}
		}
		return found
	})
	return found
}

func (t *tokens) isCredentialRef(ref ast.Ref, sc *scope, locals map[ast.Var]bool) bool {
	if v, ok := ref[0].Value.(ast.Var); ok && locals[v] {
		return true
	}
	to := t.resolve(ref, sc)
	switch {
	case to[0].Equal(ast.DefaultRootDocument):
		return len(to) > 1 && t.rules[t.ruleOf(to)]
	case !isInput(to) || len(to) < 2:
		return false
	}
	path := constants(to)
	if len(path) == 0 {
		return false
	}
	whole := strings.Join(path, ".")
	if whole == "token" && t.product.name == "kong-contrib" || t.opts.Map[whole] != "" {
		return false
	}
	return credentials.MatchString(whole) || len(path) > 1 &&
		strings.Contains(strings.ToLower(path[len(path)-2]), "headers") &&
		strings.EqualFold(path[len(path)-1], "authorization")
}

// ruleOf is the name of the rule that a reference below data leads to, or "".
func (w *world) ruleOf(ref ast.Ref) string {
	for n := len(ref); n > 1; n-- {
		if isGround(ref[:n]) && w.rules[dotted(ref[:n])] != nil {
			return dotted(ref[:n])
		}
	}
	return ""
}

// isDecoded reports whether a term is a call that reads a token: its result is no text of one.
func isDecoded(t *ast.Term) bool {
	call, ok := t.Value.(ast.Call)
	return ok && strings.HasPrefix(call[0].String(), "io.jwt.")
}

// credentialRules are the rules whose value is the text of a credential.
func (t *tokens) credentialRules() map[string]bool {
	t.rules = map[string]bool{}
	for range 4 {
		for _, m := range t.modules {
			for _, r := range m.ast.Rules {
				sc := t.inRule(m, r)
				if r.Head.Value != nil && t.isCredential(r.Head.Value, sc, t.localCredentials(r.Body, sc)) {
					t.rules[fullName(m, r)] = true
				}
			}
		}
	}
	return t.rules
}

// localCredentials are the variables of a body that are bound to the text of a credential.
func (t *tokens) localCredentials(b ast.Body, sc *scope) map[ast.Var]bool {
	out := map[ast.Var]bool{}
	for range 3 {
		for _, x := range b {
			for _, v := range boundBy(x) {
				if _, value, ok := binding(x); ok && t.isCredential(value, sc, out) && !isClaims(value) {
					out[v] = true
				}
			}
		}
	}
	return out
}

// binding takes apart an expression that does nothing but give variables a value.
func binding(x *ast.Expr) (pattern, value *ast.Term, ok bool) {
	if x.Negated || len(x.With) > 0 {
		return nil, nil, false
	}
	if d, isSome := x.Terms.(*ast.SomeDecl); isSome && len(d.Symbols) == 1 {
		if call, isCall := d.Symbols[0].Value.(ast.Call); isCall {
			return call[len(call)-2], call[len(call)-1], true
		}
		return nil, nil, false
	}
	if !x.IsAssignment() && !isUnification(x) || len(x.Operands()) != 2 {
		return nil, nil, false
	}
	left, right := x.Operand(0), x.Operand(1)
	if isUnification(x) && !isPattern(left) && isPattern(right) {
		left, right = right, left
	}
	return left, right, isPattern(left)
}

// isPattern reports whether a term is a variable, or an array of variables and constants.
func isPattern(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case ast.Var:
		return true
	case *ast.Array:
		return v.Len() > 0 && !v.Until(func(e *ast.Term) bool { return !isPattern(e) && !isScheme(e) })
	}
	return false
}

// isScheme reports whether a term is the name of the scheme of a token.
func isScheme(t *ast.Term) bool {
	text, ok := t.Value.(ast.String)
	return ok && strings.EqualFold(strings.TrimSpace(string(text)), "bearer")
}

func boundBy(x *ast.Expr) []ast.Var {
	if pattern, _, ok := binding(x); ok {
		return varsOf(pattern)
	}
	return nil
}

// isClaims reports whether a term is what the token says, in its new form.
func isClaims(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	return ok && ref[0].Equal(ast.VarTerm(own))
}

// payloadHeaders are headers in which proxies hand on the payload of a token that they have checked.
var payloadHeaders = []string{"payload", "x-jwt-payload", "jwt-payload", "x-userinfo", "x-jwt-claims",
	"x-token-payload",
	"x-endpoint-api-userinfo", "x-apigateway-api-userinfo", "x-jwt-assertion-payload"}

func (t *tokens) isPayloadHeader(x any, sc *scope) bool {
	found := false
	ast.WalkTerms(x, func(term *ast.Term) bool {
		if ref := asRef(term); ref != nil {
			if to := t.resolve(ref, sc); isInput(to) && len(to) > 2 {
				path := constants(to)
				found = found || len(path) > 1 && strings.HasSuffix(strings.ToLower(path[len(path)-2]), "headers") &&
					slices.Contains(payloadHeaders, strings.ToLower(path[len(path)-1]))
			}
		}
		return found
	})
	return found
}

// told says once for each place what a token was read from.
func (t *tokens) told(m *module, loc *ast.Location, source *ast.Term, sc *scope) {
	at := placeOf(m, loc)
	text := source.String()
	if t.isCredential(source, sc, t.locals(sc)) {
		t.report.note(m.file, at.row, "what the token says is input.token.claims: the answer of the authorization "+
			"server", "")
		return
	}
	t.report.look(m.file, at.row, fmt.Sprintf("%s was decoded as a token: it is taken for the access token of the "+
		"request", text),
		"if it is another token, hand what it says to the policy in the context")
}
