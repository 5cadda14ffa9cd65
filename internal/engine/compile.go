package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// Compile makes a Policy of everything in set. entrypoint is a rule that must exist besides those of cfg. An error is
// of type bundle.Problems and tells all faults at once.
func Compile(ctx context.Context, set *bundle.Set, cfg Config, entrypoint string) (*Policy, error) {
	modules, problems := parse(set, cfg)
	store, err := newStore(set)
	if err != nil {
		return nil, err
	}
	// The store is never written again, so one read transaction serves every evaluation of the snapshot.
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the data: %w", err)
	}
	compiler := NewCompiler(cfg).WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn))
	if len(problems) == 0 {
		compiler.Compile(modules)
		problems = append(problems, problemsOf(compiler.Errors)...)
	}
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	p := &Policy{
		revision: revision(set), digest: set.Digest, revisions: revisions(set), deadline: cfg.Deadline,
		compiler: compiler, entries: map[string]*entry{},
	}
	paths, problems := entrypoints(compiler, append([]string{entrypoint}, cfg.Entrypoints...))
	if len(problems) > 0 {
		return nil, problems
	}
	prepare := func(path string) (*entry, error) { return prepareEntry(ctx, path, compiler, store, txn) }
	for _, path := range paths {
		if p.entries[path], err = prepare(path); err != nil {
			return nil, err
		}
	}
	if p.mask, err = newMasker(compiler, prepare, cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// parserOptions read Rego as it is today, with the annotations that entrypoints need.
func parserOptions(caps *ast.Capabilities) ast.ParserOptions {
	return ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: caps}
}

func parse(set *bundle.Set, cfg Config) (map[string]*ast.Module, bundle.Problems) {
	modules := map[string]*ast.Module{}
	var problems bundle.Problems
	opts := parserOptions(capabilities(cfg))
	for i := range set.Bundles {
		b := &set.Bundles[i]
		if b.RegoVersion != 1 {
			problems = append(problems, bundle.Problem{File: b.Dir, Code: "manifest_error", Message: fmt.Sprintf("rego_version %d is not supported, want 1", b.RegoVersion)})
			continue
		}
		for _, f := range b.Modules {
			m, err := ast.ParseModuleWithOpts(f.Path, string(f.Raw), opts)
			switch {
			case err != nil:
				problems = append(problems, problemsOf(err)...)
			case m == nil:
				problems = append(problems, bundle.Problem{File: f.Path, Code: "rego_parse_error", Message: "the file is empty: a module begins with its package"})
			default:
				modules[f.Path] = m
				problems = append(problems, misplaced(set, b, m, f.Path)...)
			}
		}
	}
	typeLogPolicies(modules)
	return modules, problems
}

// misplaced reports a module whose package is outside the roots of its own bundle or inside those of another. OPA
// itself would merge it silently.
func misplaced(set *bundle.Set, own *bundle.Bundle, m *ast.Module, path string) bundle.Problems {
	at := make([]string, 0, len(m.Package.Path))
	for _, t := range m.Package.Path[1:] {
		at = append(at, string(t.Value.(ast.String)))
	}
	name := strings.Join(at, ".")
	problem := func(format string, args ...any) bundle.Problems {
		loc := m.Package.Location
		return bundle.Problems{{File: path, Row: loc.Row, Col: loc.Col, Code: bundle.CodeRoots, Message: fmt.Sprintf(format, args...)}}
	}
	if own.Roots != nil && !bundle.UnderRoot(own.Roots, at) {
		return problem("package %s is outside the roots %q of its bundle", name, own.Roots)
	}
	for i := range set.Bundles {
		other := &set.Bundles[i]
		if other != own && bundle.UnderRoot(other.Roots, at) {
			return problem("package %s is inside the roots %q of bundle %s", name, other.Roots, other.Name)
		}
	}
	return nil
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
func NewCompiler(cfg Config) *ast.Compiler {
	schemas := ast.NewSchemaSet()
	var schema any
	if err := json.Unmarshal(input.Schema(), &schema); err != nil {
		panic(err) // our own schema
	}
	schemas.Put(ast.SchemaRootRef, schema)
	schemas.Put(logEventSchema, map[string]any{})
	return ast.NewCompiler().
		SetErrorLimit(0).
		WithCapabilities(capabilities(cfg)).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true).
		WithStrict(true).
		WithDefaultRegoVersion(ast.RegoV1)
}

func newStore(set *bundle.Set) (storage.Store, error) {
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

func prepareEntry(ctx context.Context, path string, compiler *ast.Compiler, store storage.Store, txn storage.Transaction) (*entry, error) {
	// The query is built from terms: a path is never pasted into Rego.
	query := ast.NewBody(ast.NewExpr(ast.NewTerm(refOf(path))))
	prepared, err := rego.New(
		rego.ParsedQuery(query),
		rego.Compiler(compiler),
		rego.Store(store),
		rego.Transaction(txn),
		rego.GenerateJSON(keepTerm),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare data.%s: %w", dotted(path), err)
	}
	return &entry{path: path, query: prepared, fixed: []rego.EvalOption{
		rego.EvalTransaction(txn),
		rego.EvalMetrics(metrics.NoOp()),
		rego.EvalInterQueryBuiltinValueCache(cache.NewInterQueryValueCache(ctx, nil)),
	}}, nil
}

// entrypoints lists the paths that may be asked: rules annotated as entrypoints, and the named ones, which must exist.
func entrypoints(compiler *ast.Compiler, named []string) ([]string, bundle.Problems) {
	var paths []string
	var problems bundle.Problems
	for _, ref := range compiler.GetAnnotationSet().Flatten() {
		if !ref.Annotations.Entrypoint {
			continue
		}
		if ref.GetRule() == nil && ref.Annotations.Scope != "document" {
			loc := ref.Annotations.Location
			problems = append(problems, bundle.Problem{File: loc.File, Row: loc.Row, Col: loc.Col, Code: "entrypoint_error", Message: "a package cannot be an entrypoint: annotate a rule"})
			continue
		}
		paths = append(paths, pathOf(ref.Path))
	}
	for _, path := range named {
		path = strings.Trim(path, "/")
		if len(compiler.GetRulesExact(refOf(path))) == 0 {
			problems = append(problems, bundle.Problem{File: "configuration", Code: "entrypoint_error", Message: fmt.Sprintf("no policy has the rule data.%s, which the configuration names as an entrypoint", dotted(path))})
			continue
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return slices.Compact(paths), problems
}

func refOf(path string) ast.Ref {
	ref := ast.Ref{ast.DefaultRootDocument}
	for part := range strings.SplitSeq(path, "/") {
		ref = append(ref, ast.StringTerm(part))
	}
	return ref
}

func pathOf(ref ast.Ref) string {
	parts := make([]string, 0, len(ref))
	for _, t := range ref[1:] {
		if s, ok := t.Value.(ast.String); ok {
			parts = append(parts, string(s))
		}
	}
	return strings.Join(parts, "/")
}

func dotted(path string) string { return strings.ReplaceAll(path, "/", ".") }

func revisions(set *bundle.Set) map[string]string {
	out := make(map[string]string, len(set.Bundles))
	for _, b := range set.Bundles {
		out[b.Name] = b.Revision
	}
	return out
}

func revision(set *bundle.Set) string {
	var named []string
	for _, b := range set.Bundles {
		if b.Revision != "" {
			named = append(named, b.Name+"="+b.Revision)
		}
	}
	if len(named) > 0 {
		return strings.Join(named, ",")
	}
	return strings.TrimPrefix(set.Digest, "sha256:")[:12]
}
