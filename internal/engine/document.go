package engine

import (
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// The document is mapped straight from its Go types to terms, with no JSON in between. Each type is planned once, from
// the same tags that make its JSON form, so the two cannot differ.

// plan turns a value of one Go type into a term.
type plan func(v reflect.Value) (*ast.Term, error)

// member is one member of an object.
type member struct {
	name  string
	index int
	key   *ast.Term
	omit  bool
	plan  plan
}

var (
	documentMembers = membersOf(reflect.TypeFor[input.Document]())
	requestMembers  = membersOf(reflect.TypeFor[input.Request]())
	tokenMembers    = membersOf(reflect.TypeFor[input.Token]())
)

// view is the part of the document that a policy can read. What nobody reads is not turned into terms.
type view struct {
	document, request []member
	// static are members of a token that follow from its claims, fresh those that differ from request to request.
	static, fresh []member
	// name is equal for views that have the same static members.
	name string
}

// newView returns the part of the document that r names.
func newView(r reads) *view {
	v := &view{document: r.of(documentMembers, ""), request: r.of(requestMembers, "request")}
	var names []string
	for _, m := range r.of(tokenMembers, "token") {
		switch m.name {
		case "scheme", "binding", "age", "stale":
			v.fresh = append(v.fresh, m)
		default:
			v.static = append(v.static, m)
			names = append(names, m.name)
		}
	}
	v.name = strings.Join(names, " ")
	return v
}

// value returns the terms of d, as far as they can be read.
func (v *view) value(d *input.Document) (ast.Value, error) {
	fields := reflect.ValueOf(d).Elem()
	pairs := make([][2]*ast.Term, 0, len(v.document))
	for i := range v.document {
		m := &v.document[i]
		f := fields.Field(m.index)
		if m.omit && f.IsZero() {
			continue
		}
		var t *ast.Term
		var err error
		switch {
		case m.name == "token" && d.Claims != nil:
			t, err = v.known(d)
		case m.name == "token":
			t, err = object(f, slices.Concat(v.static, v.fresh))
		case m.name == "request":
			t, err = object(f, v.request)
		default:
			t, err = m.plan(f)
		}
		if err != nil {
			return nil, authz.Errorf(blame(m.name), "read input.%s: %w", m.name, err)
		}
		pairs = append(pairs, [2]*ast.Term{m.key, t})
	}
	return ast.NewObject(pairs...), nil
}

// blame says whose fault it is when a member of the document cannot be read: the issuer's or the caller's.
func blame(member string) authz.Kind {
	if member == "token" {
		return authz.Misconfigured
	}
	return authz.Malformed
}

// tokenForm is what the engine keeps in the slot of claims. It is immutable but for latest.
type tokenForm struct {
	view   string
	static [][2]*ast.Term
	latest atomic.Pointer[freshForm]
}

// freshForm is a whole token as it was for some request; within a second most requests look alike.
type freshForm struct {
	view  *view
	fresh freshKey
	term  *ast.Term
}

type freshKey struct {
	scheme  string
	binding input.Binding
	age     int64
	stale   bool
}

// known returns the token of a document with claims, most of which is kept beside them.
func (v *view) known(d *input.Document) (*ast.Term, error) {
	token := reflect.ValueOf(&d.Token).Elem()
	form, _ := d.Claims.Slot.Load().(*tokenForm)
	if form == nil || form.view != v.name {
		static, err := pairsOf(token, v.static, nil)
		if err != nil {
			return nil, err
		}
		form = &tokenForm{view: v.name, static: static}
		d.Claims.Slot.Store(form)
	}
	key := v.key(&d.Token)
	if last := form.latest.Load(); last != nil && last.view == v && last.fresh == key {
		return last.term, nil
	}
	pairs := append(make([][2]*ast.Term, 0, len(form.static)+len(v.fresh)), form.static...)
	pairs, err := pairsOf(token, v.fresh, pairs)
	if err != nil {
		return nil, err
	}
	term := ast.NewTerm(ast.NewObject(pairs...))
	form.latest.Store(&freshForm{v, key, term})
	return term, nil
}

// key tells tokens of the same claims apart, as far as the view can tell.
func (v *view) key(t *input.Token) (k freshKey) {
	for i := range v.fresh {
		switch v.fresh[i].name {
		case "scheme":
			k.scheme = t.Scheme
		case "binding":
			k.binding = t.Binding
		case "age":
			k.age = t.Age
		case "stale":
			k.stale = t.Stale
		}
	}
	return k
}

func object(v reflect.Value, members []member) (*ast.Term, error) {
	pairs, err := pairsOf(v, members, make([][2]*ast.Term, 0, len(members)))
	return ast.NewTerm(ast.NewObject(pairs...)), err
}

func pairsOf(v reflect.Value, members []member, pairs [][2]*ast.Term) ([][2]*ast.Term, error) {
	for i := range members {
		m := &members[i]
		f := v.Field(m.index)
		if m.omit && f.IsZero() {
			continue
		}
		t, err := m.plan(f)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{m.key, t})
	}
	return pairs, nil
}

func membersOf(t reflect.Type) []member {
	var out []member
	for f := range t.Fields() {
		name, omit, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		out = append(out, member{name: name, index: f.Index[0], key: ast.StringTerm(name), omit: omit == "omitzero", plan: planOf(f.Type)})
	}
	return out
}

func planOf(t reflect.Type) plan {
	if t == reflect.TypeFor[jsontext.Value]() {
		return func(v reflect.Value) (*ast.Term, error) { return parseJSON(v.Bytes()) }
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := planOf(t.Elem())
		return func(v reflect.Value) (*ast.Term, error) { return inner(v.Elem()) }
	case reflect.Bool:
		return func(v reflect.Value) (*ast.Term, error) { return ast.InternedTerm(v.Bool()), nil }
	case reflect.Int, reflect.Int64:
		return func(v reflect.Value) (*ast.Term, error) { return ast.InternedTerm(v.Int()), nil }
	case reflect.String:
		return func(v reflect.Value) (*ast.Term, error) { return ast.StringTerm(v.String()), nil }
	case reflect.Slice: // of strings
		return func(v reflect.Value) (*ast.Term, error) { return stringsTerm(v.Interface().([]string)), nil }
	case reflect.Map: // of strings to strings
		return func(v reflect.Value) (*ast.Term, error) {
			return stringListsTerm(v.Interface().(map[string][]string)), nil
		}
	default:
		members := membersOf(t)
		return func(v reflect.Value) (*ast.Term, error) { return object(v, members) }
	}
}

func stringsTerm(list []string) *ast.Term {
	if len(list) == 0 {
		return ast.InternedEmptyArray
	}
	terms := make([]*ast.Term, len(list))
	for i, s := range list {
		terms[i] = ast.StringTerm(s)
	}
	return ast.ArrayTerm(terms...)
}

func stringListsTerm(lists map[string][]string) *ast.Term {
	if len(lists) == 0 {
		return ast.InternedEmptyObject
	}
	pairs := make([][2]*ast.Term, 0, len(lists))
	for name, list := range lists {
		pairs = append(pairs, [2]*ast.Term{ast.StringTerm(name), stringsTerm(list)})
	}
	return ast.NewTerm(ast.NewObject(pairs...))
}
