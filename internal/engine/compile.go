package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Compile makes a Policy of set. entrypoint is the path of a rule that must exist, besides those of cfg; it may be
// empty. An error is of type bundle.Problems and lists all problems. A panic of the compiler is a problem too, so that
// no file can end the process.
func Compile(ctx context.Context, set *bundle.Set, cfg Config, entrypoint string) (p *Policy, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, bundle.Problems{{File: "policies", Code: ast.CompileErr,
				Message: fmt.Sprintf("cannot be compiled: the compiler failed (%T)", r)}}
		}
	}()
	if p, err = compile(ctx, set, cfg, entrypoint); err != nil {
		return nil, diagnosed(ctx, err, set, cfg, entrypoint)
	}
	return p, nil
}

// compile ends at the first kind of problem.
func compile(ctx context.Context, set *bundle.Set, cfg Config, entrypoint string) (*Policy, error) {
	modules, problems, whole := rego.ParseReadable(set, cfg.Rego(), rego.WithoutTests)
	if !whole {
		return nil, problems.Sorted()
	}
	store, txn, err := openStore(ctx, set)
	if err != nil {
		return nil, err
	}
	own := splitCallers(modules, cfg.CallerPackages)
	compiler, errs := rego.Compile(cfg.Rego(), modules, storage.NonEmpty(ctx, store, txn), rego.Strict)
	problems = append(problems, rego.ProblemsOf("policies", errs)...)
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	callers, apart := compileCallers(ctx, own, modules, store, txn, cfg)
	if len(apart) > 0 {
		return nil, apart.Sorted()
	}
	if err := arrange(store, compiler, callers); err != nil {
		return nil, err
	}
	x := examination{compiler: compiler, set: set, cfg: cfg, entrypoint: entrypoint}
	if problems = x.check(nil); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	p := &Policy{
		revision: revision(set), digest: set.Digest, revisions: revisions(set), warnings: x.program.Warnings(set),
		entries: map[string]*preparedRule{}, callers: callers, compiler: compiler, store: store,
	}
	for _, b := range set.Bundles {
		p.modules = append(p.modules, b.Modules...)
	}
	if !cfg.Entities {
		p.warnings = append(p.warnings, x.program.UnsetInput()...).Sorted()
	}
	if p.bundles, p.identified, err = bundleRefs(set); err != nil {
		return nil, err
	}
	if cfg.Print == nil {
		p.printsErased = rego.ErasePrints(compiler)
	}
	p.view = document.NewView(document.UsageOf(compiler))
	builtins.GuardCalls(compiler)
	rego.SkipIndexes(compiler)
	w := newRuntime(ctx, compiler, store, txn, cfg)
	if cfg.Filters {
		p.filters = newFilters(ctx, w, modules, cfg)
	}
	prepare := func(path string) (*preparedRule, error) {
		e, err := w.prepare(path, x.freshness[path])
		if err == nil {
			e.memo = x.memo[path]
		}
		return e, err
	}
	program := reads.New(compiler)
	for _, path := range x.paths {
		e, err := prepare(path)
		if err != nil {
			return nil, err
		}
		ref := rego.RefOf(path)
		e.data, e.token = newDataValues(program, ref), newTokenValues(program, ref)
		e.request = newRequestValues(w, program, ref)
		p.entries[path] = e
	}
	if p.mask, err = newMasker(compiler, prepare); err != nil {
		return nil, err
	}
	if problems, err = x.evaluate(ctx, p, prepare); err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	p.print = cfg.Print // not of the made-up requests before
	p.remember(newMemory(cfg), cfg.Memo.Except, program)
	return p, nil
}

// openStore returns a store with the data of set. It is never written again, so that all evaluations share one read
// transaction.
func openStore(ctx context.Context, set *bundle.Set) (*rego.Store, storage.Transaction, error) {
	store, err := rego.NewStore(set)
	if err != nil {
		return nil, nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open the data: %w", err)
	}
	return store, txn, nil
}

// arrange has the store hold the terms that compiled policies need at once.
func arrange(store *rego.Store, compiler *ast.Compiler, c *callers) error {
	if c == nil {
		return store.Arrange(compiler)
	}
	return store.Arrange(compiler, c.compiler)
}

// examination looks for problems that OPA's compiler does not find, at a load and for a diagnosis.
type examination struct {
	compiler   *ast.Compiler
	set        *bundle.Set
	cfg        Config
	entrypoint string

	// program, paths of entrypoints, and freshness and memo by path are known after check.
	program   *check.Program
	paths     []string
	freshness map[string]authz.Freshness
	memo      map[string]check.Memo
}

// check finds the problems that need no evaluation. unknown are paths under data at which anything may be.
func (x *examination) check(unknown []ast.Ref) (problems bundle.Problems) {
	named := x.cfg.Entrypoints
	if x.entrypoint != "" {
		named = append([]string{x.entrypoint}, named...)
	}
	x.paths, problems = check.Entrypoints(x.compiler, named)
	x.program = check.New(x.compiler)
	freshness, more := check.Freshness(x.compiler, x.paths, x.cfg.TokenModes)
	memo, others := check.MemoOf(x.compiler, x.paths)
	x.freshness, x.memo = freshness, memo
	return append(slices.Concat(problems, more, others), x.program.Problems(x.set, x.paths, unknown)...)
}

// evaluate finds the problems that rules state, and those of the entrypoints of p with made-up requests.
func (x *examination) evaluate(
	ctx context.Context, p *Policy, prepare func(string) (*preparedRule, error),
) (bundle.Problems, error) {
	problems, err := statedProblems(ctx, x.compiler, x.set, x.cfg, prepare)
	return append(problems, p.tryEntrypoints(ctx, x.program, x.cfg)...), err
}
