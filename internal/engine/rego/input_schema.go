package rego

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// Compile compiles modules, with the names that may be read of headers and parameters in the schema, and returns the
// errors. OPA assumes that a named member is always there, and refuses comparisons such as "input.request.query ==
// {}". Such a set is compiled without the names, and the other errors are kept.
func Compile(
	opts Options, modules map[string]*ast.Module, conflicts func([]string) (bool, error), how Strictness,
) (*ast.Compiler, ast.Errors) {
	compiler := newCompiler(opts, namedSchema(opts, modules), how).WithPathConflictsCheck(conflicts)
	if modules == nil {
		return compiler, nil
	}
	compiler.Compile(modules)
	found := withFunctionHints(atEachUse(compiler.Errors, modules), modules)
	errs := slices.DeleteFunc(slices.Clone(found), isMapComparison)
	if len(errs) == len(found) {
		return compiler, errs
	}
	compiler = newCompiler(opts, InputSchemaOf(modules), how).WithPathConflictsCheck(conflicts)
	compiler.Compile(modules)
	for _, e := range withFunctionHints(atEachUse(compiler.Errors, modules), modules) {
		if !slices.ContainsFunc(errs, func(said *ast.Error) bool { return said.Error() == e.Error() }) {
			errs = append(errs, e)
		}
	}
	return compiler, errs
}

// CompileUntyped compiles modules whose input is not that of the schema.
func CompileUntyped(
	opts Options, modules map[string]*ast.Module, conflicts func([]string) (bool, error),
) (*ast.Compiler, ast.Errors) {
	compiler := newCompiler(opts, map[string]any{}, Lenient).WithPathConflictsCheck(conflicts)
	compiler.Compile(modules)
	return compiler, compiler.Errors
}

// isMapComparison reports whether an error is about two objects that differ in the names of their members.
func isMapComparison(e *ast.Error) bool {
	detail, ok := e.Details.(*ast.UnificationErrDetail)
	return ok && term.KindsOf(detail.Left)&term.KindsOf(detail.Right)&term.ObjectKind != 0
}

// InputSchema is the decoded schema of the input.
func InputSchema() map[string]any {
	var schema map[string]any
	if err := json.Unmarshal(input.Schema(), &schema); err != nil {
		panic(err) // the schema is generated and tested
	}
	return schema
}

// Property is the schema of a member of an object, or nil, and whether the object always has it.
func Property(schema map[string]any, name string) (member map[string]any, required bool) {
	member, _ = propertiesOf(schema)[name].(map[string]any)
	names, _ := schema["required"].([]any)
	return member, slices.Contains(names, any(name))
}

// noKnownName is the one member where no name is known: OPA does not type an object without members.
const noKnownName = "(none)"

// namedSchema is the schema of the input for modules. OPA does not type the members of a map, so that the names which
// may be read of input.request.headers and input.request.query become members. A name that policies never see is then
// an undefined reference, and comparing the array of values with a string is a match error.
func namedSchema(opts Options, modules map[string]*ast.Module) map[string]any {
	named := constantNames(modules)
	headers := opts.Headers
	if headers == nil {
		headers = slices.DeleteFunc(slices.Clone(named), func(name string) bool {
			return name != strings.ToLower(name) || input.HoldsCredential(name)
		})
	}
	schema := InputSchemaOf(modules)
	request := schema["properties"].(map[string]any)["request"].(map[string]any)["properties"].(map[string]any)
	nameMembers(request["headers"].(map[string]any), headers, strings.ToLower)
	nameMembers(request["query"].(map[string]any), slices.DeleteFunc(named, input.HoldsToken), strings.Clone)
	return schema
}

// InputSchemaOf is the schema of the input with what the metadata of modules call unknown in filters and no decision
// has: the rows of tables, which may be of any type.
func InputSchemaOf(modules map[string]*ast.Module) map[string]any {
	schema := InputSchema()
	properties := schema["properties"].(map[string]any)
	for _, m := range modules {
		for _, a := range m.Annotations {
			if a.Compile == nil {
				continue
			}
			for _, ref := range a.Compile.Unknowns {
				if path := constantPrefix(ref); len(path) > 1 && ref.HasPrefix(ast.InputRootRef) &&
					properties[path[1]] == nil {
					properties[path[1]] = map[string]any{}
				}
			}
		}
	}
	return schema
}

// nameMembers turns the schema of a map into the schema of an object with named members.
func nameMembers(schema map[string]any, names []string, as func(string) string) {
	properties := map[string]any{}
	for _, name := range names {
		properties[as(name)] = schema["additionalProperties"]
	}
	if len(properties) == 0 {
		properties[noKnownName] = schema["additionalProperties"]
	}
	schema["properties"], schema["additionalProperties"] = properties, false
}

var (
	memberRef = ast.Member.Ref()
	equalRef  = ast.Equal.Ref()
)

// isMember reports whether a term is a reference to a member with a constant name.
func isMember(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	return ok && len(ref) > 1 && ref.IsGround()
}

// constantNames are the strings of modules that may name a member, sorted: those within references, and those that
// calls such as object.get are given, variables and rules hold.
func constantNames(modules map[string]*ast.Module) []string {
	names := map[string]bool{}
	add := func(t *ast.Term) {
		if s, ok := t.Value.(ast.String); ok {
			names[string(s)] = true
		}
	}
	for _, m := range modules {
		ast.WalkTerms(m, func(t *ast.Term) bool {
			switch v := t.Value.(type) {
			case ast.Ref:
				for _, step := range v[1:] {
					add(step)
				}
			case ast.Call:
				eachOperand(v, add)
			}
			return false
		})
		ast.WalkExprs(m, func(x *ast.Expr) bool {
			if terms, ok := x.Terms.([]*ast.Term); ok {
				eachOperand(terms, add)
			}
			return false
		})
		for _, r := range m.Rules {
			if r.Head.Value != nil {
				add(r.Head.Value)
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// eachOperand visits the operands of a call that may name a member, and the elements of those that are paths. A text
// that a call only compares with a member, or looks for in a collection, becomes the value of no variable.
func eachOperand(call []*ast.Term, visit func(*ast.Term)) {
	operands := call[1:]
	name, _ := call[0].Value.(ast.Ref)
	switch {
	case len(operands) != 2:
	case name.Equal(memberRef):
		operands = operands[1:]
	case name.Equal(equalRef) && (isMember(operands[0]) || isMember(operands[1])):
		return
	}
	for _, operand := range operands {
		visit(operand)
		if path, ok := operand.Value.(*ast.Array); ok {
			path.Foreach(visit)
		}
	}
}
