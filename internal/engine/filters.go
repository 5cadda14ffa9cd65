package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	oparegocompile "github.com/open-policy-agent/opa/v1/rego/compile"
	"github.com/open-policy-agent/opa/v1/server/failtracer"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// FilterTarget is what a filter is translated to: {"sql", "postgresql"}, {"ucast", "prisma"}.
type FilterTarget struct{ Name, Dialect string }

// FilterQuestion asks under which condition on what is unknown a rule holds, as OPA's /v1/compile does.
type FilterQuestion struct {
	// Path is that of the rule, without "data".
	Path []string
	// Document is the input of an ordinary package, and Input that of a package of callers, as JSON; nil is none.
	Document *input.Document
	Input    []byte
	// TokenKnown is set when Input has the facts about a token, which the caller may then not call unknown.
	TokenKnown bool
	FilterOptions
	Time time.Time
	Seed string
}

// FilterOptions are what a caller says of a filter.
type FilterOptions struct {
	// Query is Rego, and the question is what partial evaluation leaves of it. It has no Targets.
	Query string
	// Targets are one at least without a Query. Together makes one answer of several.
	Targets  []FilterTarget
	Together bool
	// Unknowns are references: "input.orders". None stands for those of the metadata, where there is a path.
	Unknowns []string
	// HasUnknowns tells an empty list from none.
	HasUnknowns     bool
	DisableInlining []string
	// Nondeterministic evaluates builtins such as time.now_ns at once.
	Nondeterministic bool
	// MaskRule names a rule that says which columns are masked; empty is that of the metadata.
	MaskRule string
	// Mappings name tables and columns. See OPA's targetSQLTableMappings.
	Mappings map[string]any
}

// Filter is the condition that was asked for.
type Filter struct {
	// Never is set when nothing meets the condition. Then Result is nil, or has no target.
	Never bool
	// Result is what OPA's server answers as "result", and Hints as "hints": JSON.
	Result, Hints json.RawMessage
}

// filters are policies that are compiled for partial evaluation. They are made when the first filter is asked for.
type filters struct {
	*runtime
	options []func(*oparego.Rego)
}

// newFilters returns what compiles modules when it is first needed. w is the runtime of the policies that decide.
func newFilters(ctx context.Context, w *runtime, modules map[string]*ast.Module, cfg Config) func() (*filters, error) {
	ctx = context.WithoutCancel(ctx)
	return sync.OnceValues(func() (*filters, error) {
		compiler, errs := rego.CompileForFilters(cfg.Rego(), modules,
			func([]string) (bool, error) { return false, nil })
		if len(errs) > 0 {
			return nil, authz.Errorf(authz.Misconfigured, "compile the policies for filters: %w",
				rego.ProblemsOf("policies", errs))
		}
		for _, m := range compiler.Modules {
			builtins.GuardPartial(m)
		}
		own := *w
		own.compiler, own.values = compiler, newValueCache(ctx)
		return &filters{&own, builtins.Options(own.builtins)}, nil
	})
}

// Filterable reports whether a filter can be asked for at a path of an ordinary package: that of an entrypoint or of a
// member of its result, or of a rule whose metadata has "compile".
func (p *Policy) Filterable(path []string) bool {
	if p.filters == nil || len(path) == 0 {
		return false
	}
	for n := len(path); n > 0; n-- {
		if p.Has(strings.Join(path[:n], "/")) {
			return true
		}
	}
	return rego.FilterMetadataOf(p.compiler, rego.RefOfSegments(path)).Declared
}

// Filter answers q. An error is of kind Malformed, and a QueryError, when the question or the policy allows no filter.
func (p *Policy) Filter(ctx context.Context, q FilterQuestion) (Filter, error) {
	a, err := p.asFilter(q)
	if err != nil {
		return Filter{}, err
	}
	ctx, done := context.WithTimeout(ctx, a.deadline)
	defer done()
	if q.Query != "" {
		return a.partially(ctx)
	}
	return a.translated(ctx)
}

// askedFilter is a question for a filter, ready to be evaluated.
type askedFilter struct {
	*filters
	FilterQuestion
	query    ast.Body
	in       ast.Value
	unknowns []ast.Ref
	mask     ast.Ref
	// typed is set for an ordinary package.
	typed bool
}

// asFilter reads a question by the rules of its class of packages.
func (p *Policy) asFilter(q FilterQuestion) (*askedFilter, error) {
	a := &askedFilter{FilterQuestion: q}
	if err := boundedOptions(q.FilterOptions); err != nil {
		return nil, err
	}
	var err error
	if q.Document != nil {
		err = p.askTyped(a)
	} else {
		err = p.askOfCallers(a)
	}
	return a, err
}

// askTyped reads a question about an ordinary package. Facts about the token and the request are known always.
func (p *Policy) askTyped(a *askedFilter) (err error) {
	if !p.Filterable(a.Path) {
		return authz.Errorf(authz.Misconfigured, "compile %q: it is no filter", strings.Join(a.Path, "/"))
	}
	if a.filters, err = p.filters(); err != nil {
		return err
	}
	if a.in, err = p.view.Value(a.Document); err != nil {
		return err
	}
	ref := rego.RefOfSegments(a.Path)
	// Compared with true, so that an object which denies is not taken for a condition that always holds.
	a.typed, a.query = true, ast.NewBody(ast.Equality.Expr(ast.NewTerm(ref), ast.BooleanTerm(true)))
	said := rego.FilterMetadataOf(p.compiler, ref)
	if a.mask = said.MaskRule; a.MaskRule != "" {
		return invalid("options.maskRule: the mask is that of the rule's metadata: compile.mask_rule")
	}
	given, err := a.givenUnknowns()
	if err != nil {
		return err
	}
	if a.unknowns, err = saidUnknowns(said); err != nil {
		return err
	}
	// What the author calls unknown remains so: known to be absent, it would satisfy each "not".
	a.unknowns = append(slices.Clone(a.unknowns), given...)
	if len(a.unknowns) == 0 {
		return invalid("unknowns: want one at least, such as input.context, here or as compile.unknowns of the " +
			"rule's metadata")
	}
	for _, u := range a.unknowns {
		if err := a.mayBeUnknown(u); err != nil {
			return err
		}
	}
	return nil
}

// askOfCallers reads a question about packages of callers, or by a query.
func (p *Policy) askOfCallers(a *askedFilter) (err error) {
	c := p.callers
	if c == nil || c.filters == nil {
		return invalid("no package may be asked with an input of the caller's own: opa.packages lists none")
	}
	if a.filters, err = c.filters(); err != nil {
		return err
	}
	if a.Input != nil {
		t, err := term.ParseJSON(a.Input)
		if err != nil {
			return authz.Errorf(authz.Malformed, "read the input: %w", err)
		}
		a.in = t.Value
	}
	var said rego.FilterMetadata
	if a.Query != "" {
		if a.query, err = c.parseQuery(a.Query); err != nil {
			return err
		}
		builtins.GuardPartial(a.query)
	} else {
		ref := c.refOf(a.Path)
		if ref == nil {
			return authz.Errorf(authz.Misconfigured, "compile %q: callers may not ask for it",
				strings.Join(a.Path, "/"))
		}
		a.query = ast.NewBody(ast.NewExpr(ast.NewTerm(ref)))
		said = rego.FilterMetadataOf(a.compiler, ref)
		if a.mask, err = c.maskRule(a.MaskRule, ref, said.MaskRule); err != nil {
			return err
		}
	}
	if a.unknowns, err = a.givenUnknowns(); err != nil {
		return err
	}
	if len(a.unknowns) == 0 {
		if a.unknowns, err = saidUnknowns(said); err != nil {
			return err
		}
	}
	if a.Query != "" && !a.HasUnknowns {
		a.unknowns = []ast.Ref{ast.InputRootRef}
	}
	for _, u := range a.unknowns {
		if a.TokenKnown && (tokenRef.HasPrefix(u) || u.HasPrefix(tokenRef)) {
			return invalid("unknowns: input.token is known, by opa.introspect_token: name other members of the input")
		}
	}
	return nil
}

// tokenRef is where the facts about a token are in an input of a caller.
var tokenRef = ast.InputRootRef.Append(ast.StringTerm("token"))

// translated is the filter for targets.
func (a *askedFilter) translated(ctx context.Context) (Filter, error) {
	options := []oparegocompile.CompileOption{
		oparegocompile.ParsedUnknowns(terms(a.unknowns)...), oparegocompile.ParsedQuery(a.query),
		oparegocompile.Mappings(a.Mappings), oparegocompile.Metrics(metrics.NoOp()), oparegocompile.MaskRule(a.mask),
		oparegocompile.Rego(a.regoOptions()...),
	}
	for _, t := range a.Targets {
		options = append(options, oparegocompile.Target(t.Name, t.Dialect))
	}
	ctx, budget := newQueryBudget(ctx)
	prepared, err := oparegocompile.New(options...).Prepare(ctx)
	if err != nil {
		return Filter{}, failedQuery(ctx, "prepare the filter", err)
	}
	missed := failtracer.New()
	found, err := prepared.Compile(ctx, oparego.EvalTransaction(a.txn), oparego.EvalParsedInput(a.in),
		oparego.EvalInterQueryBuiltinValueCache(a.values), oparego.EvalQueryTracer(missed),
		oparego.EvalQueryTracer(budget), oparego.EvalTime(a.Time))
	if err != nil {
		return Filter{}, failedQuery(ctx, "compile the filter", err)
	}
	out := Filter{Never: found.For(a.Targets[0].Name, a.Targets[0].Dialect).Query == nil}
	if hints := missed.Hints(a.unknowns); len(hints) > 0 {
		if out.Hints, err = json.Marshal(hints); err != nil {
			return Filter{}, authz.Errorf(authz.Internal, "write the hints: %w", err)
		}
	}
	return out, a.write(&out, found)
}

// condition is the filter for one target.
type condition struct {
	Query any            `json:"query"`
	Masks map[string]any `json:"masks,omitempty"`
}

// conditions are those for several targets, in the order of OPA's server.
type conditions struct {
	UCAST      *condition `json:"ucast,omitempty"`
	PostgreSQL *condition `json:"postgresql,omitempty"`
	MySQL      *condition `json:"mysql,omitempty"`
	SQLServer  *condition `json:"sqlserver,omitempty"`
	SQLite     *condition `json:"sqlite,omitempty"`
}

// write puts the filter into out as OPA's server writes it.
func (a *askedFilter) write(out *Filter, found *oparegocompile.Filters) error {
	all := map[string]*condition{}
	var one *condition
	for _, t := range a.Targets {
		f := found.For(t.Name, t.Dialect)
		if f.Query == nil {
			continue
		}
		if a.typed && a.mask != nil && f.Masks == nil {
			return authz.Errorf(authz.Misconfigured, "evaluate %s: %w", a.mask, errUndefined)
		}
		name := t.Dialect
		if t.Name == "ucast" { // of several, the first
			name = t.Name
		}
		one = &condition{f.Query, f.Masks}
		all[name] = cmp.Or(all[name], one)
	}
	var result any = one
	switch {
	case a.Together:
		result = conditions{all["ucast"], all["postgresql"], all["mysql"], all["sqlserver"], all["sqlite"]}
	case one == nil:
		return nil
	}
	text, err := json.Marshal(result)
	if err != nil {
		return authz.Errorf(authz.Internal, "write the filter: %w", err)
	}
	out.Result = text
	return bounded(text)
}

// regoOptions are those of every evaluation of a.
func (a *askedFilter) regoOptions() []func(*oparego.Rego) {
	return append(slices.Clone(a.options), oparego.Compiler(a.compiler), oparego.Store(a.store),
		oparego.Transaction(a.txn), oparego.DisableInlining(a.DisableInlining), oparego.StrictBuiltinErrors(true),
		oparego.InterQueryBuiltinValueCache(a.values), oparego.Time(a.Time), oparego.Seed(&seed{id: a.Seed}))
}

func terms(refs []ast.Ref) []*ast.Term {
	out := make([]*ast.Term, len(refs))
	for i, ref := range refs {
		out[i] = ast.NewTerm(ref)
	}
	return out
}
