package partial

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"

	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Literal is a literal of a residual, to be asked of documents. It is safe for concurrent use.
type Literal struct {
	// Constraint says what the literal asks for, asserted.
	Constraint Constraint
	// Key is equal for literals that mean the same.
	Key string
	// Reads are the members of the input that it depends on, and Constants the texts and numbers beside them; those
	// of the rules that an opaque literal depends on are among them.
	Reads     []Read
	Constants []any
	// Proves is set when equal keys mean equal conditions in any program.
	Proves bool
	// Names are the builtins that it calls.
	Names map[string]bool

	query func() (*oparego.PreparedEvalQuery, error)
	now   oparego.EvalOption
}

// Document is a whole document, for literals.
type Document struct{ value ast.Value }

// NewDocument is a document from a value as encoding/json has it.
func NewDocument(v map[string]any) (Document, error) {
	value, err := ast.InterfaceToValue(v)
	return Document{value}, err
}

// Literal is l, a literal of r.
func (p *Program) Literal(r *Residual, l *formula.Literal) *Literal {
	if have, ok := r.literals.Load(l.Key); ok {
		return have.(*Literal)
	}
	out := &Literal{
		Constraint: p.constraint(formula.Term{Literal: l}), Key: l.Key, Names: namesIn(l.Body),
		Proves: !l.RefersToData() && !callsNondeterministic(l.Body), now: oparego.EvalTime(p.cfg.Now),
	}
	out.Reads, out.Constants = p.dependencies(r, l)
	out.query = sync.OnceValues(func() (*oparego.PreparedEvalQuery, error) {
		if callsNondeterministic(l.Body) {
			return nil, errNondeterministic
		}
		compiler, err := p.compilerOf(r)
		if refersToSupport(l.Body) {
			compiler, err = r.extended()
		}
		if err != nil {
			return nil, err
		}
		q, err := oparego.New(oparego.ParsedQuery(l.Body.Copy()), oparego.Compiler(compiler),
			oparego.Store(p.store)).PrepareForEval(context.Background())
		return &q, err
	})
	have, _ := r.literals.LoadOrStore(l.Key, out)
	return have.(*Literal)
}

// Holds reports whether the literal holds for a document. An error means that it cannot be evaluated.
func (l *Literal) Holds(ctx context.Context, d Document) (holds bool, err error) {
	defer func() {
		if failure := recover(); failure != nil {
			holds, err = false, fmt.Errorf("evaluate a condition (%T)", failure)
		}
	}()
	q, err := l.query()
	if err != nil {
		return false, err
	}
	rs, err := q.Eval(ctx, oparego.EvalParsedInput(d.value), l.now)
	for _, r := range rs {
		if !slices.ContainsFunc(r.Expressions, func(v *oparego.ExpressionValue) bool { return v.Value == false }) {
			return true, err
		}
	}
	return false, err
}

// withSupport is the compiler of whole documents with the support modules of a residual.
func (p *Program) withSupport(r *Residual) (*ast.Compiler, error) {
	if _, err := p.compilerOf(r); err != nil {
		return nil, err
	}
	modules := p.modules
	if r.isFlat {
		modules = p.flatModules
	}
	all := copies(modules)
	for i, m := range r.support {
		all[fmt.Sprintf("support-%d", i)] = m.Copy()
	}
	return compiled(all, p.cfg.Rego)
}

func refersToSupport(body ast.Body) bool {
	prefix, found := rego.RefOf("partial"), false
	ast.WalkRefs(body, func(ref ast.Ref) bool {
		found = found || ref.HasPrefix(prefix)
		return found
	})
	return found
}

func namesIn(body ast.Body) map[string]bool {
	out := map[string]bool{}
	ast.WalkExprs(body, func(x *ast.Expr) bool {
		if terms, ok := x.Terms.([]*ast.Term); ok {
			out[terms[0].String()] = true
		}
		return false
	})
	ast.WalkTerms(body, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			out[call[0].String()] = true
		}
		return false
	})
	return out
}

// dependencies are the members that a literal reads, and its constants, with those of the rules that it refers to.
func (p *Program) dependencies(r *Residual, l *formula.Literal) ([]Read, []any) {
	d := newDepends()
	d.body(l.Body)
	ast.WalkRefs(l.Body, func(ref ast.Ref) bool {
		if ref.HasPrefix(ast.DefaultRootRef) {
			path := ref.GroundPrefix()
			if len(path) > 2 && path[1].Equal(ast.StringTerm("partial")) {
				path = append(ast.DefaultRootRef.Copy(), path[2:]...)
			}
			compiler, err := p.compilerOf(r)
			if err != nil {
				return false
			}
			for rule := range rego.Dependencies(compiler, path) {
				d.body(rule.Body)
				d.body(rule.Head)
			}
		}
		return false
	})
	return d.result()
}

// Everything is what the entrypoint reads of the input, and the constants of its rules, in order.
func (p *Program) Everything() ([]Read, []any) {
	d := newDepends()
	for r := range rego.Dependencies(p.whole, rego.RefOf(p.cfg.Entrypoint)) {
		d.body(r.Head)
		d.body(r.Body)
	}
	for _, text := range p.values {
		d.constants["s"+text] = text
	}
	return d.result()
}

// depends collects what is read.
type depends struct {
	reads     map[string]Read
	constants map[string]any
}

func newDepends() *depends { return &depends{reads: map[string]Read{}, constants: map[string]any{}} }

func (d *depends) body(x any) {
	ast.WalkTerms(x, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Ref:
			d.read(v)
			return v.HasPrefix(ast.InputRootRef) && v.IsGround()
		case ast.String:
			d.constants["s"+string(v)] = string(v)
		case ast.Number:
			if f, ok := v.Float64(); ok {
				d.constants["n"+string(v)] = f
			}
		}
		return false
	})
}

func (d *depends) read(ref ast.Ref) {
	if !ref.HasPrefix(ast.InputRootRef) || len(ref) < 2 {
		return
	}
	n := 1
	for n < len(ref) && ast.IsConstant(ref[n].Value) {
		n++
	}
	out := Read{Path: pathOf(ast.NewTerm(ref[:n])), Elements: n < len(ref)}
	for _, t := range ref[min(n+1, len(ref)):] {
		if name, ok := t.Value.(ast.String); ok {
			out.Below = append(out.Below, string(name))
		}
	}
	if len(out.Path) > 0 {
		d.reads[fmt.Sprint(out.Path, out.Elements, out.Below)] = out
	}
}

func (d *depends) result() (reads []Read, constants []any) {
	for _, key := range slices.Sorted(maps.Keys(d.reads)) {
		reads = append(reads, d.reads[key])
	}
	for _, key := range slices.Sorted(maps.Keys(d.constants)) {
		constants = append(constants, d.constants[key])
	}
	return reads, constants
}

// Opaque are the rules that the literals of r refer to, which partial evaluation has left whole.
func (p *Program) Opaque(r *Residual) []string {
	found := map[string]bool{}
	r.Formula.Literals(func(l *formula.Literal) {
		if p.refersToRules(l) {
			for _, rule := range p.rulesOf(l) {
				found[fmt.Sprintf("%s (%s:%d)", rule.Path, rule.File, rule.Row)] = true
			}
		}
	})
	return slices.Sorted(maps.Keys(found))
}

// Terms are the constraints that a list of terms stands for.
func (p *Program) Terms(way []formula.Term) []Constraint { return p.constraints(way) }

// maxExpanded bounds the values of a membership that is spelt out.
const maxExpanded = 16

// Expanded is a literal, or the alternatives that it stands for: a membership in constants is an equality with one.
func Expanded(l *formula.Literal) *formula.Formula {
	x := single(l.Body)
	same := &formula.Formula{Op: formula.Lit, Literal: l}
	if x == nil || !x.IsCall() || x.Operator().String() != ast.Member.Name || len(x.Operands()) != 2 {
		return same
	}
	var values []*ast.Term
	switch list := x.Operand(1).Value.(type) {
	case *ast.Array:
		list.Foreach(func(t *ast.Term) { values = append(values, t) })
	case ast.Set:
		values = list.Slice()
	}
	if len(values) == 0 || len(values) > maxExpanded || !ast.IsConstant(x.Operand(1).Value) {
		return same
	}
	parts := make([]*formula.Formula, 0, len(values))
	for _, v := range values {
		y := ast.Equality.Expr(v.Copy(), x.Operand(0).Copy())
		y.Location = x.Location
		parts = append(parts, formula.OfBody(ast.NewBody(y)))
	}
	return formula.Any(parts...)
}
