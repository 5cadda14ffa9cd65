package engine

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/input"
)

// compileTyped compiles modules with names for what may be read of headers and parameters, and returns the errors. OPA then
// takes every name for one that is always there, so that it refuses "input.request.query == {}": a set that does so is compiled
// with the maps as they are, and what is wrong besides is told all the same.
func compileTyped(cfg Config, modules map[string]*ast.Module, conflicts func([]string) (bool, error), how strictness) (*ast.Compiler, ast.Errors) {
	compiler := newCompiler(cfg, namedSchema(cfg, modules), how).WithPathConflictsCheck(conflicts)
	if modules == nil {
		return compiler, nil
	}
	compiler.Compile(modules)
	found := withFunctions(relocated(compiler.Errors, modules), modules)
	errs := slices.DeleteFunc(slices.Clone(found), comparesMaps)
	if len(errs) == len(found) {
		return compiler, errs
	}
	compiler = newCompiler(cfg, inputSchema(), how).WithPathConflictsCheck(conflicts)
	compiler.Compile(modules)
	for _, e := range withFunctions(relocated(compiler.Errors, modules), modules) {
		if !slices.ContainsFunc(errs, func(said *ast.Error) bool { return said.Error() == e.Error() }) {
			errs = append(errs, e)
		}
	}
	return compiler, errs
}

// comparesMaps reports whether an error is about two objects that OPA holds for different by their members.
func comparesMaps(e *ast.Error) bool {
	detail, ok := e.Details.(*ast.UnificationErrDetail)
	return ok && kindsOf(detail.Left)&kindsOf(detail.Right)&objectKind != 0
}

// inputSchema is the schema of the input, decoded.
func inputSchema() map[string]any {
	var schema map[string]any
	if err := json.Unmarshal(input.Schema(), &schema); err != nil {
		panic(err) // our own schema
	}
	return schema
}

// noName stands in the schema where no name is known: OPA does not type an object without members.
const noName = "(none)"

// namedSchema types the input of modules. OPA takes no type for the members of a map, so that the names that may be read of
// input.request.headers and input.request.query are spelt out as members: a name that no policy ever sees is then an undefined
// reference, and a comparison of the array of values with a text is a match error.
func namedSchema(cfg Config, modules map[string]*ast.Module) map[string]any {
	named := namesIn(modules)
	headers := cfg.Headers
	if headers == nil {
		headers = slices.DeleteFunc(slices.Clone(named), func(name string) bool {
			return name != strings.ToLower(name) || input.HoldsCredential(name)
		})
	}
	schema := inputSchema()
	request := schema["properties"].(map[string]any)["request"].(map[string]any)["properties"].(map[string]any)
	spellOut(request["headers"].(map[string]any), headers, strings.ToLower)
	spellOut(request["query"].(map[string]any), slices.DeleteFunc(named, input.HoldsToken), strings.Clone)
	return schema
}

// spellOut turns the schema of a map into one of an object with the members names.
func spellOut(schema map[string]any, names []string, as func(string) string) {
	properties := map[string]any{}
	for _, name := range names {
		properties[as(name)] = schema["additionalProperties"]
	}
	if len(properties) == 0 {
		properties[noName] = schema["additionalProperties"]
	}
	schema["properties"], schema["additionalProperties"] = properties, false
}

// namesIn are the texts within the references of modules, sorted: whatever a policy may read by its name is among them.
func namesIn(modules map[string]*ast.Module) []string {
	var names []string
	for _, m := range modules {
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			for _, t := range ref[1:] {
				if s, ok := t.Value.(ast.String); ok {
					names = append(names, string(s))
				}
			}
			return false
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}
