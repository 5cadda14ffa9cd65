package engine

import (
	"reflect"
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
	tokenMembers    = membersOf(reflect.TypeFor[input.Token]())
	// tokenFresh are the members of a token that differ from request to request; the others follow from its claims.
	tokenStatic, tokenFresh = split(tokenMembers, "scheme", "binding", "age", "stale")
)

func documentValue(d *input.Document) (ast.Value, error) {
	v := reflect.ValueOf(d).Elem()
	pairs := make([][2]*ast.Term, 0, len(documentMembers))
	for i := range documentMembers {
		m := &documentMembers[i]
		f := v.Field(m.index)
		if m.omit && f.IsZero() {
			continue
		}
		var t *ast.Term
		var err error
		if m.name == "token" && d.Claims != nil {
			t, err = tokenTerm(d)
		} else {
			t, err = m.plan(f)
		}
		if err != nil {
			return nil, authz.E(authz.Malformed, "read input.%s: %w", m.name, err)
		}
		pairs = append(pairs, [2]*ast.Term{m.key, t})
	}
	return ast.NewObject(pairs...), nil
}

// tokenForm is what the engine keeps in the slot of claims. It is immutable but for latest.
type tokenForm struct {
	static [][2]*ast.Term
	latest atomic.Pointer[freshForm]
}

// freshForm is a whole token as it was for some request; within a second most requests look alike.
type freshForm struct {
	fresh freshKey
	term  *ast.Term
}

type freshKey struct {
	scheme  string
	binding input.Binding
	age     int64
	stale   bool
}

func tokenTerm(d *input.Document) (*ast.Term, error) {
	form, _ := d.Claims.Slot.Load().(*tokenForm)
	if form == nil {
		static, err := pairsOf(reflect.ValueOf(&d.Token).Elem(), tokenStatic, nil)
		if err != nil {
			return nil, err
		}
		form = &tokenForm{static: static}
		d.Claims.Slot.Store(form)
	}
	key := freshKey{d.Token.Scheme, d.Token.Binding, d.Token.Age, d.Token.Stale}
	if last := form.latest.Load(); last != nil && last.fresh == key {
		return last.term, nil
	}
	pairs := append(make([][2]*ast.Term, 0, len(form.static)+len(tokenFresh)), form.static...)
	pairs, err := pairsOf(reflect.ValueOf(&d.Token).Elem(), tokenFresh, pairs)
	if err != nil {
		return nil, err
	}
	term := ast.NewTerm(ast.NewObject(pairs...))
	form.latest.Store(&freshForm{key, term})
	return term, nil
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

func split(all []member, names ...string) (others, named []member) {
	for _, m := range all {
		if strings.Contains(" "+strings.Join(names, " ")+" ", " "+m.name+" ") {
			named = append(named, m)
		} else {
			others = append(others, m)
		}
	}
	return others, named
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
		return func(v reflect.Value) (*ast.Term, error) {
			pairs, err := pairsOf(v, members, make([][2]*ast.Term, 0, len(members)))
			return ast.NewTerm(ast.NewObject(pairs...)), err
		}
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
