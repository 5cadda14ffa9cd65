package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Compile makes a Policy of everything in set. entrypoint is a rule that must exist besides those of cfg. An error is
// of type bundle.Problems and tells all faults at once. A compiler that panics is such a fault: nothing that somebody saves
// may end the process.
func Compile(ctx context.Context, set *bundle.Set, cfg Config, entrypoint string) (p *Policy, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, bundle.Problems{{File: "policies", Code: ast.CompileErr, Message: fmt.Sprintf("cannot be compiled: the compiler failed (%T)", r)}}
		}
	}()
	if p, err = compile(ctx, set, cfg, entrypoint); err != nil {
		return nil, diagnosed(ctx, err, set, cfg, entrypoint)
	}
	return p, nil
}

// compile stops at the first kind of problem.

func compile(ctx context.Context, set *bundle.Set, cfg Config, entrypoint string) (*Policy, error) {
	modules, problems, whole := parse(set, cfg, WithoutTests)
	if !whole {
		return nil, problems.Sorted()
	}
	store, err := NewStore(set)
	if err != nil {
		return nil, err
	}
	// The store is never written again, so one read transaction serves every evaluation of the snapshot.
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the data: %w", err)
	}
	compiler, errs := compileTyped(cfg, modules, storage.NonEmpty(ctx, store, txn), strict)
	problems = append(problems, ProblemsOf("policies", errs)...)
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	p := &Policy{
		revision: revision(set), digest: set.Digest, revisions: revisions(set),
		entries: map[string]*entry{}, view: newView(readsOf(compiler)),
	}
	paths, problems := entrypoints(compiler, append([]string{entrypoint}, cfg.Entrypoints...))
	prog := programOf(compiler)
	wanted, unread := freshnessOf(compiler, paths, cfg.TokenModes)
	problems = append(problems, unread...)
	if problems = append(problems, prog.examine(set, paths, nil)...); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	p.unread = prog.unreadData(set)
	useGuarded(compiler)
	w := newWorld(ctx, compiler, store, txn, cfg)
	prepare := func(path string) (*entry, error) { return w.entry(path, wanted[path]) }
	for _, path := range paths {
		if p.entries[path], err = prepare(path); err != nil {
			return nil, err
		}
	}
	if p.mask, err = newMasker(compiler, prepare); err != nil {
		return nil, err
	}
	if problems, err = stated(ctx, compiler, set, prepare); err != nil {
		return nil, err
	}
	if problems = append(problems, p.tried(ctx, prog, cfg)...); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	return p, nil
}

// parserOptions read Rego as it is today, with the annotations that entrypoints need.
func parserOptions(caps *ast.Capabilities) ast.ParserOptions {
	return ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: caps}
}

// Tests says whether the tests of a set are parsed too.
type Tests uint8

// The two ways to parse a set.
const (
	WithoutTests Tests = iota
	WithTests
)

// Parse returns the modules of set by their paths, ready for a compiler of NewCompiler. With problems of grammar there are
// no modules, with others there are. Tests may be in any package.
func Parse(set *bundle.Set, cfg Config, tests Tests) (map[string]*ast.Module, bundle.Problems) {
	modules, problems, whole := parse(set, cfg, tests)
	if !whole {
		return nil, problems
	}
	return modules, problems
}

// parse returns the modules that can be read, Rego v0 among them when the set is not whole: they are then for further checks only.
func parse(set *bundle.Set, cfg Config, tests Tests) (readable map[string]*ast.Module, problems bundle.Problems, whole bool) {
	modules := map[string]*ast.Module{}
	var unread, misplaced bundle.Problems
	opts := parserOptions(capabilities(cfg))
	read := func(f bundle.File) *ast.Module {
		m, err := ast.ParseModuleWithOpts(f.Path, string(f.Raw), opts)
		if err != nil {
			told := ProblemsOf(f.Path, err)
			old := opts
			old.RegoVersion = ast.RegoV0
			if m, err = ast.ParseModuleWithOpts(f.Path, string(f.Raw), old); err == nil && m != nil {
				modules[f.Path] = m
				told = outdated(told)
			}
			unread = append(unread, told...)
			return nil
		}
		modules[f.Path] = m
		return m
	}
	for i := range set.Bundles {
		b := &set.Bundles[i]
		if b.RegoVersion != 1 {
			unread = append(unread, bundle.Problem{File: b.Name, Code: bundle.CodeManifest, Message: fmt.Sprintf("rego_version %d is not supported, want 1", b.RegoVersion)})
			continue
		}
		for _, f := range b.Modules {
			if m := read(f); m != nil {
				misplaced = append(misplaced, misplacedIn(set, b, m)...)
			}
		}
		if tests == WithTests {
			for _, f := range b.Tests {
				read(f)
			}
		}
	}
	if len(unread) > 0 {
		typeLogPolicies(modules)
		return modules, append(unread, misplaced...), false
	}
	typeLogPolicies(modules)
	return modules, misplaced, true
}

// outdated is the one problem of a module that is Rego v0: each of its rules would be another.
func outdated(told bundle.Problems) bundle.Problems {
	told = told[:1]
	if !strings.Contains(told[0].Message, outdatedHint) {
		told[0].Message += outdatedHint
	}
	return told
}

// unsafe are the builtins that reach beyond the request: the network and the machine.
var unsafe = []string{"http.send", "net.lookup_ip_addr", "opa.runtime"}

func capabilities(cfg Config) *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return slices.Contains(unsafe, b.Name) && !slices.Contains(cfg.AllowBuiltins, b.Name)
	})
	if !slices.Contains(cfg.AllowBuiltins, "http.send") {
		caps.AllowNet = []string{} // no remote references in schemas either
	}
	return caps
}

// NewCompiler returns a compiler as every policy is compiled: strict, typed by the schema of the input, and without the
// builtins that cfg does not allow.
func NewCompiler(cfg Config) *ast.Compiler { return newCompiler(cfg, inputSchema(), strict) }

// strictness says whether what is unused or shadows is an error.
type strictness uint8

const (
	strict strictness = iota
	lenient
)

func newCompiler(cfg Config, schema map[string]any, how strictness) *ast.Compiler {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, schema)
	schemas.Put(logEventSchema, map[string]any{})
	caps := capabilities(cfg)
	caps.Builtins = slices.AppendSeq(caps.Builtins, maps.Values(guardedDecls()))
	return ast.NewCompiler().
		SetErrorLimit(0).
		WithCapabilities(caps).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true).
		WithStrict(how == strict).
		WithDefaultRegoVersion(ast.RegoV1).
		WithStageAfterID(ast.StageCheckTypes, ast.CompilerStageDefinition{Name: "CaptureCalls", MetricName: "compile_stage_capture_calls", Stage: captureCalls})
}

// NewStore returns a store of the data of set, which reads as terms. It must not be written.
func NewStore(set *bundle.Set) (storage.Store, error) {
	doc, err := ast.InterfaceToValue(set.Document())
	if err != nil {
		return nil, fmt.Errorf("read the data: %w", err)
	}
	object, ok := doc.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("read the data: %s, want an object", article(doc))
	}
	return inmem.NewFromASTObject(object), nil
}

// valueCacheEntries bounds what builtins keep between evaluations: parsed patterns and schemas. A pattern may come with
// a request, and OPA's own bound is none.
const valueCacheEntries = 1000

func newValueCache(ctx context.Context) cache.InterQueryValueCache {
	bound := valueCacheEntries
	return cache.NewInterQueryValueCache(ctx, &cache.Config{
		InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &bound},
	})
}

func revisions(set *bundle.Set) map[string]string {
	out := make(map[string]string, len(set.Bundles))
	for _, b := range set.Bundles {
		out[b.Name] = b.Revision
	}
	return out
}

// revision names what was compiled, in the words of the bundles where they have some. The beginning of the digest
// stands for what has no words, so that no change goes unnamed.
func revision(set *bundle.Set) string {
	var parts []string
	unnamed := false
	for _, b := range set.Bundles {
		switch {
		case b.Revision == "":
			unnamed = true
		case len(set.Bundles) == 1:
			parts = append(parts, b.Revision)
		default:
			parts = append(parts, b.Name+"="+b.Revision)
		}
	}
	if unnamed {
		parts = append(parts, strings.TrimPrefix(set.Digest, "sha256:")[:12])
	}
	return strings.Join(parts, ",")
}
