package trace

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// MaxEvents bounds how many events of an evaluation are followed, and with them time and memory: some 100 bytes and a
// microsecond each.
const MaxEvents = 500_000

// Tracer follows one evaluation, which must not use the rule index: it enters each rule only then.
type Tracer struct {
	stop    func()
	events  int
	frames  map[uint64]*frame
	rules   map[*ast.Rule]*outcome
	reasons []wanted
}

// frame is one evaluation of the body of a rule, or of a body within it: under a "not", in a comprehension or an
// "every".
type frame struct {
	rule    *ast.Rule // nil for a body within one
	negated bool      // the body is under a "not"
	// at is the expression under evaluation, and base the one in the policy that the compiler made it of. Entered are
	// the frames of base so far.
	at, base *ast.Expr
	entered  []*frame
	fired    bool
	// failed is the failure furthest down the body.
	failed *moment
	// held is the last expression when the body had its first solution.
	held *moment
}

// moment is the evaluation of one expression.
type moment struct {
	expr    *ast.Expr
	entered []*frame
	// operands are plugged: variables are replaced by their values.
	operands []operand
	// args are those of the rule, if it is a function.
	args  []*ast.Term
	input *ast.Term
	times int
}

// outcome is what became of a body of a rule.
type outcome struct {
	fired bool
	// furthest is the frame that failed furthest down the body.
	furthest *frame
	// frames are the first evaluations: functions have many.
	frames []*frame
}

// maxFrames bounds the evaluations that are kept for one body.
const maxFrames = 20

// NewTracer returns a tracer for an evaluation of a rule whose result is known, or nil. stop must end the evaluation.
func NewTracer(result ast.Value, stop func()) *Tracer {
	return &Tracer{
		stop: stop, frames: map[uint64]*frame{}, rules: map[*ast.Rule]*outcome{}, reasons: reasonsOf(result),
	}
}

// Enabled implements topdown.QueryTracer.
func (*Tracer) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (*Tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (t *Tracer) TraceEvent(e topdown.Event) {
	if e.Op == topdown.UnifyOp || e.Op == topdown.IndexOp {
		return
	}
	if t.events++; t.events > MaxEvents {
		t.stop()
		return
	}
	if e.Op == topdown.EnterOp {
		t.enter(e)
		return
	}
	f := t.frames[e.QueryID]
	if f == nil {
		return
	}
	switch node := e.Node.(type) {
	case *ast.Rule:
		if e.Op == topdown.ExitOp {
			t.exit(f, node, e)
		}
	case *ast.Expr:
		switch e.Op {
		case topdown.EvalOp:
			f.eval(node)
		case topdown.RedoOp:
			f.base = nil
		case topdown.FailOp:
			t.fail(f, node, e)
		}
	case ast.Body:
		f.fired = f.fired || e.Op == topdown.ExitOp
	}
}

func (t *Tracer) enter(e topdown.Event) {
	f := &frame{}
	if parent := t.frames[e.ParentID]; parent != nil && e.QueryID != e.ParentID {
		parent.entered = append(parent.entered, f)
		_, isRule := e.Node.(*ast.Rule)
		f.negated = !isRule && parent.at != nil && parent.at.Negated
	}
	t.frames[e.QueryID] = f
	if rule, ok := e.Node.(*ast.Rule); ok {
		f.rule = rule
		o := t.rules[rule]
		if o == nil {
			o = &outcome{}
			t.rules[rule] = o
		}
		if len(o.frames) < maxFrames {
			o.frames = append(o.frames, f)
		}
	}
}

// eval notes that an expression is about to be evaluated. Several that the compiler made of one are one.
func (f *frame) eval(x *ast.Expr) {
	f.at = x
	if base := x.BaseCogeneratedExpr(); f.base != base {
		f.base, f.entered = base, nil
	}
}

func (t *Tracer) exit(f *frame, rule *ast.Rule, e topdown.Event) {
	t.rules[rule].fired = true
	if !f.fired {
		f.fired = true
		if x := lastOfBody(rule, f.at); x != nil {
			f.held = momentOf(f, x, e)
			if x != f.at {
				f.held.entered = nil
			}
		}
	}
	if len(t.reasons) > 0 {
		t.findReasons(rule, e)
	}
}

// lastOfBody is the last expression of the policy in the body of a rule: the compiler adds what is computed in the
// head after it. It is at when there is no other.
func lastOfBody(rule *ast.Rule, at *ast.Expr) *ast.Expr {
	head := rule.Head.Location
	if at == nil || head == nil {
		return at
	}
	for _, x := range slices.Backward(rule.Body) {
		if l := x.Location; l != nil && x.BaseCogeneratedExpr() == x &&
			(l.File != head.File || l.Offset < head.Offset || l.Offset >= head.Offset+len(head.Text)) {
			return x
		}
	}
	return at
}

// fail notes the failure of an expression. A body that iterates fails many times: the expression furthest down says
// most.
func (t *Tracer) fail(f *frame, x *ast.Expr, e topdown.Event) {
	switch {
	case f.failed != nil && f.failed.expr == x:
		f.failed.times++
		return
	case f.failed != nil && f.failed.expr.Index >= x.Index:
		return
	}
	f.failed = momentOf(f, x, e)
	if o := t.rules[f.rule]; f.rule != nil && (o.furthest == nil || o.furthest.failed.expr.Index < x.Index) {
		o.furthest = f
	}
}
