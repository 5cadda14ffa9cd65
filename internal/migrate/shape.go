package migrate

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// shapeKind is what the values of a rule are.
type shapeKind uint8

const (
	unknownShape shapeKind = iota
	booleanShape
	objectShape
	setShape
	pairShape     // [true, "why"]
	constantShape // texts and numbers that no rule of a decision has
)

// shape is what a rule answers with.
type shape struct {
	kind shapeKind
	// members are those of an object, sorted; allows are the members that can be true or false.
	members []string
}

func (sh *shape) has(name string) bool { return slices.Contains(sh.members, name) }

func (sh *shape) merge(o shape) {
	switch {
	case sh.kind == unknownShape || sh.kind == constantShape && o.kind != unknownShape:
		sh.kind = o.kind
	case o.kind == objectShape:
		sh.kind = objectShape
	}
	for _, m := range o.members {
		if !sh.has(m) {
			sh.members = append(sh.members, m)
		}
	}
	slices.Sort(sh.members)
}

// shapeOf is the shape of all values of a rule.
func (s *session) shapeOf(full string, depth int) shape {
	var out shape
	if depth > 5 {
		return out
	}
	for _, r := range s.rules[full] {
		for part := r; part != nil; part = part.Else {
			out.merge(s.shapeOfRule(part, depth))
		}
	}
	return out
}

func (s *session) shapeOfRule(r *ast.Rule, depth int) shape {
	head := r.Head
	if ref := head.Ref(); len(ref) > 1 {
		if text, ok := ref[1].Value.(ast.String); ok {
			return shape{kind: objectShape, members: []string{string(text)}}
		}
		return shape{kind: constantShape}
	}
	if head.Key != nil {
		if head.Value == nil {
			return shape{kind: setShape}
		}
		if text, ok := head.Key.Value.(ast.String); ok {
			return shape{kind: objectShape, members: []string{string(text)}}
		}
		return shape{kind: constantShape}
	}
	if head.Value == nil {
		return shape{kind: booleanShape}
	}
	return s.shapeOfTerm(head.Value, r, depth)
}

// booleanCalls are operators whose result is true or false.
var booleanCalls = []string{"equal", "neq", "lt", "lte", "gt", "gte", "internal.member_2", "internal.member_3",
	"startswith",
	"endswith", "contains", "regex.match", "glob.match", "net.cidr_contains", "is_string", "is_null"}

func (s *session) shapeOfTerm(t *ast.Term, r *ast.Rule, depth int) shape {
	switch v := t.Value.(type) {
	case ast.Boolean:
		return shape{kind: booleanShape}
	case *ast.Array:
		if v.Len() == 2 {
			if _, ok := v.Elem(0).Value.(ast.Boolean); ok {
				return shape{kind: pairShape}
			}
		}
		return shape{kind: constantShape}
	case ast.String, ast.Number, *ast.ArrayComprehension, *ast.ObjectComprehension, *ast.TemplateString:
		return shape{kind: constantShape}
	case ast.Set, *ast.SetComprehension:
		return shape{kind: setShape}
	case ast.Object:
		return s.shapeOfObject(v)
	case ast.Call:
		if slices.Contains(booleanCalls, v[0].String()) {
			return shape{kind: booleanShape}
		}
		if strings.HasPrefix(v[0].String(), "object.union") {
			var out shape
			for _, arg := range v[1:] {
				out.merge(s.shapeOfTerm(arg, r, depth+1))
			}
			return out
		}
	case ast.Var:
		for _, x := range r.Body {
			if pattern, value, ok := binding(x); ok && pattern.Equal(t) {
				return s.shapeOfTerm(value, r, depth+1)
			}
		}
		return s.shapeOfRef(ast.Ref{t}, r, depth)
	case ast.Ref:
		return s.shapeOfRef(v, r, depth)
	}
	return shape{}
}

func (s *session) shapeOfRef(ref ast.Ref, r *ast.Rule, depth int) shape {
	for _, m := range s.modules {
		if !slices.Contains(m.ast.Rules, r) && m.file != r.Location.File {
			continue
		}
		to := s.static(ref, s.ofArguments(m, r))
		if to != nil && s.rules[dotted(to)] != nil {
			return s.shapeOf(dotted(to), depth+1)
		}
		if len(to) > 2 && s.rules[dotted(to[:len(to)-1])] != nil {
			return shape{}
		}
	}
	switch dotted(ref) {
	case "input.token.active", "input.token.present":
		return shape{kind: booleanShape}
	}
	return shape{}
}

func (s *session) shapeOfObject(o ast.Object) shape {
	out := shape{kind: objectShape}
	o.Foreach(func(k, _ *ast.Term) {
		if text, ok := k.Value.(ast.String); ok {
			out.members = append(out.members, string(text))
		}
	})
	slices.Sort(out.members)
	return out
}
