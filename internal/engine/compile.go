package engine

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Compile makes a Policy of set. entrypoint is the path of a rule that must exist, besides those of cfg. An error is of
// type bundle.Problems and lists all problems. A panic of the compiler is a problem too, so that no file can end the
// process.
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
	store, err := rego.NewStore(set)
	if err != nil {
		return nil, err
	}
	// The store is never written again, so that all evaluations share one read transaction.
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the data: %w", err)
	}
	compiler, errs := rego.Compile(cfg.Rego(), modules, storage.NonEmpty(ctx, store, txn), rego.Strict)
	problems = append(problems, rego.ProblemsOf("policies", errs)...)
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	p := &Policy{
		revision: revision(set), digest: set.Digest, revisions: revisions(set),
		entries: map[string]*preparedRule{}, view: document.NewView(document.UsageOf(compiler)),
	}
	paths, problems := check.Entrypoints(compiler, append([]string{entrypoint}, cfg.Entrypoints...))
	prog := check.New(compiler)
	wanted, unread := check.Freshness(compiler, paths, cfg.TokenModes)
	problems = append(problems, unread...)
	if problems = append(problems, prog.Problems(set, paths, nil)...); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	p.unread = prog.UnreadData(set)
	builtins.GuardCalls(compiler)
	w := newRuntime(ctx, compiler, store, txn, cfg)
	prepare := func(path string) (*preparedRule, error) { return w.prepare(path, wanted[path]) }
	for _, path := range paths {
		if p.entries[path], err = prepare(path); err != nil {
			return nil, err
		}
	}
	if p.mask, err = newMasker(compiler, prepare); err != nil {
		return nil, err
	}
	if problems, err = statedProblems(ctx, compiler, set, prepare); err != nil {
		return nil, err
	}
	if problems = append(problems, p.tryEntrypoints(ctx, prog, cfg)...); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	return p, nil
}
