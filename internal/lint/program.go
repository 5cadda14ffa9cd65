package lint

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// program is a set of modules whose references are resolved and whose local variables have a name each, before the
// compiler takes expressions apart.
type program struct {
	// parsed are the modules as they are written, with comments and imports; resolved are the same for the rules.
	parsed, resolved map[string]*ast.Module
	annotations      *ast.AnnotationSet
	schema           map[string]any // of the input
	// written is the author's name of a variable.
	written map[ast.Var]ast.Var
	// rules are all rules of a path, such as data.authz.allow, without those in else.
	rules map[string][]*ast.Rule
	// bound is the term that a local variable was given by := or some ... in.
	bound map[ast.Var]*ast.Term
	// uses counts how often a local variable is named, but for those of "every".
	uses map[ast.Var]int
	// parameters is which argument of which function a variable is, calls the arguments of each call of a function.
	parameters map[ast.Var]parameter
	calls      map[string][][]*ast.Term
	// passed is what pathOfParameter found out.
	passed map[ast.Var][]string
}

type parameter struct {
	function string
	position int
}

// laterStages are the stages of the compiler that the pack does without: those that take expressions apart, and the
// checks, which loading has done.
var laterStages = []ast.StageID{
	ast.StageCheckUnusedImports, ast.StageRewriteTemplateStrings, ast.StageCheckVoidCalls, ast.StageRewritePrintCalls,
	ast.StageRewriteExprTerms, ast.StageRewriteRegoMetadataCalls, ast.StageSetGraph,
	ast.StageRewriteComprehensionTerms, ast.StageRewriteRefsInHead, ast.StageRewriteWithValues,
	ast.StageCheckRuleConflicts, ast.StageCheckUndefinedFuncs, ast.StageCheckSafetyRuleHeads,
	ast.StageCheckSafetyRuleBodies, ast.StageRewriteEquals, ast.StageRewriteDynamicTerms,
	ast.StageRewriteTestRulesForTracing, ast.StageCheckRecursion, ast.StageCheckTypes, ast.StageCheckUnsafeBuiltins,
	ast.StageCheckDeprecatedBuiltins, ast.StageBuildRuleIndices, ast.StageBuildComprehensionIndices,
	ast.StageBuildRequiredCapabilities,
}

// newProgram parses and resolves the modules of set. It is nil where they do not parse or resolve, which loading
// reports.
func newProgram(set *bundle.Set, opts rego.Options) *program {
	parsed, _, whole := rego.ParseReadable(set, opts, rego.WithTests)
	if !whole || len(parsed) == 0 {
		return nil
	}
	compiler := rego.NewCompiler(opts, parsed).WithStrict(false).WithSkipStages(laterStages...)
	compiler.Compile(parsed)
	if compiler.Failed() {
		return nil
	}
	p := &program{
		parsed: parsed, resolved: compiler.Modules, annotations: compiler.GetAnnotationSet(),
		schema: rego.InputSchemaOf(parsed), written: compiler.RewrittenVars,
		rules: map[string][]*ast.Rule{}, bound: map[ast.Var]*ast.Term{}, uses: map[ast.Var]int{},
		parameters: map[ast.Var]parameter{}, calls: map[string][][]*ast.Term{},
		passed: map[ast.Var][]string{},
	}
	for _, name := range p.files() {
		for _, r := range p.resolved[name].Rules {
			p.rules[pathOf(r)] = append(p.rules[pathOf(r)], r)
			for ; r != nil; r = r.Else {
				p.add(r)
			}
		}
	}
	return p
}

// files are the paths of the modules, sorted.
func (p *program) files() []string { return slices.Sorted(maps.Keys(p.resolved)) }

// pathOf is the path of a rule up to its first variable: data.authz.allow.
func pathOf(r *ast.Rule) string { return r.Ref().GroundPrefix().String() }

// add takes in what the variables of a rule stand for, and its calls of functions.
func (p *program) add(r *ast.Rule) {
	for i, arg := range r.Head.Args {
		if v, ok := arg.Value.(ast.Var); ok {
			p.parameters[v] = parameter{pathOf(r), i}
		}
	}
	visitor := ast.NewGenericVisitor(func(x any) bool {
		if v, ok := x.(ast.Var); ok {
			p.uses[v]++
		}
		if x, ok := x.(*ast.Expr); ok && x.IsEquality() && !x.Negated {
			p.bind(x.Operand(0), x.Operand(1))
		}
		if x, ok := x.(*ast.Every); ok {
			p.bindMembers(x)
		}
		return false
	})
	visitor.Walk(r.Head)
	visitor.Walk(r.Body)
	rego.VisitCalls(r, func(name ast.Ref, args []*ast.Term, _ *ast.Location) {
		if name.HasPrefix(ast.DefaultRootRef) {
			p.calls[name.String()] = append(p.calls[name.String()], args)
		}
	})
}

func (p *program) bind(variable, value *ast.Term) {
	v, ok := variable.Value.(ast.Var)
	if !ok || p.bound[v] != nil {
		return
	}
	if _, local := p.written[v]; local {
		p.bound[v] = value
	}
}

// maxUses is more often than a rule names a variable.
const maxUses = 1 << 20

// bindMembers lets the variable of an "every" stand for the members of its domain.
func (p *program) bindMembers(every *ast.Every) {
	if v, ok := every.Value.Value.(ast.Var); ok {
		p.bound[v] = ast.NewTerm(ast.Ref{every.Domain, ast.VarTerm(ast.WildcardPrefix)})
		p.uses[v] = -maxUses
	}
}
