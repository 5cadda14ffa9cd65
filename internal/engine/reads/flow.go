package reads

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// class says where the strings in a value may come from, besides the data and the constants of rules.
type class uint8

const (
	// segment is a segment of the path, segments the array of them, and prefixed a segment after a constant.
	segment class = 1 << iota
	segments
	prefixed
	// member is any other member of the input.
	member
	// computed is what a builtin made.
	computed

	ofPath = segment | segments | prefixed
)

// flow finds out how the rules of an entrypoint use the segments of the path, and by which names they look up headers
// and parameters. It follows values from where they come to where they go, in any order of evaluation, until nothing
// new is found. What it does not know stops it, and then nothing is narrowed.
type flow struct {
	rules []*Rule
	// at are the rules at a path; an else is beside its rule.
	at      map[string][]*Rule
	tree    *ast.TreeNode
	vars    map[variable]class
	values  map[*ast.Rule]class
	changed bool

	// unknown is set when a construct is not followed. compared is set when a segment may be compared with a member of
	// the input, and distinguished when rules do more with a segment than to compare it and to look it up.
	unknown, compared, distinguished bool
	// prefix is the constant of all prefixed segments.
	prefix *string
	// names are the classes of the names by which members of a map are looked up, such as headers; all of them are
	// read where a map is in whole.
	names map[string]class
	whole map[string]bool
	// followed are the references that were followed, by their first part.
	followed map[**ast.Term]bool
}

// variable is a variable of one rule.
type variable struct {
	rule *Rule
	name ast.Var
}

// newFlow follows the values of all rules that the values at refs, which are asked for, depend on.
func newFlow(p *Program, all reached, refs []ast.Ref) *flow {
	rules := all.rules
	f := &flow{rules: rules, at: map[string][]*Rule{}, tree: p.tree, vars: map[variable]class{},
		values: map[*ast.Rule]class{}, names: map[string]class{}, whole: map[string]bool{},
		followed: map[**ast.Term]bool{}}
	for _, r := range rules {
		f.at[r.at] = append(f.at[r.at], r)
	}
	for f.changed = true; f.changed && !f.unknown; {
		f.changed = false
		for _, r := range rules {
			f.rule(r)
		}
	}
	for _, ref := range refs {
		f.distinguished = f.distinguished || f.below(ref)&ofPath != 0 // the answer has a segment in it
	}
	for _, r := range rules {
		for _, ref := range r.Refs {
			f.unknown = f.unknown || !f.followed[&ref[0]]
		}
	}
	return f
}

func (f *flow) add(r *Rule, v ast.Var, c class) {
	if key := (variable{r, v}); f.vars[key]|c != f.vars[key] {
		f.vars[key] |= c
		f.changed = true
	}
}

func (f *flow) rule(r *Rule) {
	f.body(r, r.Body)
	value := class(0)
	for _, t := range []*ast.Term{r.Head.Key, r.Head.Value} {
		if t != nil {
			value |= f.term(r, t)
		}
	}
	partial := r.Head.Key != nil
	for i, t := range r.Head.Reference {
		if _, constant := t.Value.(ast.String); i > 0 && !constant {
			partial = true
			value |= f.term(r, t)
		}
	}
	// A set and the keys of an object are in an order that follows from their values.
	f.distinguished = f.distinguished || partial && value&ofPath != 0
	if f.values[r.Rule]|value != f.values[r.Rule] {
		f.values[r.Rule] |= value
		f.changed = true
	}
}

func (f *flow) body(r *Rule, body ast.Body) {
	for _, x := range body {
		f.expr(r, x)
	}
}

func (f *flow) expr(r *Rule, x *ast.Expr) {
	if len(x.With) > 0 {
		f.unknown = true
		return
	}
	switch t := x.Terms.(type) {
	case *ast.Term:
		f.term(r, t)
	case []*ast.Term:
		f.call(r, t[0], t[1:])
	case *ast.Every:
		domain := parts(f.term(r, t.Domain))
		if t.Key != nil {
			f.bind(r, t.Key, domain)
		}
		f.bind(r, t.Value, domain)
		f.body(r, t.Body)
	case *ast.SomeDecl:
	default:
		f.unknown = true
	}
}

// parts is the class of the parts of a value.
func parts(c class) class {
	if c&segments != 0 {
		c |= segment
	}
	return c
}

// compare notes that values of such classes are compared with each other.
func (f *flow) compare(c class) {
	switch {
	case c&ofPath == 0:
	case c&computed != 0, c&prefixed != 0 && c&(segment|segments) != 0:
		f.distinguished = true
	case c&member != 0:
		f.compared = true
	}
}

// unify compares two terms, and gives the variables of each what the other has.
func (f *flow) unify(r *Rule, a, b *ast.Term) {
	as, aOK := a.Value.(*ast.Array)
	bs, bOK := b.Value.(*ast.Array)
	if aOK && bOK && as.Len() == bs.Len() {
		for i := range as.Len() {
			f.unify(r, as.Elem(i), bs.Elem(i))
		}
		return
	}
	of, with := f.term(r, a), f.term(r, b)
	f.compare(of | with)
	f.bind(r, a, with)
	f.bind(r, b, of)
}

// bind gives the variables of a pattern what a value of class c has.
func (f *flow) bind(r *Rule, pattern *ast.Term, c class) {
	switch v := pattern.Value.(type) {
	case ast.Var:
		f.add(r, v, c)
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { f.bind(r, t, parts(c)) })
	case ast.Object:
		v.Foreach(func(k, t *ast.Term) {
			f.bind(r, k, parts(c))
			f.bind(r, t, parts(c))
		})
	}
}

// term is the class of a term. What is within it is followed.
func (f *flow) term(r *Rule, t *ast.Term) (c class) {
	switch v := t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
	case ast.Var:
		if isRoot(t) {
			f.unknown = true
		}
		return f.vars[variable{r, v}]
	case ast.Ref:
		return f.ref(r, v)
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { c |= f.term(r, t) })
	case ast.Object:
		v.Foreach(func(k, t *ast.Term) {
			c |= f.ordered(f.term(r, k)) | f.term(r, t)
		})
	case ast.Set:
		v.Foreach(func(t *ast.Term) { c |= f.ordered(f.term(r, t)) })
	case *ast.ArrayComprehension:
		f.body(r, v.Body)
		return f.ordered(f.term(r, v.Term))
	case *ast.SetComprehension:
		f.body(r, v.Body)
		return f.ordered(f.term(r, v.Term))
	case *ast.ObjectComprehension:
		f.body(r, v.Body)
		return f.ordered(f.term(r, v.Key) | f.term(r, v.Value))
	default:
		f.unknown = true
	}
	return c
}

// ordered is a class of values whose order can be seen.
func (f *flow) ordered(c class) class {
	f.distinguished = f.distinguished || c&ofPath != 0
	return c
}

func isRoot(t *ast.Term) bool {
	return t.Equal(ast.InputRootDocument) || t.Equal(ast.DefaultRootDocument)
}
