// Package partial evaluates an entrypoint for a request whose token is not known: what is left is the condition under
// which the request is allowed, as formulas and as constraints on members of the input.
//
// Three steps make the condition readable: the entrypoint is cut down to its branches that allow (slice), else chains
// become rules that exclude each other where they stop partial evaluation (withoutElse), and the support modules of
// OPA are put in their places (package formula). The condition is never used to decide: a verdict is that of package
// engine.
package partial

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Config says what is evaluated.
type Config struct {
	Rego rego.Options
	// Entrypoint is a path without "data": "authz/decision".
	Entrypoint string
	// Now is the time of all evaluations, in whole seconds.
	Now time.Time
	// Timeout bounds one evaluation; 0 stands for 20 s.
	Timeout time.Duration
}

// Program is an entrypoint, ready for partial evaluation. It is safe for concurrent use.
type Program struct {
	cfg   Config
	store storage.Store
	// values are the texts in the data.
	values     []string
	usesRoutes bool
	// clocked are the paths of the rules that read the clock; those of the library compare it with times of the token.
	clocked map[string]bool
	// whole has the policies as they are written.
	whole *ast.Compiler
	// sliced has the slice of the entrypoint too.
	sliced *ast.Compiler
	// flat is sliced without else.
	flat func() (*ast.Compiler, error)
	// fixed are the rules that depend on the method and the path alone; quick and quickFlat are sliced and flat with
	// their values in place of them.
	fixed     []ast.Ref
	quick     *ast.Compiler
	quickFlat func() (*ast.Compiler, error)
	// modules are those of sliced, not compiled; flatModules are those of flat.
	modules, flatModules map[string]*ast.Module
	document             map[string]any
	facts                ruleFacts

	replacedMu sync.Mutex
	replaced   map[*ast.Compiler]*replaced // by the compilers that partial evaluation uses
	// literals and flatLiterals are sliced and flat for the evaluation of literals: see apart.
	literals, flatLiterals func() (*ast.Compiler, error)
}

// New prepares the entrypoint of cfg in set, which must compile: package engine says what is wrong with one that does
// not.
func New(set *bundle.Set, cfg Config) (*Program, error) {
	modules, _, ok := rego.ParseReadable(set, cfg.Rego, rego.WithoutTests)
	if !ok {
		return nil, errors.New("the policies do not load")
	}
	store, err := rego.NewStore(set)
	if err != nil {
		return nil, err
	}
	p := &Program{cfg: cfg, store: store, values: textsIn(set.Document(), nil), document: set.Document(),
		clocked: map[string]bool{}, replaced: map[*ast.Compiler]*replaced{}}
	for _, m := range modules {
		p.noteClock(m)
		atInstant(m, cfg.Now)
	}
	if p.whole, err = compiled(copies(modules), cfg.Rego); err != nil {
		return nil, err
	}
	p.usesRoutes = p.dependsOn(rego.RefOf("sidecar/routes/route"))
	if err := slice(modules, cfg.Entrypoint, check.New(p.whole)); err != nil {
		return nil, err
	}
	for _, m := range modules {
		withPresence(m)
	}
	p.modules = modules
	p.flat = sync.OnceValues(func() (*ast.Compiler, error) {
		p.flatModules = withoutElse(modules)
		return compiled(copies(p.flatModules), cfg.Rego)
	})
	if p.sliced, err = compiled(copies(modules), cfg.Rego); err != nil {
		return nil, err
	}
	p.literals = sync.OnceValues(func() (*ast.Compiler, error) { return p.apart(p.sliced, p.modules) })
	p.flatLiterals = sync.OnceValues(func() (*ast.Compiler, error) {
		c, err := p.flat()
		if err != nil {
			return nil, err
		}
		return p.apart(c, p.flatModules)
	})
	p.fixed = fixedRules(p.sliced)
	quick := withKnown(modules, p.fixed)
	p.quickFlat = sync.OnceValues(func() (*ast.Compiler, error) { return compiled(withoutElse(quick), cfg.Rego) })
	if p.quick, err = compiled(copies(quick), cfg.Rego); err != nil {
		return nil, err
	}
	return p, nil
}

// sortedKeys are the keys of a map, in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// copies are for a compiler, which changes the modules that it is given.
func copies(modules map[string]*ast.Module) map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for name, m := range modules {
		out[name] = m.Copy()
	}
	return out
}

func compiled(modules map[string]*ast.Module, opts rego.Options) (*ast.Compiler, error) {
	compiler := rego.NewUntypedCompiler(opts)
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("prepare the policies for partial evaluation: %w", compiler.Errors)
	}
	return compiler, nil
}

// atInstant puts the time in place of time.now_ns(), which partial evaluation would leave as it is.
func atInstant(m *ast.Module, now time.Time) {
	instant := ast.Number(strconv.FormatInt(now.UnixNano(), 10))
	ast.WalkTerms(m, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok && call[0].String() == ast.NowNanos.Name {
			t.Value = instant
		}
		return false
	})
}

// UsesRoutes reports whether the entrypoint depends on the routes of the library, data.sidecar.routes.
func (p *Program) UsesRoutes() bool { return p.usesRoutes }

func (p *Program) dependsOn(path ast.Ref) bool {
	for r := range rego.Dependencies(p.whole, rego.RefOf(p.cfg.Entrypoint)) {
		if r.Ref().Equal(path) {
			return true
		}
	}
	return false
}

// Route is what the route that a request takes asks for, as JSON: data.sidecar.routes.route. It is nil where there is
// none, and where the entrypoint does not depend on routes.
func (p *Program) Route(ctx context.Context, known []byte) []byte {
	path := rego.RefOf("sidecar/routes/route")
	in, err := term.ParseJSON(known)
	if !p.usesRoutes || err != nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, cmp.Or(p.cfg.Timeout, defaultTimeout))
	defer stop()
	rs, err := oparego.New(oparego.ParsedQuery(ast.NewBody(ast.NewExpr(ast.NewTerm(path)))),
		oparego.Compiler(p.whole), oparego.Store(p.store), oparego.ParsedInput(in.Value)).Eval(ctx)
	if err != nil || len(rs) == 0 {
		return nil
	}
	route, err := json.Marshal(rs[0].Expressions[0].Value)
	if err != nil {
		return nil
	}
	return route
}

// Texts are the texts that the policies and their data hold, without the names of members of data.
func (p *Program) Texts() map[string]bool {
	out := map[string]bool{}
	visit := func(x any) {
		ast.WalkTerms(x, func(t *ast.Term) bool {
			switch v := t.Value.(type) {
			case ast.Ref:
				return v.IsGround() // the names of members
			case ast.String:
				out[string(v)] = true
			}
			return false
		})
	}
	for _, m := range p.whole.Modules {
		for _, r := range m.Rules {
			visit(r)
		}
	}
	for _, v := range p.values {
		out[v] = true
	}
	return out
}

// textsIn are the texts in a value of JSON, but no names of members.
func textsIn(v any, out []string) []string {
	switch v := v.(type) {
	case string:
		return append(out, v)
	case []any:
		for _, e := range v {
			out = textsIn(e, out)
		}
	case map[string]any:
		for _, e := range v {
			out = textsIn(e, out)
		}
	}
	return out
}
