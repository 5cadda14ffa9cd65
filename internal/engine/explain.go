package engine

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/trace"
)

type (
	// Explanation is the explanation of package trace, and so are its parts.
	Explanation = trace.Explanation
	// RuleOutcome is a part of an Explanation.
	RuleOutcome = trace.RuleOutcome
	// Expr is a part of an Explanation.
	Expr = trace.Expr
	// Operand is a part of an Explanation.
	Operand = trace.Operand
	// Reason is a part of an Explanation.
	Reason = trace.Reason
	// Print is a part of an Explanation.
	Print = trace.Print
)

// Explain evaluates q as Eval does. A second, slow evaluation finds the outcome of each rule.
func (p *Policy) Explain(ctx context.Context, q Question) (Result, Explanation, error) {
	e, err := p.asked(q)
	if e == nil {
		return Result{}, Explanation{}, err
	}
	result := Result{}
	if err == nil {
		result, err = p.evalAnew(ctx, e, q, nil)
	}
	return result, p.Trace(ctx, q, result), err
}

// Trace says how q led to result, which Eval returned, or to none. It takes some ten times as long as Eval, until ctx
// ends at the latest.
func (p *Policy) Trace(ctx context.Context, q Question, result Result) (out Explanation) {
	defer func() {
		if r := recover(); r != nil { // it is an aid, and must not take the decision down
			out = Explanation{Document: q.Document, Incomplete: fmt.Sprintf("the explanation failed (%T)", r)}
		}
	}()
	e := p.entries[q.Entrypoint]
	if e == nil {
		return Explanation{}
	}
	in, err := p.view.Value(q.Document)
	if err == nil && result.made != nil { // remembered, without the value that is looked for
		result, err = p.evalAnew(ctx, e, q, nil)
	}
	if err != nil {
		return Explanation{Document: q.Document}
	}
	printed := &prints{}
	out = e.trace(ctx, in, q, result, printed)
	out.Document, out.Prints, out.PrintsErased = q.Document, printed.all, p.printsErased
	return out
}

// trace evaluates without the rule index: every rule is entered, so that each rule that fails has an expression to
// show. Builtins may fail in rules that the result does not depend on, so the result of this evaluation does not
// count.
func (e *preparedRule) trace(ctx context.Context, in ast.Value, q Question, result Result,
	hook print.Hook) Explanation {
	cancel := topdown.NewCancel()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	tracer := trace.NewTracer(result.value, cancel.Cancel)
	how := evalOptions{time: q.Time, seed: q.Seed, tracer: tracer, deadline: explainTime(e.deadline), cancel: cancel,
		print: hook}
	begun := time.Now()
	_, _ = e.eval(ctx, in, how)
	cut := ctx.Err() != nil || time.Since(begun) >= how.deadline
	looked := 0
	values := map[string]ast.Value{}
	lookup := func(ref ast.Ref, input *ast.Term) ast.Value {
		key := ref.String()
		v, known := values[key]
		if !known && looked < maxLookups {
			looked++
			v = e.valueOf(ctx, ref, cmp.Or(input, ast.NewTerm(in)), q)
			values[key] = v
		}
		return v
	}
	out := tracer.Explain(e.compiler, rego.RefOf(e.path), result.answer(), lookup)
	if result.Empty() { // nothing decided, whatever has a value
		out.Decided, out.Held = nil, nil
	}
	if cut && out.Incomplete == "" {
		out.Incomplete = "the evaluation of all rules was not done in time: rules may be absent below"
	}
	return out
}

// maxLookups bounds the values under data that are looked up for one explanation.
const maxLookups = 64

// explainTime is the deadline of an evaluation that is traced, without the rule index.
func explainTime(deadline time.Duration) time.Duration { return max(10*time.Second, deadline) }

// valueOf is the value of a reference under data, or nil.
func (e *preparedRule) valueOf(ctx context.Context, ref ast.Ref, input *ast.Term, q Question) ast.Value {
	compiler := e.compiler.QueryCompiler()
	query, err := compiler.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(resultVar), ast.NewTerm(ref))))
	if err != nil {
		return nil
	}
	one := &preparedRule{runtime: e.runtime, path: rego.PathOf(ref), query: query, queryCompiler: compiler,
		memo: e.memo}
	v, err := one.eval(ctx, input.Value, evalOptions{time: q.Time, seed: q.Seed})
	if err != nil {
		return nil
	}
	return v
}

// answer says whether a result allows.
func (r Result) answer() trace.Verdict {
	if r.Empty() {
		return trace.Unknown
	}
	v, err := r.Verdict()
	switch {
	case err != nil:
		return trace.Unknown
	case v.Allow:
		return trace.Allowed
	}
	return trace.Denied
}
