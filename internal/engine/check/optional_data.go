package check

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// optionalData is the member of custom that declares data which may be absent:
//
//	# METADATA
//	# scope: package
//	# custom: {optional_data: ["data.example.maintenance"]}
const optionalData = "optional_data"

// optionalPaths are the paths that each rule may refer to although nothing provides them, and the problems with them.
type optionalPaths struct {
	of       map[*ast.Rule][]ast.Ref
	problems bundle.Problems
}

// optionalPaths reads custom.optional_data of all metadata. A path that something provides is checked like any other.
func (p *Program) optionalPaths() *optionalPaths {
	if p.optional == nil {
		p.optional = p.readOptional()
	}
	return p.optional
}

func (p *Program) readOptional() *optionalPaths {
	out := map[*ast.Rule][]ast.Ref{}
	read := map[*ast.Annotations][]ast.Ref{}
	var problems bundle.Problems
	for found, custom := range rego.Metadata(p.compiler, optionalData) {
		a := found.Annotations
		refs, cause := refsOf(custom)
		if cause != "" {
			problems = append(problems,
				rego.ProblemAt(a.Location, CodeMetadata, "custom.%s of %s %s", optionalData, found.Path, cause))
		}
		read[a] = refs
	}
	if len(read) == 0 {
		return &optionalPaths{out, problems}
	}
	for _, s := range p.scopes {
		if s.rule != s.root {
			continue
		}
		for _, found := range p.compiler.GetAnnotationSet().Chain(s.root) {
			if refs := read[found.Annotations]; refs != nil {
				out[s.root] = append(out[s.root], refs...)
			}
		}
	}
	return &optionalPaths{out, problems.Sorted()}
}

// refsOf reads a list of references under data. cause says why it cannot be read.
func refsOf(custom any) (refs []ast.Ref, cause string) {
	list, ok := custom.([]any)
	if !ok || len(list) == 0 {
		return nil, `is not a list of paths such as "data.example.maintenance"`
	}
	for _, item := range list {
		text, _ := item.(string)
		ref, err := ast.ParseRef(text)
		if err != nil || !ref.HasPrefix(ast.DefaultRootRef) || len(ref) < 2 {
			return nil, fmt.Sprintf("has the item %q, want a path under data such as \"data.example.maintenance\"",
				text)
		}
		refs = append(refs, ref)
	}
	return refs, ""
}

// declaredOptional reports whether ref is at, below or above a path that is declared optional and absent.
func (l *dataTree) declaredOptional(ref ast.Ref, optional []ast.Ref) bool {
	for _, path := range optional {
		n := min(len(path), len(ref))
		if mayBeEqual(path[:n], ref[:n]) && l.missing(path, maxRuleDepth) != nil {
			return true
		}
	}
	return false
}

// mayBeEqual reports whether two references of one length may be the same. A variable may be equal to everything.
func mayBeEqual(a, b ast.Ref) bool {
	for i := range a {
		if ast.IsConstant(a[i].Value) && ast.IsConstant(b[i].Value) && !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
