package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// CompileForFilters compiles modules, which Compile or CompileUntyped accepts, for partial evaluation: as OPA's server
// does, without a schema of the input, since what is unknown may be no member of it, and without captured calls, which
// no filter can express.
func CompileForFilters(
	opts Options, modules map[string]*ast.Module, conflicts func([]string) (bool, error),
) (*ast.Compiler, ast.Errors) {
	caps := capabilities(opts)
	caps.Builtins = slices.AppendSeq(caps.Builtins, maps.Values(builtins.Declarations()))
	compiler := ast.NewCompiler().
		SetErrorLimit(0).
		WithCapabilities(caps).
		WithDefaultRegoVersion(ast.RegoV1).
		WithPathConflictsCheck(conflicts).
		WithStageAfterID(ast.StageBuildRuleIndices, dropMistaken(ofUncaptured(map[string]any{})))
	compiler.Compile(modules)
	return compiler, compiler.Errors
}

// FilterMetadata is what the metadata of rules say about filters: compile.unknowns and compile.mask_rule.
type FilterMetadata struct {
	// Declared is set when there is any.
	Declared bool
	Unknowns []ast.Ref
	// MaskRule is nil without one.
	MaskRule ast.Ref
}

// FilterMetadataOf reads the metadata of the rules at ref, of their documents and packages.
func FilterMetadataOf(c *ast.Compiler, ref ast.Ref) (out FilterMetadata) {
	rules := c.GetRulesExact(ref)
	if len(rules) == 0 || c.GetAnnotationSet() == nil {
		return out
	}
	for _, a := range c.GetAnnotationSet().Chain(rules[0]) {
		if a.Annotations == nil || a.Annotations.Compile == nil {
			continue
		}
		out.Declared = true
		said := a.Annotations.Compile
		out.Unknowns = append(out.Unknowns, said.Unknowns...)
		if out.MaskRule == nil && said.MaskRule != nil {
			if out.MaskRule = said.MaskRule; !out.MaskRule.HasPrefix(ast.DefaultRootRef) {
				out.MaskRule = rules[0].Module.Package.Path.Extend(out.MaskRule)
			}
		}
	}
	return out
}
