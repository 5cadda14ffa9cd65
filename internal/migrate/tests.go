package migrate

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Tests say what the input is: "with input as {...}" and "with input.method as "GET"" become the input of the sidecar.

// with translates the replacement of the input or of a member.
func (n *renamer) with(wi *ast.With, sc *scope) []*ast.With {
	at := placeOf(n.m, wi.Location)
	ref := asRef(wi.Target)
	if ref == nil {
		return []*ast.With{wi}
	}
	if strings.HasPrefix(wi.Target.String(), "io.jwt.") {
		n.report.left(at.file, at.row, "the test replaces "+wi.Target.String()+", which is not called any more",
			"replace input.token.claims and input.token.active")
		return nil
	}
	full := n.resolve(ref, sc)
	if !isInput(full) || !isGround(full) {
		return []*ast.With{wi}
	}
	if len(full) == 1 {
		wi.Value = n.wholeInput(wi.Value, sc, at)
		return []*ast.With{wi}
	}
	d := &document{renamer: n, at: at, sc: sc}
	d.put(constants(full), wi.Value)
	var out []*ast.With
	for _, l := range d.withToken() {
		out = append(out, &ast.With{Target: ast.NewTerm(l.to), Value: l.value, Location: wi.Location})
	}
	return out
}

// wholeInput translates what a test puts in the place of the input: an object, or the name of one.
func (n *renamer) wholeInput(value *ast.Term, sc *scope, at place) *ast.Term {
	if object, ok := value.Value.(ast.Object); ok {
		d := &document{renamer: n, at: at, sc: sc}
		d.put(nil, ast.NewTerm(object))
		return d.object()
	}
	if ref := asRef(value); ref != nil {
		if v, ok := ref[0].Value.(ast.Var); ok && len(ref) == 1 {
			if _, local := sc.local(v); local {
				return value // translated where it gets its value
			}
		}
		if to := n.static(ref, sc); to != nil && n.inputRule(dotted(to)) {
			return value
		}
	}
	n.report.left(at.file, at.row, "the test makes its input by "+value.String(),
		"make it of members of the sidecar's input")
	return value
}

// inputRule translates the value of a rule that is used as an input, once.
func (n *renamer) inputRule(name string) bool {
	if n.inputs == nil {
		n.inputs = map[string]bool{}
	}
	if n.inputs[name] {
		return true
	}
	for _, m := range n.modules {
		for _, r := range m.ast.Rules {
			if fullName(m, r) != name || r.Head.Value == nil || len(r.Head.Args) > 0 {
				continue
			}
			object, ok := r.Head.Value.Value.(ast.Object)
			if !ok {
				continue
			}
			d := &document{renamer: n, at: placeOf(m, r.Location), sc: n.inRule(m, r)}
			d.put(nil, ast.NewTerm(object))
			r.Head.Value = &ast.Term{Value: d.object().Value, Location: r.Head.Value.Location}
			n.inputs[name] = true
		}
	}
	return n.inputs[name]
}

// inputLocals translates objects that a body gives a name, to use them as the input.
func (n *renamer) inputLocals(b ast.Body, sc *scope, _ func(ast.Var) bool) ast.Body {
	for _, x := range b {
		for _, wi := range x.With {
			v, ok := wi.Value.Value.(ast.Var)
			if target := asRef(wi.Target); !ok || len(target) != 1 || !isInput(target) {
				continue
			}
			for _, y := range b {
				pattern, value, ok := binding(y)
				object, isObject := ast.Object(nil), false
				if ok {
					object, isObject = value.Value.(ast.Object)
				}
				if !isObject || !pattern.Equal(ast.NewTerm(v)) {
					continue
				}
				d := &document{renamer: n, at: placeOf(n.m, y.Location), sc: sc}
				d.put(nil, ast.NewTerm(object))
				y.Terms.([]*ast.Term)[2] = d.object()
			}
		}
	}
	return b
}

// document is an input of a test in the making.
type document struct {
	*renamer
	at     place
	sc     *scope
	leaves []leaf
}

// leaf is one member of it.
type leaf struct {
	to    ast.Ref
	value *ast.Term
}

func (d *document) set(to string, value *ast.Term) {
	d.leaves = append(d.leaves, leaf{ownRef(to), value})
}

// put translates a member at a path.
func (d *document) put(path []string, value *ast.Term) {
	for k := len(path); k > 0; k-- {
		found, ok := d.rows[strings.Join(path[:k], ".")]
		if ok && d.putRow(found, path, k, value) {
			return
		}
	}
	if object, ok := value.Value.(ast.Object); ok && (len(path) == 0 || d.hasRowsBelow(strings.Join(path, "."))) {
		object.Foreach(func(key, v *ast.Term) {
			if name, ok := key.Value.(ast.String); ok {
				d.put(append(slices.Clone(path), string(name)), v)
			}
		})
		return
	}
	d.context(path, value)
}

func (d *document) context(path []string, value *ast.Term) {
	to := ownRef("input.context")
	for _, p := range path {
		to = append(to, ast.StringTerm(p))
	}
	d.leaves = append(d.leaves, leaf{to, value})
}

// putRow translates a member by its row, whose path has k parts.
func (d *document) putRow(found row, path []string, k int, value *ast.Term) bool {
	full := ast.Ref{inputTerm()}
	for _, p := range path {
		full = append(full, ast.StringTerm(p))
	}
	switch found.ours {
	case isHeaders, isQuery:
		d.named(found.ours, path[k:], value)
		return true
	case isToken:
		d.token(value)
		return true
	case isPath, isSegments, isURI, "input.request.path":
		d.path(value)
		return true
	case isParsedBody:
		d.set("input.request.body", ast.JSONMarshal.Call(value))
		return true
	case isBody, isBodyText:
		if _, object := value.Value.(ast.Object); object {
			value = ast.JSONMarshal.Call(value)
		}
		d.set("input.request.body", value)
		return true
	case isTruncated:
		d.set("input.request.body_truncated", value)
		return true
	case isAuthority:
		return d.authorities(value)
	case isNothing, isSeconds:
		d.context(path, value)
		return true
	}
	if _, object := value.Value.(ast.Object); object && strings.HasPrefix(found.ours, "@leaf:") {
		return false
	}
	to, ok := d.byRow(found, full, k, d.at, quiet)
	if ok && to.constant == nil && !to.ref[0].Equal(ast.DefaultRootDocument) {
		d.leaves = append(d.leaves, leaf{to.ref, value})
	}
	return ok
}

// named translates headers or parameters: their values are arrays.
func (d *document) named(what string, rest []string, value *ast.Term) {
	to, lower := "input.request.headers", strings.ToLower
	if what == isQuery {
		to, lower = "input.request.query", func(s string) string { return s }
	}
	add := func(name string, v *ast.Term) {
		if what == isHeaders && lower(name) == "authorization" {
			d.token(v)
			return
		}
		if _, array := v.Value.(*ast.Array); !array {
			v = ast.ArrayTerm(v)
		}
		d.leaves = append(d.leaves, leaf{append(ownRef(to), ast.StringTerm(lower(name))), v})
	}
	if len(rest) > 0 {
		add(rest[0], value)
		return
	}
	object, ok := value.Value.(ast.Object)
	if !ok {
		d.report.left(d.at.file, d.at.row, "the test makes "+what[1:]+" by "+value.String(),
			"give each an array of values")
		return
	}
	if object.Len() == 0 {
		d.set(to, ast.ObjectTerm())
	}
	object.Foreach(func(k, v *ast.Term) {
		if name, ok := k.Value.(ast.String); ok {
			add(string(name), v)
		}
	})
}

// withToken adds that there is a token, where a member of it is said.
func (d *document) withToken() []leaf {
	for _, l := range d.leaves {
		if len(l.to) > 2 && l.to[1].Equal(ast.StringTerm("token")) {
			d.set("input.token.present", ast.BooleanTerm(true))
			d.set("input.token.active", ast.BooleanTerm(true))
			return d.leaves
		}
	}
	return d.leaves
}

// object is the document as one term.
func (d *document) object() *ast.Term {
	root := map[string]any{}
	for _, l := range d.withToken() {
		at := root
		parts := constants(l.to)
		for _, p := range parts[:len(parts)-1] {
			next, ok := at[p].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[p] = next
			}
			at = next
		}
		at[parts[len(parts)-1]] = l.value
	}
	return objectOf(root)
}

func objectOf(members map[string]any) *ast.Term {
	out := ast.NewObject()
	for name, v := range members {
		if inner, ok := v.(map[string]any); ok {
			out.Insert(ast.StringTerm(name), objectOf(inner))
		} else {
			out.Insert(ast.StringTerm(name), v.(*ast.Term))
		}
	}
	return ast.NewTerm(out)
}
