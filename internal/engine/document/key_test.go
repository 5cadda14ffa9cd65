package document

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// keyOf is the key of a rule that reads the references in refs, within a policy that reads nothing else.
func keyOf(t testing.TB, refs ...string) (*Key, []ast.Ref) {
	t.Helper()
	usage := Usage{}
	var paths []reads.Path
	var parsed []ast.Ref
	for _, text := range refs {
		ref := ast.MustParseRef(text)
		usage.add(ref)
		p := reads.Path{}
		for _, part := range ref[1:] {
			switch v := part.Value.(type) {
			case ast.String:
				p = append(p, reads.Step{Name: string(v)})
			case ast.Number:
				n, _ := v.Int()
				p = append(p, reads.Step{Position: n, IsPosition: true})
			}
		}
		paths, parsed = append(paths, p), append(parsed, ref)
	}
	return NewKey(paths, &reads.Narrowing{}, NewView(usage)), parsed
}

// valuesOf are the values of refs in a document, as text; absent ones are distinct from all values.
func valuesOf(t testing.TB, d *input.Document, refs []ast.Ref) string {
	t.Helper()
	v, err := documentValue(d)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, ref := range refs {
		found, err := v.Find(ref[1:])
		fmt.Fprintf(&out, "%v %t\n", found, err == nil)
	}
	return out.String()
}

var keyRefs = [][]string{
	{"input"}, {"input.request"}, {"input.token"}, {"input.request.segments"},
	{"input.request.segments[0]", "input.request.segments[2]"},
	{"input.request.headers.k0", "input.request.headers.k9"},
	{"input.request.headers.k0[1]"}, {"input.request.query"}, {"input.token.audiences", "input.token.tenant"},
	{"input.token.subject.id", "input.token.actor.subject", "input.token.auth.level"}, {"input.context"},
	{"input.subject.id", "input.action.name", "input.resource"}, {"input.mcp"}, {"input.mcp.tool"},
	{"input.request.body"}, {"input.request.method.x", "input.request.scheme[0]", "input.request[0]", "input.nothing"},
}

// TestKeysAreEqualOnlyForEqualValues compares the documents in pairs that differ in a few members.
func TestKeysAreEqualOnlyForEqualValues(t *testing.T) {
	for _, refs := range keyRefs {
		key, parsed := keyOf(t, refs...)
		values, equal := map[string]string{}, 0
		for i := range 600 {
			d := filled(stream(fmt.Sprint("key ", i%300)))
			if i >= 300 { // all but one member are those of a document before
				f := &filler{stream(fmt.Sprint("change ", i))}
				fields := reflect.ValueOf(d).Elem()
				within := fields.Field(f.below(fields.NumField()))
				if within.Kind() == reflect.Struct {
					within = within.Field(f.below(within.NumField()))
				}
				within.SetZero()
				f.fill(within)
			}
			text := string(key.Append(nil, d))
			got := valuesOf(t, d, parsed)
			if had, ok := values[text]; ok {
				if equal++; had != got {
					t.Fatalf("%v: one key for\n%s\nand\n%s", refs, had, got)
				}
			}
			values[text] = got
		}
		if equal == 0 && refs[0] != "input" {
			t.Errorf("%v: no two documents have one key", refs)
		}
	}
}

// TestTextsOfAnyLengthAreApart: the bytes of two texts on end are equal, and so are the last bytes of their lengths.
func TestTextsOfAnyLengthAreApart(t *testing.T) {
	key, _ := keyOf(t, "input.request.method", "input.request.path")
	long := strings.Repeat("x", 255)
	a := key.Append(nil, &input.Document{Request: input.Request{Method: "\x00" + long}})
	b := key.Append(nil, &input.Document{Request: input.Request{Path: long + "\x00"}})
	if bytes.Equal(a, b) {
		t.Errorf("one key: %q", a)
	}
}

// TestBordersAreInTheKey draws lists and maps of texts that look like the marks and lengths of a key.
func TestBordersAreInTheKey(t *testing.T) {
	texts := []string{"", "\x00", "\x01", "\x01\x00", "\x01\x01"}
	for _, refs := range [][]string{
		{"input.token.roles", "input.token.groups"}, {"input.request.headers", "input.request.query"},
		{"input.request.headers.a", "input.request.headers.b"}, {"input.request.segments", "input.token.scopes"},
		{"input.request.segments[0]", "input.request.segments[1]", "input.request.method"},
		{"input.request.headers.a[0]", "input.request.headers.b[0]", "input.request.headers[\"\"][0]"},
	} {
		key, parsed := keyOf(t, refs...)
		r := rand.New(rand.NewPCG(1, 2))
		list := func() []string {
			out := make([]string, r.IntN(3))
			for i := range out {
				out[i] = texts[r.IntN(len(texts))]
			}
			return out
		}
		lists := func(names ...string) map[string][]string {
			out := map[string][]string{}
			for range r.IntN(3) {
				out[names[r.IntN(len(names))]] = list()
			}
			return out
		}
		values := map[string]string{}
		for range 10_000 {
			d := &input.Document{Request: input.Request{Method: texts[r.IntN(len(texts))], Segments: list(),
				Headers: lists("a", "b", "", "\x01"), Query: lists("", "\x00", "\x01")},
				Token: input.Token{Roles: list(), Groups: list(), Scopes: list()}}
			text, got := string(key.Append(nil, d)), valuesOf(t, d, parsed)
			if had, ok := values[text]; ok && had != got {
				t.Fatalf("%v: one key for\n%s\nand\n%s", refs, had, got)
			}
			values[text] = got
			if again := string(key.Append(nil, d)); again != text {
				t.Fatalf("two keys of one document: %q and %q", text, again)
			}
		}
	}
}

func TestMembersThatAreNotReadAreNotInTheKey(t *testing.T) {
	key, _ := keyOf(t, "input.request.method", "input.request.segments[0]", "input.request.headers[\"x-tenant\"]",
		"input.token.tenant")
	d := &input.Document{Request: input.Request{Method: "GET", Path: "/a/b", Segments: []string{"a", "b"},
		Headers: map[string][]string{"x-tenant": {"t"}, "x-request-id": {"1"}}}}
	was := key.Append(nil, d)
	d.Request.Path, d.Request.Segments = "/a/c/d", []string{"a", "c", "d"}
	d.Request.Headers = map[string][]string{"x-tenant": {"t"}, "x-request-id": {"2"}}
	d.Token.Subject.ID, d.Token.Claims, d.Context = "u", []byte(`{"a":1}`), []byte(`{"b":1}`)
	if got := key.Append(nil, d); !bytes.Equal(was, got) {
		t.Errorf("%q became %q", was, got)
	}
}

// TestJSONThatOtherRulesReadIsInTheKey keeps a document that cannot be read from being answered from memory.
func TestJSONThatOtherRulesReadIsInTheKey(t *testing.T) {
	view := NewView(Usage{"context": true, "subject": true, "token.claims": true, "mcp": true})
	key := NewKey([]reads.Path{{{Name: "request"}, {Name: "method"}}}, &reads.Narrowing{}, view)
	was := key.Append(nil, &input.Document{})
	for name, d := range map[string]*input.Document{
		"context": {Context: []byte(`{"a":1,"a":2}`)}, "claims": {Token: input.Token{Claims: []byte(`{`)}},
		"properties": {Subject: &input.Entity{Properties: []byte(`[`)}},
	} {
		if bytes.Equal(was, key.Append(nil, d)) {
			t.Errorf("%s is not in the key", name)
		}
	}
}

func TestAKeyAllocatesNothing(t *testing.T) {
	key, _ := keyOf(t, "input.request.method", "input.request.headers", "input.request.segments[0]",
		"input.token.scopes", "input.token.subject.id", "input.context")
	d := &input.Document{Request: input.Request{Method: "GET", Segments: []string{"a", "b"},
		Headers: map[string][]string{"x-tenant": {"t"}, "accept": {"a", "b"}}}, Context: []byte(`{"a":1}`)}
	buffer := key.Append(nil, d)
	if n := testing.AllocsPerRun(1000, func() { buffer = key.Append(buffer[:0], d) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
