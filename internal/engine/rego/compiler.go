package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// capabilities are those of this version of OPA without the builtins that opts do not allow.
func capabilities(opts Options) *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return builtins.Unsafe(b.Name) && !slices.Contains(opts.AllowBuiltins, b.Name)
	})
	if !slices.Contains(opts.AllowBuiltins, "http.send") {
		caps.AllowNet = []string{} // no remote references in schemas either
	}
	return caps
}

// NewCompiler returns a compiler for modules with the settings of every policy: strict, typed by the schema of the
// input, and without the builtins that opts do not allow.
func NewCompiler(opts Options, modules map[string]*ast.Module) *ast.Compiler {
	return newCompiler(opts, InputSchemaOf(modules), Strict)
}

// NewUntypedCompiler returns a compiler for modules that one of NewCompiler accepts, and for what was made of them:
// without strictness, without captured calls, which no condition could be read from, and without types. Partial
// evaluation leaves out what does not fit the schema of the input, where a header that only data name would be lost.
func NewUntypedCompiler(opts Options) *ast.Compiler {
	return ast.NewCompiler().
		SetErrorLimit(0).
		WithCapabilities(capabilities(opts)).
		WithDefaultRegoVersion(ast.RegoV1).
		WithSkipStages(ast.StageCheckTypes).
		WithStageAfterID(ast.StageBuildRuleIndices, dropMistaken(ofUncaptured(InputSchema())))
}

// Strictness says whether unused and shadowing names are errors.
type Strictness uint8

// Strict makes them errors, Lenient does not.
const (
	Strict Strictness = iota
	Lenient
)

func newCompiler(opts Options, schema map[string]any, how Strictness) *ast.Compiler {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, schema)
	schemas.Put(logEventSchema, map[string]any{})
	caps := capabilities(opts)
	caps.Builtins = slices.AppendSeq(caps.Builtins, maps.Values(builtins.Declarations()))
	capture := ast.CompilerStageDefinition{
		Name: "CaptureCalls", MetricName: "compile_stage_capture_calls", Stage: captureCalls(schema),
	}
	return ast.NewCompiler().
		SetErrorLimit(0).
		WithCapabilities(caps).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true).
		WithStrict(how == Strict).
		WithDefaultRegoVersion(ast.RegoV1).
		WithEnablePrintStatements(true). // ErasePrints takes them out again
		WithStageAfterID(ast.StageCheckTypes, capture).
		WithStageAfterID(ast.StageBuildRuleIndices, dropMistaken(ofCaptured))
}
