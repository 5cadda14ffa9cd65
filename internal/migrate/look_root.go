package migrate

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// arrayPaths are the members that are [""] for the root where the sidecar has [].
var arrayPaths = []string{"path", "request.path", "parsed_path", "request.path_parts"}

// rootUses counts the uses of such members, and those that cannot tell [""] from [].
type rootUses struct{ all, safe int }

func (s *seen) rootMatters() bool { return s.root.all > s.root.safe }

// lookAtRoot counts a term.
func (s *session) lookAtRoot(out *seen, to ast.Ref) {
	if path := pathOf(to); !slices.Contains(arrayPaths, path) {
		return
	} else if n := len(constants(to)) + 1; n < len(to) {
		if i, ok := to[n].Value.(ast.Number); ok && i != "0" {
			out.root.safe++ // the root has one part
		}
	}
	out.root.all++
}

// lookAtRootCall counts the operands of a call that cannot tell the difference.
func (s *session) lookAtRootCall(out *seen, call []*ast.Term, sc *scope) {
	name := call[0].String()
	if len(call) != 3 {
		return
	}
	for i, t := range call[1:] {
		other := call[2-i]
		if v, ok := other.Value.(ast.Var); ok && name == "assign" && i == 1 && s.isRootPath(t, sc) {
			if _, local := sc.local(v); local {
				out.root.safe += 2 // another name, whose uses count
			}
			continue
		}
		switch {
		case s.isRootPath(t, sc):
			if array, ok := other.Value.(*ast.Array); ok && tellsNoRoot(array) &&
				slices.Contains(comparisons[:4], name) {
				out.root.safe++
			}
		case s.isFirstPart(t, sc):
			text, ok := other.Value.(ast.String)
			if ok && text != "" && (name == "equal" || name == "eq") {
				out.root.safe++
			}
		case s.isCountOfRootPath(t, sc):
			if n, ok := other.Value.(ast.Number); ok && n != "0" && n != "1" && name != "neq" && i == 0 &&
				name != "lt" && name != "lte" {
				out.root.safe++
			}
		}
	}
}

var comparisons = []string{"eq", "equal", "assign", "neq", "lt", "lte", "gt", "gte"}

// tellsNoRoot reports whether an array is the root, or nothing that the root could be.
func tellsNoRoot(array *ast.Array) bool {
	if array.Len() != 1 {
		return array.Len() > 1
	}
	_, constant := array.Elem(0).Value.(ast.String)
	return constant
}

func (s *session) isRootPath(t *ast.Term, sc *scope) bool {
	return slices.Contains(arrayPaths, s.inputPath(t, sc))
}

// isFirstPart reports whether a term is the first part of a path.
func (s *session) isFirstPart(t *ast.Term, sc *scope) bool {
	ref := asRef(t)
	if ref == nil {
		return false
	}
	to := s.resolve(ref, sc)
	return isInput(to) && slices.Contains(arrayPaths, pathOf(to)) && len(to) == len(constants(to))+2 &&
		to[len(to)-1].Equal(ast.IntNumberTerm(0))
}

func (s *session) isCountOfRootPath(t *ast.Term, sc *scope) bool {
	call, ok := t.Value.(ast.Call)
	return ok && len(call) == 2 && call[0].String() == "count" && s.isRootPath(call[1], sc)
}
