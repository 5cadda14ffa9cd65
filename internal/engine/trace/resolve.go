package trace

import (
	"cmp"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Lookup returns the value of a reference under data, with that input, or nil.
type Lookup func(ref ast.Ref, input *ast.Term) ast.Value

// resolver finds the values of operands after the evaluation.
type resolver struct {
	lookup Lookup
	hide   *hider
}

// operands are those of m that have a value, or are known to be undefined.
func (r *resolver) operands(m *moment) []Operand {
	var out []Operand
	for _, o := range m.operands {
		v, missing, ok := r.value(o.term, m.input)
		if !ok {
			continue
		}
		shown := Operand{Text: o.text, Path: r.path(o)}
		if v == nil {
			shown.Undefined, shown.Missing = true, missingPart(cmp.Or(shown.Path, o.text), missing)
		} else {
			shown.Value = r.hide.value(o, v)
		}
		if shown.Value == o.text { // a constant that went through a variable
			continue
		}
		out = append(out, shown)
	}
	if m.expr.IsEquality() && len(out) == 2 && !out[0].Undefined && out[0].Value == out[1].Value {
		return out[1:] // it holds: one side is enough
	}
	return out
}

// path is the plugged reference, where its text has variables in it. The variable at its beginning keeps its name.
func (r *resolver) path(o operand) string {
	ref, ok := o.term.Value.(ast.Ref)
	if !ok || len(ref) == 0 || !strings.Contains(o.text, "[") {
		return ""
	}
	ref = ref.GroundPrefix()
	if !isName(ref[0]) {
		root := o.text[:strings.IndexAny(o.text, ".[")]
		if !ast.IsVarCompatibleString(root) { // the result of a call
			return ""
		}
		ref = append(ast.Ref{ast.VarTerm(root)}, ref[1:]...)
	}
	path := r.hide.text(ref.String())
	if path == o.text || len(path) > maxValue {
		return ""
	}
	return path
}

// value is that of a plugged term: nil, and the shortest undefined part, when it is undefined. ok is false when a
// variable has no value.
func (r *resolver) value(t *ast.Term, input *ast.Term) (v ast.Value, missing ast.Ref, ok bool) {
	ref, is := t.Value.(ast.Ref)
	if !is {
		return t.Value, nil, t.IsGround() && !hasRef(t)
	}
	if len(ref) == 0 {
		return nil, nil, false
	}
	ref = ref.GroundPrefix()
	switch root := ref[0]; {
	case root.Equal(ast.InputRootDocument):
		if input == nil {
			return nil, ref[:1], true
		}
		return member(input.Value, ref)
	case root.Equal(ast.DefaultRootDocument):
		v := r.lookup(ref, input)
		return v, ref, true
	case root.IsGround() && !isName(root):
		return member(root.Value, ref)
	}
	return nil, nil, false
}

func isName(t *ast.Term) bool {
	_, is := t.Value.(ast.Var)
	return is
}

// hasRef reports whether a value has references within, of which nothing is known.
func hasRef(t *ast.Term) bool {
	found := false
	ast.WalkRefs(t, func(ast.Ref) bool { found = true; return true })
	return found
}

// member looks for the path of ref in v.
func member(v ast.Value, ref ast.Ref) (found ast.Value, missing ast.Ref, ok bool) {
	for i, name := range ref[1:] {
		var t *ast.Term
		switch c := v.(type) {
		case ast.Object:
			t = c.Get(name)
		case *ast.Array:
			t = c.Get(name)
		case ast.Set:
			if c.Contains(name) {
				t = name
			}
		}
		if t == nil {
			return nil, ref[:i+2], true
		}
		v = t.Value
	}
	return v, nil, true
}

// missingPart is the text of a part of an undefined reference, where it is a real part of it.
func missingPart(text string, missing ast.Ref) string {
	if part := missing.String(); len(part) < len(text) && strings.HasPrefix(text, part) {
		return part
	}
	return ""
}
