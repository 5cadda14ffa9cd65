package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Explanation says how the rules led to a decision.
type Explanation struct {
	// Rules are those that were evaluated, by file and row.
	Rules []RuleOutcome
}

// RuleOutcome is the outcome of one rule.
type RuleOutcome struct {
	// Rule is a path: data.authz.allow.
	Rule string
	File string
	Row  int
	// Fired is set when the rule had a value.
	Fired bool
	// Failed is the first expression, in a rule that did not fire, for which there was no solution.
	Failed *FailedExpr
}

// FailedExpr is an expression that was undefined or false.
type FailedExpr struct {
	Text string
	File string
	Row  int
}

// Explain evaluates q as Eval does. A second, slow evaluation finds the outcome of each rule.
func (p *Policy) Explain(ctx context.Context, q Question) (Result, Explanation, error) {
	e := p.entries[q.Entrypoint]
	if e == nil {
		return Result{}, Explanation{}, authz.Errorf(authz.Misconfigured, "explain %q: no such entrypoint",
			q.Entrypoint)
	}
	result, err := p.Eval(ctx, q)
	tracer := &ruleTracer{rules: map[uint64]*ast.Rule{}, outcomes: map[*ast.Rule]*progress{}}
	// Without the rule index every rule is entered, so that each rule that fails has an expression to show. Builtins
	// may fail in rules that the result does not depend on, so the result of this evaluation does not count.
	if in, err := p.view.Value(q.Document); err == nil {
		_, _ = e.eval(ctx, in, evalOptions{time: q.Time, seed: q.Seed, tracer: tracer, deadline: 100 * e.deadline})
	}
	return result, tracer.explanation(), err
}

// ruleTracer records the outcome of each rule.
type ruleTracer struct {
	rules    map[uint64]*ast.Rule // by query
	outcomes map[*ast.Rule]*progress
}

// progress is how far the evaluation of the body of a rule got.
type progress struct {
	fired  bool
	failed *ast.Expr
	index  int
}

func (*ruleTracer) Enabled() bool               { return true }
func (*ruleTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *ruleTracer) TraceEvent(e topdown.Event) {
	switch node := e.Node.(type) {
	case *ast.Rule:
		if t.outcomes[node] == nil {
			t.outcomes[node] = &progress{index: -1}
		}
		switch e.Op {
		case topdown.EnterOp:
			t.rules[e.QueryID] = node
		case topdown.ExitOp:
			t.outcomes[node].fired = true
		}
	case *ast.Expr:
		rule := t.rules[e.QueryID]
		if e.Op != topdown.FailOp || rule == nil {
			return
		}
		// A body that iterates fails many times. The furthest expression says most.
		if at := t.outcomes[rule]; node.Index > at.index {
			at.failed, at.index = node, node.Index
		}
	}
}

func (t *ruleTracer) explanation() Explanation {
	var out Explanation
	for rule, p := range t.outcomes {
		if rule.Location == nil {
			continue
		}
		name := strings.TrimSuffix(rule.Module.Package.Path.String()+"."+rule.Head.Ref().String(), ".")
		o := RuleOutcome{Rule: name, File: rule.Location.File, Row: rule.Location.Row, Fired: p.fired}
		if !p.fired && p.failed != nil && p.failed.Location != nil {
			at := p.failed.Location
			o.Failed = &FailedExpr{Text: string(at.Text), File: at.File, Row: at.Row}
		}
		out.Rules = append(out.Rules, o)
	}
	slices.SortFunc(out.Rules, func(a, b RuleOutcome) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}
