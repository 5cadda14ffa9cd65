package rego

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// atEachUse tells errors about references behind an import once for each use: in OPA all uses of an import share one
// term, so that all errors have the location of the last.
func atEachUse(errs ast.Errors, modules map[string]*ast.Module) ast.Errors {
	var out ast.Errors
	for _, e := range errs {
		var locations []*ast.Location
		if ref := refOfError(e); ref != nil && e.Location != nil && modules[e.Location.File] != nil {
			locations = usesOfImport(modules[e.Location.File], ref.GroundPrefix())
		}
		if len(locations) == 0 {
			out = append(out, e)
		}
		for _, at := range locations {
			moved := *e
			moved.Location = at
			out = append(out, &moved)
		}
	}
	return out
}

func refOfError(e *ast.Error) ast.Ref {
	switch detail := e.Details.(type) {
	case *ast.RefErrInvalidDetail:
		return detail.Ref
	case *ast.RefErrUnsupportedDetail:
		return detail.Ref
	}
	return nil
}

// usesOfImport are the locations in a parsed module of references that begin with an import and stand for ref.
func usesOfImport(m *ast.Module, ref ast.Ref) []*ast.Location {
	paths := map[ast.Var]ast.Ref{}
	for _, i := range m.Imports {
		if path, ok := i.Path.Value.(ast.Ref); ok && ref.HasPrefix(path) {
			paths[i.Name()] = path
		}
	}
	if len(paths) == 0 {
		return nil
	}
	var locations []*ast.Location
	for _, root := range m.Rules {
		for r := root; r != nil; r = r.Else {
			VisitRefs(r, func(_ *ast.Term, written ast.Ref, at *ast.Location) {
				name, ok := written[0].Value.(ast.Var)
				if path := paths[name]; ok && path != nil && path.Concat(written[1:]).HasPrefix(ref) {
					locations = append(locations, at)
				}
			})
		}
	}
	return locations
}
