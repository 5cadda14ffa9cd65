// Package document turns the input document into terms of OPA, as far as a policy reads it.
//
// A document is converted straight from its Go types, without JSON in between. The converter of each type is made
// once, from the struct tags that also make its JSON form, so that the two cannot differ.
package document

import (
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"weak"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// converter turns a value of one Go type into a term.
type converter func(v reflect.Value) (*ast.Term, error)

// member is one member of an object.
type member struct {
	name    string
	index   int
	key     *ast.Term
	omit    bool
	lists   bool // it is a map of strings to strings
	convert converter
}

var (
	documentMembers = membersOf(reflect.TypeFor[input.Document]())
	requestMembers  = membersOf(reflect.TypeFor[input.Request]())
	tokenMembers    = membersOf(reflect.TypeFor[input.Token]())
)

// View is the part of the document that a policy can read. Other members are not converted.
type View struct {
	document, request []member
	// static are members of a token that follow from its claims, perRequest those that differ from request to request.
	static, perRequest []member
	// name is equal for views that have the same static members.
	name  string
	forms *forms
}

// NewView returns the part of the document that a policy uses.
func NewView(r Usage) *View {
	v := &View{document: r.of(documentMembers, ""), request: r.of(requestMembers, "request"),
		forms: &forms{}}
	for i := range v.request {
		m := &v.request[i]
		if names := r.names(m.name); m.lists && 0 < len(names) && len(names) <= maxNamed {
			m.convert = namedLists(names)
		}
	}
	var names []string
	for _, m := range r.of(tokenMembers, "token") {
		switch m.name {
		case "scheme", "binding", "age", "stale":
			v.perRequest = append(v.perRequest, m)
		default:
			v.static = append(v.static, m)
			names = append(names, m.name)
		}
	}
	v.name = strings.Join(names, " ")
	return v
}

// Value converts d, as far as the policy can read it. An error has the kind of who sent the member that cannot be
// read.
func (v *View) Value(d *input.Document) (ast.Value, error) {
	fields := reflect.ValueOf(d).Elem()
	var space pairsSpace
	pairs := space[:0]
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
			t, err = v.tokenTerm(d)
		case m.name == "token":
			t, err = object(f, slices.Concat(v.static, v.perRequest))
		case m.name == "request":
			t, err = object(f, v.request)
		default:
			t, err = m.convert(f)
		}
		if err != nil {
			return nil, authz.Errorf(kindFor(m.name), "read input.%s: %w", m.name, err)
		}
		pairs = append(pairs, [2]*ast.Term{m.key, t})
	}
	return ast.NewObject(pairs...), nil
}

// kindFor is the kind of an error about a member: the token comes from the issuer, all else from the caller.
func kindFor(member string) authz.Kind {
	if member == "token" {
		return authz.Misconfigured
	}
	return authz.Malformed
}

// cachedToken is what the slot of claims refers to, weakly. It is immutable but for latest and used.
type cachedToken struct {
	view   string
	static [][2]*ast.Term
	size   int // estimated, in bytes
	latest atomic.Pointer[latestToken]
	used   atomic.Bool
}

// latestToken is the converted token of the latest request. Most requests within a second have the same.
type latestToken struct {
	view *View
	key  requestKey
	term *ast.Term
}

// requestKey is what differs between tokens of the same claims.
type requestKey struct {
	scheme  string
	binding input.Binding
	age     int64
	stale   bool
}

// form returns the kept form of the claims of a document, or makes it.
func (v *View) form(d *input.Document, token reflect.Value) (*cachedToken, error) {
	if kept, ok := d.Claims.Slot.Load().(weak.Pointer[cachedToken]); ok {
		if form := kept.Value(); form != nil && form.view == v.name {
			markUsed(&form.used)
			return form, nil
		}
	}
	static, err := pairsOf(token, v.static, nil)
	if err != nil {
		return nil, err
	}
	form := &cachedToken{view: v.name, static: static, size: formSize(static)}
	d.Claims.Slot.Store(weak.Make(form))
	v.forms.keep(form)
	return form, nil
}

// tokenTerm converts the token of a document with claims. Most of it is kept while it is used.
func (v *View) tokenTerm(d *input.Document) (*ast.Term, error) {
	token := reflect.ValueOf(&d.Token).Elem()
	form, err := v.form(d, token)
	if err != nil {
		return nil, err
	}
	key := v.key(&d.Token)
	if last := form.latest.Load(); last != nil && last.view == v && last.key == key {
		return last.term, nil
	}
	pairs := append(make([][2]*ast.Term, 0, len(form.static)+len(v.perRequest)), form.static...)
	pairs, err = pairsOf(token, v.perRequest, pairs)
	if err != nil {
		return nil, err
	}
	term := ast.NewTerm(ast.NewObject(pairs...))
	form.latest.Store(&latestToken{v, key, term})
	return term, nil
}

// key is what differs between tokens of the same claims, as far as the view shows it.
func (v *View) key(t *input.Token) (k requestKey) {
	for i := range v.perRequest {
		switch v.perRequest[i].name {
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

// object converts a struct.
func object(v reflect.Value, members []member) (*ast.Term, error) {
	var space pairsSpace
	pairs, err := pairsOf(v, members, space[:0])
	return ast.NewTerm(ast.NewObject(pairs...)), err
}

// pairsSpace is memory for the members of an object, which are copied from it. Most objects have no more.
type pairsSpace [16][2]*ast.Term

func pairsOf(v reflect.Value, members []member, pairs [][2]*ast.Term) ([][2]*ast.Term, error) {
	for i := range members {
		m := &members[i]
		f := v.Field(m.index)
		if m.omit && f.IsZero() {
			continue
		}
		t, err := m.convert(f)
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
		out = append(out, member{name: name, index: f.Index[0], key: ast.StringTerm(name), omit: omit == "omitzero",
			lists: f.Type.Kind() == reflect.Map, convert: converterFor(f.Type)})
	}
	return out
}

func converterFor(t reflect.Type) converter {
	if t == reflect.TypeFor[jsontext.Value]() {
		return func(v reflect.Value) (*ast.Term, error) { return term.ParseJSON(v.Bytes()) }
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := converterFor(t.Elem())
		return func(v reflect.Value) (*ast.Term, error) { return inner(v.Elem()) }
	case reflect.Bool:
		return func(v reflect.Value) (*ast.Term, error) { return ast.InternedTerm(v.Bool()), nil }
	case reflect.Int, reflect.Int64:
		return func(v reflect.Value) (*ast.Term, error) { return ast.InternedTerm(v.Int()), nil }
	case reflect.String:
		return func(v reflect.Value) (*ast.Term, error) { return ast.StringTerm(v.String()), nil }
	case reflect.Slice: // of strings
		return func(v reflect.Value) (*ast.Term, error) { return stringsTerm(*v.Addr().Interface().(*[]string)), nil }
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
	terms, space := make([]*ast.Term, len(list)), make([]ast.Term, len(list)+1)
	for i, s := range list {
		space[i].Value = ast.String(s)
		terms[i] = &space[i]
	}
	array := &space[len(list)]
	array.Value = ast.NewArray(terms...)
	return array
}

func stringListsTerm(lists map[string][]string) *ast.Term {
	if len(lists) == 0 {
		return ast.InternedEmptyObject
	}
	var space pairsSpace
	pairs, names := space[:0], make([]ast.Term, len(lists)+1)
	for name, list := range lists {
		key := &names[len(pairs)]
		key.Value = ast.String(name)
		pairs = append(pairs, [2]*ast.Term{key, stringsTerm(list)})
	}
	all := &names[len(lists)]
	all.Value = ast.NewObject(pairs...)
	return all
}

// maxNamed is how many header fields, or parameters of the query, are looked for one by one.
const maxNamed = 16

// namedLists converts those members of a map of strings to strings that have one of names.
func namedLists(names []string) converter {
	keys := make([]*ast.Term, len(names))
	for i, name := range names {
		keys[i] = ast.StringTerm(name)
	}
	return func(v reflect.Value) (*ast.Term, error) {
		lists := v.Interface().(map[string][]string)
		var space pairsSpace
		pairs := space[:0]
		for i, name := range names {
			if list, ok := lists[name]; ok {
				pairs = append(pairs, [2]*ast.Term{keys[i], stringsTerm(list)})
			}
		}
		if len(pairs) == 0 {
			return ast.InternedEmptyObject, nil
		}
		return ast.NewTerm(ast.NewObject(pairs...)), nil
	}
}
