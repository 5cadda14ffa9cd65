package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// own is the head of references that are in their new form already: the input of the sidecar. It is no name that a
// policy can have, and becomes "input" at the end.
const own = "input#"

func ownRef(path string) ast.Ref {
	ref := ast.MustParseRef(path)
	if isInput(ref) {
		ref[0] = ast.VarTerm(own)
	}
	return ref
}

// generatedPackage is where the helper rules are.
const generatedPackage = "migrated"

// helper is a reference to a rule of the generated package. Those that stay are generated.
func helper(name string) ast.Ref { return ast.MustParseRef("data." + generatedPackage + "." + name) }

// renamer renames the references of one module.
type renamer struct {
	*session
	seen *seen
	rows map[string]row
	m    *module
}

// rename renames what the modules read of the input.
func (s *session) rename(seen *seen) {
	s.pathIs = s.kindOfPath(seen)
	rows := s.product.rowsByPath(s.opts.Map)
	for _, m := range s.modules {
		n := &renamer{s, seen, rows, m}
		kept := n.imports()
		r := &rewriter{world: s.world, expr: n.expr, with: n.with, body: n.inputLocals}
		r.term = func(t *ast.Term, sc *scope) (*ast.Term, bool) { return n.term(r, t, sc, kept) }
		r.module(m)
	}
	s.uncover()
}

// uncover makes references of those that were protected.
func (s *session) uncover() {
	for _, m := range s.modules {
		m.renameVar(own, "input")
	}
}

// kindOfPath decides what the path of a product is that may be both.
func (s *session) kindOfPath(seen *seen) pathKind {
	arrays, texts := false, false
	for _, p := range []string{"path", "request.path"} {
		arrays, texts = arrays || seen.arrays[p], texts || seen.texts[p]
	}
	at, read := seen.paths["path"]
	switch {
	case arrays && texts:
		s.report.left(at.file, at.row, "input.path is used as an array and as a text",
			"it is input.request.segments here: where a text is meant, write input.request.path")
		return arrayPath
	case arrays:
		return arrayPath
	case texts:
		return textPath
	case s.product.name == "traefik":
		return arrayPath
	case read:
		s.report.left(at.file, at.row, "input.path may be an array or a text: nothing here tells",
			"it is the text input.request.path now: for an array, write input.request.segments")
	}
	return textPath
}

// imports renames what is imported of the input. It returns the names of imports that stay.
func (n *renamer) imports() map[ast.Var]bool {
	kept := map[ast.Var]bool{}
	n.m.ast.Imports = slices.DeleteFunc(n.m.ast.Imports, func(imp *ast.Import) bool {
		ref := asRef(imp.Path)
		if ref == nil || !isInput(ref) {
			return false
		}
		name := imp.Name()
		if len(ref) == 1 {
			return true // import input
		}
		to := n.target(ref, place{n.m.file, imp.Location.Row}, quiet)
		if !to.direct {
			return true // each use is written out
		}
		imp.Path = &ast.Term{Value: asInput(to.ref), Location: imp.Path.Location}
		if imp.Name() != name {
			imp.Alias = name
		}
		kept[name] = true
		return false
	})
	return kept
}

func asInput(ref ast.Ref) ast.Ref {
	out := slices.Clone(ref)
	if out[0].Equal(ast.VarTerm(own)) {
		out[0] = ast.InputRootDocument.Copy()
	}
	return out
}

// term renames one term.
func (n *renamer) term(r *rewriter, t *ast.Term, sc *scope, kept map[ast.Var]bool) (*ast.Term, bool) {
	if call, ok := t.Value.(ast.Call); ok {
		if ref := n.insteadOfCall(call, sc); ref != nil {
			return ref, true
		}
		changed := n.call(call, sc)
		return &ast.Term{Value: ast.Call(changed), Location: t.Location}, false
	}
	ref := asRef(t)
	if ref == nil {
		return t, false
	}
	full := n.resolve(ref, sc)
	if !isInput(full) {
		return t, false
	}
	head, _ := ref[0].Value.(ast.Var)
	_, isVar := t.Value.(ast.Var)
	_, imported := n.m.imports[head]
	if _, local := sc.local(head); local {
		imported = false
	}
	if isVar && head != "input" && (!imported || kept[head]) {
		return t, true // the name of a rule or a variable, which is defined in its own place
	}
	at := placeOf(n.m, t.Location)
	to := n.target(full, at, quiet)
	if head != "input" && (!imported || kept[head]) { // an alias stays, where it means the same
		base := n.target(n.resolve(ref[:1], sc), at, quiet)
		if base.direct && to.constant == nil && join(base.ref, ref[1:]).Equal(to.ref) {
			n.target(full, at, loud)
			return t, false
		}
	}
	to = n.target(full, at, loud)
	if to.constant != nil {
		return &ast.Term{Value: to.constant.Value, Location: t.Location}, true
	}
	for i := 1; i < len(to.ref); i++ {
		if !isScalar(to.ref[i]) {
			to.ref[i] = r.visit(to.ref[i], sc)
		}
	}
	return &ast.Term{Value: to.ref, Location: t.Location}, true
}

func isScalar(t *ast.Term) bool {
	switch t.Value.(type) {
	case ast.String, ast.Number, ast.Boolean, ast.Null:
		return true
	}
	return false
}

func isCallTerm(t *ast.Term) bool {
	_, ok := t.Value.(ast.Call)
	return ok
}

// target is what a reference becomes.
type target struct {
	ref      ast.Ref
	constant *ast.Term
	// direct is set when what is below the reference is below the target too, under the same names.
	direct bool
}

// sound says whether a look-up leaves its traces in the report.
type sound uint8

const (
	quiet sound = iota
	loud
)

// target finds the new form of a reference below the input.
func (n *renamer) target(full ast.Ref, at place, how sound) target {
	path := constants(full)
	for k := len(path); k > 0; k-- {
		theirs := strings.Join(path[:k], ".")
		if found, ok := n.rows[theirs]; ok {
			if to, ok := n.byRow(found, full, k, at, how); ok {
				if how == loud {
					base, _ := n.byRow(found, full[:1+k], k, at, quiet)
					n.report.renamed(theirs, base, found.note)
				}
				return to
			}
		}
	}
	if n.isPart(path) {
		if how == loud { // functions and variables take it apart: its headers are known by their names alone
			n.guessHeaders()
		}
		return target{ref: join(helper("original"), full[1:])}
	}
	return n.fromContext(full, path, at, how)
}

// stringTerm and inputTerm are parts of references.
func stringTerm(s string) *ast.Term { return ast.StringTerm(s) }
func inputTerm() *ast.Term          { return ast.InputRootDocument.Copy() }

// isPart reports whether a reference is a part of the document with several members of the table below it.
func (n *renamer) isPart(path []string) bool {
	if len(path) == 0 {
		return true
	}
	return n.hasRowsBelow(strings.Join(path, "."))
}

func (n *renamer) hasRowsBelow(path string) bool {
	for theirs := range n.rows {
		if strings.HasPrefix(theirs, path+".") {
			return true
		}
	}
	return false
}

// fromContext takes what no table knows from the context of the caller.
func (n *renamer) fromContext(full ast.Ref, path []string, at place, how sound) target {
	if how == loud && len(path) > 0 {
		if all := strings.Join(path, "."); n.product.marks != nil && n.hasRowsBelow(path[0]) && !n.mayBeOwn(path) {
			n.report.left(at.file, at.row, "input."+all+" is no member that "+n.product.title+" is known to hand on",
				"it is input.context."+all+" now, which is undefined unless the caller sends it")
		} else {
			n.report.fromContext(all, at)
		}
		n.need.original[path[0]] = true
		n.underNot(strings.Join(path, "."), "context."+strings.Join(path, ".")+" when the caller does not send it", at)
	}
	return target{ref: join(ownRef("input.context"), full[1:]), direct: true}
}

// mayBeOwn reports whether an application may have put a member where others have theirs.
func (n *renamer) mayBeOwn([]string) bool {
	return n.product.name == "opa-http" || n.product.name == "opal" || n.product.name == "authzen"
}

// byRow applies a row whose path has k parts. ok is false when the row is not meant for this use.
func (n *renamer) byRow(found row, full ast.Ref, k int, at place, how sound) (target, bool) {
	rest := full[1+k:]
	word := found.ours
	if leaf, ok := strings.CutPrefix(word, "@leaf:"); ok {
		if len(constants(join(full[:1], rest))) > 0 || n.seen.deeper[found.theirs] {
			return target{}, false
		}
		word = leaf
	}
	switch {
	case word == isUser:
		return n.user(rest, found)
	case word == isHeaders:
		return n.header(rest, at, how), true
	case word == isQuery:
		return n.parameter(rest, at, how), true
	case strings.HasPrefix(word, "@header:"):
		return n.header(append(ast.Ref{ast.StringTerm(strings.TrimPrefix(word, "@header:"))}, rest...), at, how), true
	case strings.HasPrefix(word, isConstant):
		return target{constant: ast.StringTerm(strings.TrimPrefix(word, isConstant))}, true
	case word == isNothing || word == isToken:
		return n.none(found, full, at, how), true
	case word == isPayload:
		if len(rest) == 0 {
			return target{ref: ownRef("input.token.claims")}, true
		}
		return target{ref: join(ownRef("input.token.claims"), rest[1:]), direct: true}, true
	}
	return n.byWord(word, rest, how), true
}

// byWord is the target of rows that are one reference each.
func (n *renamer) byWord(word string, rest ast.Ref, how sound) target {
	to := target{direct: true}
	switch word {
	case isPath:
		to.ref = ownRef("input.request.path")
		if n.pathIs == arrayPath {
			to.ref = n.segments()
		}
	case isSegments:
		to.ref = n.segments()
	case isURI:
		to.ref = helper("path_and_query")
	case isParsedBody:
		to.ref = helper("parsed_body")
	case isBody:
		to.ref = ownRef("input.request.body")
		if len(rest) > 0 || n.seen.deeper["body"] || n.seen.deeper["request.body"] ||
			n.seen.deeper["request.http.body"] {
			to.ref = helper("parsed_body")
		}
	case isBodyText:
		to.ref = helper("body_text")
	case isTruncated:
		to.ref = helper("truncated_body")
	case isAuthority:
		to.ref = helper("authorities")
	case isSeconds:
		to.ref = helper("seconds")
	default:
		to.ref = ownRef(word)
	}
	if how == loud && (word == isParsedBody || word == isBody || word == isBodyText || word == "input.request.body") {
		n.need.body = true
	}
	to.ref = join(to.ref, rest)
	return to
}

// user is who calls, by the options. A user with members is an object of the application.
func (n *renamer) user(rest ast.Ref, found row) (target, bool) {
	name := "input.token.subject.id"
	switch {
	case n.opts.User == "context" || n.opts.User == "" && (n.seen.deeper[found.theirs] || len(rest) > 0):
		return target{}, false
	case n.opts.User == "username":
		name = "input.token.subject.username"
	}
	return target{ref: join(ownRef(name), rest), direct: true}, true
}

// none is what has no counterpart: the context may have it, so that it loads and is undefined unless it is sent.
func (n *renamer) none(found row, full ast.Ref, at place, how sound) target {
	if how == loud {
		n.underNot(pathOf(full), "what never comes", at)
		remedy := found.note
		if found.ours == isToken {
			remedy = "policies never see a token: decide by input.token.claims, .subject, .scopes, or .active"
		}
		n.report.left(at.file, at.row, fmt.Sprintf("input.%s has no counterpart", dottedPath(full)), remedy+
			"; until then it is input.context."+dottedPath(full)+", which is undefined unless the caller sends it")
	}
	return target{ref: join(ownRef("input.context"), full[1:]), direct: true}
}

// underNot warns of a member that is read under a "not", which holds when the member is absent.
func (n *renamer) underNot(path, absent string, at place) {
	if n.seen.negated[path] {
		n.report.look(at.file, at.row, "input."+path+" is read under a not or by a rule that denies: more is "+
			"allowed for "+absent,
			"a condition that the member is there keeps it closed")
	}
}

func dottedPath(ref ast.Ref) string { return pathOf(ref) }
