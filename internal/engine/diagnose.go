package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Diagnose lists all problems of a set that must not decide: because it has problems, or because some files cannot be
// read. lost are the paths under data that the unreadable files would provide.
//
// OPA's compiler ends after the first stage with an error. So each rule with an error is replaced by one of which
// nothing is known, and the set is compiled and checked again. Problems that may be consequences of another problem,
// or of a lost file, are left out.
func Diagnose(
	ctx context.Context, set *bundle.Set, lost [][]string, cfg Config, entrypoint string,
) (problems bundle.Problems) {
	d := &diagnosis{cfg: cfg, set: set, replaced: map[string]bool{}, until: time.Now().Add(longestDiagnosis(cfg))}
	defer func() {
		_ = recover() // the compiler panicked: the problems found before remain
		problems = hintAtOwnLibrary(set, d.problems.Sorted())
	}()
	for _, path := range lost {
		ref := ast.DefaultRootRef.Copy()
		for _, name := range path {
			ref = ref.Append(ast.StringTerm(name))
		}
		d.unknown = append(d.unknown, ref)
	}
	d.modules, d.problems, _ = rego.ParseReadable(set, cfg.Rego(), rego.WithoutTests)
	splitCallers(d.modules, cfg.CallerPackages)
	for i := range set.Bundles {
		for _, f := range set.Bundles[i].Modules {
			if d.modules[f.Path] == nil {
				d.unknown = append(d.unknown, packageOf(f))
			}
		}
	}
	d.check(ctx, entrypoint)
	return d.problems
}

// longestDiagnosis is a third of the time for compiling. No further compilation begins after that.
func longestDiagnosis(cfg Config) time.Duration {
	if cfg.CompileTimeout == 0 {
		return 5 * time.Second
	}
	return cfg.CompileTimeout / 3
}

// diagnosis is the state of Diagnose.
type diagnosis struct {
	cfg Config
	set *bundle.Set
	// modules are those that can be read. Rules with errors are replaced in them.
	modules  map[string]*ast.Module
	unknown  []ast.Ref
	replaced map[string]bool // by location
	problems bundle.Problems
	until    time.Time
}

// maxRounds bounds how often a set is compiled. A handful of stages of OPA end a compilation.
const maxRounds = 8

// check compiles, checks and evaluates the set as Compile does, and adds all problems.
func (d *diagnosis) check(ctx context.Context, entrypoint string) {
	store, txn, err := openStore(ctx, d.set)
	if err != nil {
		return
	}
	compiler := d.compiled(storage.NonEmpty(ctx, store, txn))
	if compiler == nil {
		return
	}
	x := examination{compiler: compiler, set: d.set, cfg: d.cfg, entrypoint: entrypoint}
	found := slices.DeleteFunc(x.check(d.unknown), func(p bundle.Problem) bool {
		return d.missesUnknown(compiler, p, x.paths)
	})
	d.problems = append(d.problems, found...)
	p := &Policy{entries: map[string]*preparedRule{}, view: document.NewView(document.UsageOf(compiler))}
	builtins.GuardCalls(compiler)
	w := newRuntime(ctx, compiler, store, txn, d.cfg)
	judged := d.evaluableRules(compiler)
	prepare := func(path string) (*preparedRule, error) {
		if !judged.rule(path) {
			return nil, nil
		}
		return w.prepare(path, x.freshness[path])
	}
	for _, path := range x.paths {
		if cause, _ := check.EntrypointProblem(compiler, path); cause == "" {
			if e, err := prepare(path); err == nil && e != nil {
				p.entries[path] = e
			}
		}
	}
	found, _ = x.evaluate(ctx, p, prepare)
	d.problems = append(d.problems, found...)
}

// compiled compiles the modules, replacing rules with errors, until there is none. It is nil when that fails.
func (d *diagnosis) compiled(conflicts func([]string) (bool, error)) *ast.Compiler {
	for round := range maxRounds {
		how := rego.Strict
		if round > 0 {
			how = rego.Lenient // the first round told what is unused; replaced rules leave more unused
		}
		compiler, errs := rego.Compile(d.cfg.Rego(), d.modules, conflicts, how)
		if len(errs) == 0 {
			return compiler
		}
		replaced := true
		for _, e := range rego.Causes(errs) {
			if !d.mayFollow(e) {
				d.problems = append(d.problems, rego.ProblemsOf("policies", e)...)
			}
			if how == rego.Lenient || !isStrictnessError(e) {
				replaced = d.replaceFaulty(e) && replaced
			}
		}
		if !replaced || time.Now().After(d.until) {
			return nil
		}
	}
	return nil
}

// isStrictnessError reports whether an error comes from strictness alone.
func isStrictnessError(e *ast.Error) bool {
	return strings.HasSuffix(e.Message, " unused") || strings.HasPrefix(e.Message, "unused argument ") ||
		strings.HasPrefix(e.Message, "import must not shadow")
}

// mayFollow reports whether an error may be a consequence of something that cannot be read.
func (d *diagnosis) mayFollow(e *ast.Error) bool {
	if e.Location == nil {
		return len(d.unknown) > 0
	}
	m := d.modules[e.Location.File]
	if m == nil {
		return true
	}
	if m.RegoVersionSpan().Max() == ast.RegoV0 { // its version is the problem
		detail, ok := e.Details.(*ast.RefErrInvalidDetail)
		return !ok || !detail.Ref.HasPrefix(ast.InputRootRef)
	}
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		ref, err := ast.ParseRef(name)
		return err == nil && d.isUnknown(ref) || !strings.Contains(name, ".") && d.isUnknown(m.Package.Path)
	}
	return e.Code == ast.UnsafeVarErr && d.isUnknown(m.Package.Path)
}

// isUnknown reports whether a lost file or module may provide ref.
func (d *diagnosis) isUnknown(ref ast.Ref) bool { return check.MayOverlap(d.unknown, ref) }

// missesUnknown reports whether p says that an entrypoint is missing which a lost file or module may provide.
func (d *diagnosis) missesUnknown(compiler *ast.Compiler, p bundle.Problem, paths []string) bool {
	return slices.ContainsFunc(paths, func(path string) bool {
		return strings.HasPrefix(p.Message, "data."+rego.Dotted(path)+",") &&
			len(compiler.GetRulesExact(rego.RefOf(path))) == 0 && d.isUnknown(rego.RefOf(path))
	})
}

// packageOf is the package of a module that cannot be parsed, or all of data when that is not known either.
func packageOf(f bundle.File) ast.Ref {
	for line := range strings.Lines(string(f.Raw)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "package ") {
			continue
		}
		if m, err := ast.ParseModuleWithOpts(f.Path, line, rego.ParserOptions(nil)); err == nil && m != nil {
			return m.Package.Path
		}
	}
	return ast.DefaultRootRef
}

// diagnosed adds all other problems of a set to the problems of err.
func diagnosed(ctx context.Context, err error, set *bundle.Set, cfg Config, entrypoint string) error {
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		return err
	}
	problems = hintAtOwnLibrary(set, problems)
	return append(problems[:len(problems):len(problems)], Diagnose(ctx, set, nil, cfg, entrypoint)...).Sorted()
}
