package partial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Request is what is known of a request.
type Request struct {
	// Known is the part of the input that is known, as JSON: {"request": {"method": "GET", ...}}. A member that is
	// neither here nor in Unknown is absent.
	Known []byte
	// Unknown are members of the input as paths: {"token"}, {"request", "query"}.
	Unknown [][]string
	// Headers are the known headers by name. Where {"request", "headers"} is unknown, others may come, if HeaderNames
	// has their names.
	Headers     map[string][]string
	HeaderNames []string
	// Facts are members of the token that are known; they must be absent from Known.
	Facts []Fact
	// Risks asks for Residual.Risks, which costs time.
	Risks bool
}

// Fact is that a member of the input has a value, or, with Not, that it has another one.
type Fact struct {
	Path  []string
	Value any // a text or a boolean
	Not   bool
}

// ErrTimeout is an evaluation that took longer than Config.Timeout.
var ErrTimeout = errors.New("partial evaluation is not done in time")

// defaultTimeout bounds one evaluation.
const defaultTimeout = 20 * time.Second

// Condition is under which condition the entrypoint allows r. Where else chains leave a part of the policy whole, it
// is evaluated again without them.
func (p *Program) Condition(ctx context.Context, r Request) (*formula.Formula, error) {
	w, err := p.Evaluate(ctx, r)
	if err != nil {
		return nil, err
	}
	return w.Formula, nil
}

// Evaluate is Condition with what else the evaluation tells.
func (p *Program) Evaluate(ctx context.Context, r Request) (*Residual, error) {
	known, err := term.ParseJSON(r.Known)
	if err != nil {
		return nil, fmt.Errorf("read what is known of the request: %w", err)
	}
	if ctx.Err() != nil {
		return nil, ErrTimeout
	}
	in, quick := p.knownInput(ctx, known.Value, r)
	sliced, withoutElse := p.sliced, p.flat
	if quick {
		sliced, withoutElse = p.quick, p.quickFlat
	}
	f, err := p.evaluate(ctx, sliced, in, r)
	if err == nil && references(f.Formula) == 0 {
		return f, nil
	}
	flat, failed := withoutElse()
	if failed != nil {
		return f, err // as far as it goes
	}
	g, failed := p.evaluate(ctx, flat, in, r)
	if failed != nil || err == nil && references(g.Formula) >= references(f.Formula) {
		return f, err
	}
	g.isFlat = true
	return g, nil
}

// references counts the literals that depend on rules which are not in them.
func references(f *formula.Formula) (n int) {
	f.Literals(func(l *formula.Literal) {
		if l.RefersToData() {
			n++
		}
	})
	return n
}

// Residual is what partial evaluation leaves.
type Residual struct {
	Formula *formula.Formula
	// Risks say why a document that meets the formula may be denied all the same: calls that can fail, and rules that
	// can have two values. Without any, the formula is exact, but for the answer beside "allow".
	Risks []string

	isFlat   bool // the policies were evaluated without else
	support  []*ast.Module
	literals sync.Map // *Literal by key
	extended func() (*ast.Compiler, error)
}

// compilerOf is that of whole documents, for the literals of r.
func (p *Program) compilerOf(r *Residual) (*ast.Compiler, error) {
	if r.isFlat {
		return p.flatLiterals()
	}
	return p.literals()
}

func (p *Program) evaluate(
	ctx context.Context, c *ast.Compiler, in ast.Value, r Request,
) (out *Residual, err error) {
	defer func() {
		if failure := recover(); failure != nil {
			out, err = nil, fmt.Errorf("partial evaluation failed (%T)", failure)
		}
	}()
	defer p.replacedBy(c).hold()() // before the time of this evaluation begins
	var unknown []*ast.Term
	for _, path := range r.Unknown {
		unknown = append(unknown, ast.NewTerm(inputRef(path...)))
	}
	ctx, stop := context.WithTimeout(ctx, cmp.Or(p.cfg.Timeout, defaultTimeout))
	defer stop()
	path := rego.RefOf(p.cfg.Entrypoint)
	allows := path[:len(path)-1].Append(ast.StringTerm(sliceRule))
	options := []func(*oparego.Rego){
		oparego.ParsedQuery(ast.NewBody(ast.Equality.Expr(ast.NewTerm(allows), ast.BooleanTerm(true)))),
		oparego.Compiler(c), oparego.Store(p.store), oparego.ParsedUnknowns(unknown), oparego.ParsedInput(in),
		oparego.Time(p.cfg.Now),
	}
	var failed []topdown.Error
	watch := newWatch(p)
	if r.Risks {
		options = append(options, oparego.QueryTracer(watch), oparego.BuiltinErrorList(&failed))
	}
	left, err := oparego.New(options...).Partial(ctx)
	switch {
	case topdown.IsCancel(err), errors.Is(err, context.DeadlineExceeded):
		return nil, ErrTimeout
	case err != nil:
		return nil, fmt.Errorf("partial evaluation: %w", err)
	}
	out = &Residual{
		Formula: p.settled(formula.Of(left.Queries, left.Support), r), support: left.Support,
		Risks: watch.found(failed),
	}
	out.extended = sync.OnceValues(func() (*ast.Compiler, error) { return p.withSupport(out) })
	return out, nil
}

func inputRef(path ...string) ast.Ref {
	ref := ast.InputRootRef.Copy()
	for _, name := range path {
		ref = ref.Append(ast.StringTerm(name))
	}
	return ref
}
