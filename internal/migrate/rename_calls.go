package migrate

import (
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// expr renames what depends on an expression as a whole.
func (n *renamer) expr(x *ast.Expr, sc *scope) {
	if terms, ok := x.Terms.([]*ast.Term); ok {
		x.Terms = n.call(terms, sc)
	}
}

// call renames what depends on several operands of a call. The operands themselves are renamed later.
func (n *renamer) call(call []*ast.Term, sc *scope) []*ast.Term {
	out := append([]*ast.Term{}, call...)
	switch name := call[0].String(); name {
	case "eq", "equal", "neq", "assign", "lt", "lte", "gt", "gte":
		if len(out) < 3 {
			return out
		}
		out[1], out[2] = n.besides(out[1], out[2], sc), n.besides(out[2], out[1], sc)
	case "startswith":
		if len(out) == 3 && n.startsPath(out[1], out[2], sc) {
			out[1] = &ast.Term{Value: ownRef("input.request.path"), Location: out[1].Location}
			n.report.renamed("path, under startswith", target{ref: ownRef("input.request.path")}, "")
		}
	case "object.get":
		if len(out) > 2 {
			n.get(out, sc)
		}
	}
	return out
}

// quietTarget is what a term becomes, where it is a member of the input.
func (n *renamer) quietTarget(t *ast.Term, sc *scope) *target {
	ref := asRef(t)
	if ref == nil {
		return nil
	}
	full := n.resolve(ref, sc)
	if !isInput(full) || len(full) < 2 {
		return nil
	}
	to := n.target(full, placeOf(n.m, t.Location), quiet)
	return &to
}

// besides is an operand as it has to be beside the other: [""] is the path of the root there and [] here, and ports
// are numbers.
func (n *renamer) besides(t, other *ast.Term, sc *scope) *ast.Term {
	to := n.quietTarget(other, sc)
	if to == nil || to.constant != nil {
		return t
	}
	switch {
	case to.ref.Equal(ownRef("input.request.segments")):
		if array, ok := t.Value.(*ast.Array); ok && array.Len() == 1 && array.Elem(0).Equal(ast.StringTerm("")) {
			return &ast.Term{Value: ast.NewArray(), Location: t.Location}
		}
	case to.ref.Equal(ownRef("input.request.port")):
		if text, ok := t.Value.(ast.String); ok {
			if port, err := strconv.Atoi(string(text)); err == nil {
				return &ast.Term{Value: ast.IntNumberTerm(port).Value, Location: t.Location}
			}
		}
	case to.ref.Equal(helper("path_and_query")):
		if text, ok := t.Value.(ast.String); ok && strings.ContainsAny(string(text), "%") {
			n.report.left(n.m.file, rowOf(t), "the path was compared with encoded text",
				"it is decoded here: write the text as it reads")
		}
	}
	return t
}

func rowOf(t *ast.Term) int {
	if t.Location == nil {
		return 1
	}
	return t.Location.Row
}

// startsPath reports whether a call asks how a path begins, which the query has no part in.
func (n *renamer) startsPath(t, prefix *ast.Term, sc *scope) bool {
	text, ok := prefix.Value.(ast.String)
	to := n.quietTarget(t, sc)
	return ok && to != nil && !strings.ContainsAny(string(text), "?%") &&
		to.ref.Equal(helper("path_and_query"))
}

// get renames the path of an object.get: it becomes a look-up of the last step only.
func (n *renamer) get(call []*ast.Term, sc *scope) {
	ref, key := asRef(call[1]), pathTerms(call[2])
	if ref == nil || key == nil {
		return
	}
	base := n.resolve(ref, sc)
	if !isInput(base) || !isGround(base) {
		return
	}
	full := join(base, key)
	at := placeOf(n.m, call[2].Location)
	to := n.target(full, at, loud)
	if to.constant != nil || len(to.ref) < 2 {
		call[1], call[2] = ast.ObjectTerm(), ast.StringTerm("none")
		if to.constant != nil {
			call[1] = ast.ObjectTerm([2]*ast.Term{call[2], to.constant})
		}
		return
	}
	switch {
	case to.ref[0].Equal(ast.DefaultRootDocument) && len(to.ref) == 3: // a helper, which may be undefined
		to.ref = join(helper("original"), full[1:])
		fallthrough
	case to.ref[0].Equal(ast.DefaultRootDocument):
		call[1], call[2] = ast.NewTerm(to.ref[:3]), pathTerm(to.ref[3:])
	case len(to.ref) == 2:
		call[1], call[2] = ast.NewTerm(to.ref[0].Value), to.ref[1]
	default:
		call[1], call[2] = ast.NewTerm(to.ref[:2]), pathTerm(to.ref[2:])
	}
}

func pathTerm(steps ast.Ref) *ast.Term {
	if len(steps) == 1 {
		return steps[0]
	}
	return ast.ArrayTerm(steps...)
}

// insteadOfCall is the reference that a call becomes, or nil.
func (n *renamer) insteadOfCall(call ast.Call, sc *scope) *ast.Term {
	if body := n.parsedBody(call, sc); body != nil {
		return body
	}
	if call[0].String() != "object.get" || len(call) != 4 {
		return nil
	}
	base, key := asRef(call[1]), pathTerms(call[2])
	if base == nil || key == nil {
		return nil
	}
	full := n.resolve(base, sc)
	if !isInput(full) || !isGround(full) {
		return nil
	}
	at := placeOf(n.m, call[2].Location)
	to := n.target(join(full, key), at, quiet)
	for _, name := range []string{"header_text", "canonical_header_text", "canonical_headers", "query_text"} {
		if to.ref.Equal(helper(name)) { // which are always there
			n.target(join(full, key), at, loud)
			return &ast.Term{Value: to.ref, Location: call[1].Location}
		}
	}
	return nil
}

// parsedBody is what json.unmarshal of the body becomes: it fails on what is no JSON, where the helper is undefined.
func (n *renamer) parsedBody(call ast.Call, sc *scope) *ast.Term {
	if call[0].String() != "json.unmarshal" || len(call) != 2 {
		return nil
	}
	to := n.quietTarget(call[1], sc)
	if to == nil || !to.ref.Equal(ownRef("input.request.body")) && !to.ref.Equal(helper("body_text")) {
		return nil
	}
	n.need.body = true
	ref := helper("parsed_body")
	n.report.renamed("json.unmarshal of the body", target{ref: ref}, "")
	return ast.NewTerm(ref)
}

// segments is the path as an array. Where a policy could tell [""] from [], a helper makes the root as it was.
func (n *renamer) segments() ast.Ref {
	if n.seen.rootMatters() {
		return helper("path")
	}
	return ownRef("input.request.segments")
}
