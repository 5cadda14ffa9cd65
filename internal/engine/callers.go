package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// CodeCallers is the code of references between packages whose input is the caller's own and all others.
const CodeCallers = "caller_input_error"

// callers are the packages whose input is what a caller passes (Config.CallerPackages). They are compiled by
// themselves, without the schema of the input: no rule that trusts the facts about a token can be reached with claims
// that a caller wrote.
type callers struct {
	*runtime
	packages []ast.Ref
	// filters is nil where none can be asked for.
	filters func() (*filters, error)

	mu sync.Mutex // guards what follows
	// prepared are queries of rules and packages that exist: their number is bounded by the policy.
	prepared map[string]*preparedRule
}

// splitCallers takes the modules of the caller's packages out of modules.
func splitCallers(modules map[string]*ast.Module, packages []string) map[string]*ast.Module {
	own := map[string]*ast.Module{}
	for name, m := range modules {
		for _, path := range packages {
			if m.Package.Path.HasPrefix(rego.RefOf(path)) {
				own[name] = m
				delete(modules, name)
			}
		}
	}
	return own
}

// compileCallers compiles the modules of the caller's packages. It is nil without any.
func compileCallers(
	ctx context.Context, own, others map[string]*ast.Module, store storage.Store, txn storage.Transaction, cfg Config,
) (*callers, bundle.Problems) {
	if len(cfg.CallerPackages) == 0 {
		return nil, nil
	}
	compiler, errs := rego.CompileUntyped(cfg.Rego(), own, storage.NonEmpty(ctx, store, txn))
	problems := rego.ProblemsOf("policies", errs)
	if len(problems) > 0 {
		return nil, problems
	}
	problems = slices.Concat(apart(compiler.Modules, others), apart(others, compiler.Modules))
	if cfg.Print == nil {
		rego.ErasePrints(compiler)
	}
	builtins.GuardCalls(compiler)
	c := &callers{runtime: newRuntime(ctx, compiler, store, txn, cfg), prepared: map[string]*preparedRule{}}
	if cfg.Filters {
		c.filters = newFilters(ctx, c.runtime, own, cfg)
	}
	for _, path := range cfg.CallerPackages {
		c.packages = append(c.packages, rego.RefOf(path))
	}
	return c, problems
}

// apart finds references of modules to packages of others.
func apart(modules, others map[string]*ast.Module) bundle.Problems {
	var out bundle.Problems
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		for _, root := range modules[name].Rules {
			for r := root; r != nil; r = r.Else {
				rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, at *ast.Location) {
					if ref.HasPrefix(ast.DefaultRootRef) && meets(ref, others) {
						out = append(out, rego.ProblemAt(at, CodeCallers,
							"%s: packages whose input is the caller's own (opa.packages) and others use nothing of each other",
							rego.AsWritten(ref)))
					}
				})
			}
		}
	}
	return out
}

// meets reports whether a reference may lead into a package of modules.
func meets(ref ast.Ref, modules map[string]*ast.Module) bool {
	known := ref.GroundPrefix()
	for _, m := range modules {
		if known.HasPrefix(m.Package.Path) || m.Package.Path.HasPrefix(known) {
			return true
		}
	}
	return false
}

// CallerQuestion is a question with an input of the caller's own.
type CallerQuestion struct {
	// Path is that of a rule, a member of its value, or a package, without "data".
	Path []string
	// Input is a JSON value; nil is none.
	Input []byte
	Time  time.Time
	Seed  string
	// Trace asks for an explanation; nil asks for none.
	Trace *Trace
}

// AskedByCallers reports whether path is within Config.CallerPackages.
func (p *Policy) AskedByCallers(path []string) bool { return p.callers.refOf(path) != nil }

// refOf is the reference that a path is, or nil when it is within no package of c. Below the package, a name that is a
// number leads into a list, as in OPA.
func (c *callers) refOf(path []string) ast.Ref {
	if c == nil {
		return nil
	}
	ref := rego.RefOfSegments(path)
	within := slices.IndexFunc(c.packages, ref.HasPrefix)
	if within < 0 {
		return nil
	}
	for i, name := range path {
		if n, ok := util.Atoi64(name); ok && i+1 >= len(c.packages[within]) {
			ref[i+1] = ast.InternedTerm(n)
		}
	}
	return ref
}

// has reports whether a reference is within a package of c.
func (c *callers) has(ref ast.Ref) bool { return slices.ContainsFunc(c.packages, ref.HasPrefix) }

// Ask evaluates what a caller asks for. The result is Empty when it is undefined. An error is of kind Misconfigured,
// or Malformed when the input cannot be read.
func (p *Policy) Ask(ctx context.Context, q CallerQuestion) (Result, error) {
	path := strings.Join(q.Path, "/")
	ref := p.callers.refOf(q.Path)
	if ref == nil {
		return Result{}, authz.Errorf(authz.Misconfigured, "evaluate %q: callers may not ask for it", path)
	}
	var in ast.Value
	if q.Input != nil {
		t, err := term.ParseJSON(q.Input)
		if err != nil {
			return Result{}, authz.Errorf(authz.Malformed, "read the input: %w", err)
		}
		in = t.Value
	}
	e, err := p.callers.prepare(ref)
	if excludedByTypes(err) {
		return Result{path: path}, nil
	}
	if err != nil {
		return Result{}, authz.Errorf(authz.Misconfigured, "%w", err)
	}
	followed := q.Trace.record()
	value, err := e.eval(ctx, in, evalOptions{time: q.Time, seed: q.Seed, print: p.printHook(q.Seed, nil),
		recorder: followed})
	if err == nil {
		err = q.Trace.explained(followed, value == nil)
	}
	if err != nil {
		return Result{}, authz.Errorf(authz.Misconfigured, "%w", err)
	}
	return Result{value: value, path: path}, nil
}

// excludedByTypes reports whether a reference does not compile because the types of the policy have nothing there. OPA
// answers 500; a caller must not be able to make the policy look broken.
func excludedByTypes(err error) bool {
	errs, ok := errors.AsType[ast.Errors](err)
	return ok && !slices.ContainsFunc(errs, func(e *ast.Error) bool { return e.Code != ast.TypeErr })
}

// prepare returns the query for ref, which is kept when the policy has a rule or a package there.
func (c *callers) prepare(ref ast.Ref) (*preparedRule, error) {
	key := ref.String() // tells a name with a slash from two names
	c.mu.Lock()
	e := c.prepared[key]
	c.mu.Unlock()
	if e != nil {
		return e, nil
	}
	// Without the lock: what the policy does not have is compiled each time, and must hold up no other caller.
	e, err := c.prepareRef(rego.PathOf(ref), ref, authz.Freshness{})
	if err == nil && c.compiler.RuleTree.Find(ref) != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.prepared[key] = e
	}
	return e, err
}
