package engine

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// codeUnsafe is OPA's code of builtins that a query may not call.
const codeUnsafe = "rego_type_error"

// parseQuery parses a query of a caller, which may name nothing but what the packages of callers have, and may call no
// builtin that reaches the network or the machine, whatever the policies may call.
func (c *callers) parseQuery(query string) (ast.Body, error) {
	if len(query) > maxQueryBytes {
		return nil, invalid("query: want at most " + strconv.Itoa(maxQueryBytes) + " bytes")
	}
	body, err := ast.ParseBodyWithOpts(query, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, positioned(opaInvalidParameter, msgParseQuery, err)
	}
	if len(body) == 0 {
		return nil, invalid("missing required 'query' value")
	}
	if errs := c.outside(body); len(errs) > 0 {
		return nil, positioned(opaInvalidParameter, msgCompileQuery, errs)
	}
	return body, nil
}

// outside finds what a query may not name.
func (c *callers) outside(query ast.Body) (errs ast.Errors) {
	at := query.Loc()
	ast.WalkTerms(query, func(t *ast.Term) bool {
		if t.Location != nil {
			at = t.Location
		}
		ref, ok := t.Value.(ast.Ref)
		if v, isVar := t.Value.(ast.Var); isVar && v.Equal(ast.DefaultRootDocument.Value) {
			ref, ok = ast.Ref{t}, true
		}
		switch {
		case !ok:
		case ref.HasPrefix(ast.DefaultRootRef) && !c.has(ref):
			errs = append(errs, ast.NewError(CodeCallers, at,
				"%s: a query may name what the packages of opa.packages have, and nothing else", rego.AsWritten(ref)))
			return true
		case ref.HasPrefix(ast.DefaultRootRef):
			for _, part := range ref[1:] { // references within brackets
				errs = append(errs, c.outside(ast.NewBody(ast.NewExpr(part)))...)
			}
			return true
		case builtins.Unsafe(ref.String()):
			errs = append(errs, ast.NewError(codeUnsafe, at, "unsafe built-in function calls in expression: %v", ref))
		}
		return false
	})
	return errs
}

// Bindings is the answer to a query: a JSON array of objects.
type Bindings json.RawMessage

// AppendJSON appends the answer to dst.
func (b Bindings) AppendJSON(dst []byte) ([]byte, error) { return append(dst, b...), nil }

// Size is the memory of the answer in bytes.
func (b Bindings) Size() int { return len(b) }

// QueryQuestion is a query of Rego with an input of the caller's own, as JSON; nil is none.
type QueryQuestion struct {
	Query string
	Input []byte
	Time  time.Time
	Seed  string
}

// Query evaluates a query over the packages of callers. It is compiled for this one evaluation: what callers write is
// never kept. The answer is nil when nothing meets the query.
func (p *Policy) Query(ctx context.Context, q QueryQuestion) (Bindings, error) {
	c := p.callers
	if c == nil {
		return nil, invalid("no package may be asked with an input of the caller's own: opa.packages lists none")
	}
	body, err := c.parseQuery(q.Query)
	if err != nil {
		return nil, err
	}
	builtins.GuardQuery(body)
	options := append(builtins.Options(c.builtins), oparego.ParsedQuery(body), oparego.Compiler(c.compiler),
		oparego.Store(c.store), oparego.Transaction(c.txn), oparego.StrictBuiltinErrors(true),
		oparego.InterQueryBuiltinValueCache(c.values), oparego.Time(q.Time), oparego.Seed(&seed{id: q.Seed}))
	if q.Input != nil {
		t, err := term.ParseJSON(q.Input)
		if err != nil {
			return nil, authz.Errorf(authz.Malformed, "read the input: %w", err)
		}
		options = append(options, oparego.ParsedInput(t.Value))
	}
	ctx, done := context.WithTimeout(ctx, c.deadline)
	defer done()
	ctx, budget := newQueryBudget(ctx)
	left := maxFilterBytes
	options = append(options, oparego.QueryTracer(budget),
		oparego.GenerateJSON(func(t *ast.Term, _ *oparego.EvalContext) (any, error) {
			if err := term.CheckBounds(t.Value); err != nil {
				return nil, err
			}
			text, err := term.AppendJSON(nil, t.Value)
			if left -= len(text) + 2; left < 0 {
				return nil, errTooMuch
			}
			return json.RawMessage(text), err
		}))
	found, err := oparego.New(options...).Eval(ctx)
	if err != nil {
		if _, ok := errors.AsType[ast.Errors](err); ok {
			return nil, positioned(opaInvalidParameter, msgCompileQuery, err)
		}
		return nil, failedQuery(ctx, "evaluate the query", err)
	}
	rows := make([]oparego.Vars, 0, len(found))
	for _, r := range found {
		rows = append(rows, r.Bindings.WithoutWildcards())
	}
	if len(rows) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(rows)
	if err == nil {
		err = bounded(text)
	}
	return text, err
}

// partially is what partial evaluation leaves of a query: OPA's "queries" and "support".
func (a *askedFilter) partially(ctx context.Context) (Filter, error) {
	ctx, budget := newQueryBudget(ctx)
	options := append(a.regoOptions(), oparego.QueryTracer(budget), oparego.ParsedQuery(a.query),
		oparego.ParsedUnknowns(terms(a.unknowns)),
		oparego.NondeterministicBuiltins(a.Nondeterministic))
	if a.in != nil {
		options = append(options, oparego.ParsedInput(a.in))
	}
	left, err := oparego.New(options...).Partial(ctx)
	if err != nil {
		if _, ok := errors.AsType[ast.Errors](err); ok {
			return Filter{}, positioned(opaInvalidParameter, "error(s) occurred while compiling module(s)", err)
		}
		return Filter{}, failedQuery(ctx, "evaluate the query", err)
	}
	if len(left.Queries) > maxFilterQueries {
		return Filter{}, authz.Errorf(authz.Misconfigured,
			"evaluate the query: %d conditions are left, the limit is %d",
			len(left.Queries), maxFilterQueries)
	}
	for i, q := range left.Queries { // copies: parts of the compiled policies are among them
		left.Queries[i] = q.Copy()
		builtins.PublicQuery(left.Queries[i])
	}
	for i, m := range left.Support {
		left.Support[i] = m.Copy()
		builtins.PublicQuery(left.Support[i])
	}
	text, err := json.Marshal(struct {
		Queries []ast.Body    `json:"queries,omitempty"`
		Support []*ast.Module `json:"support,omitempty"`
	}{left.Queries, left.Support})
	if err != nil {
		return Filter{}, authz.Errorf(authz.Internal, "write what is left of the query: %w", err)
	}
	return Filter{Never: len(left.Queries) == 0, Result: text}, bounded(text)
}
