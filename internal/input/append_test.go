package input_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestAppendJSONIsMarshal fills documents at random, with members left out, empty and nil.
func TestAppendJSONIsMarshal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var doc input.Document
		fill(r, reflect.ValueOf(&doc).Elem())
		want, wantErr := json.Marshal(&doc, json.Deterministic(true))
		got, err := doc.AppendJSON([]byte("before"))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%+v: error %v, want %v", doc, err, wantErr)
		}
		if err == nil && string(got) != "before"+string(want) {
			t.Fatalf("%s\nwant %s", got[len("before"):], want)
		}
	}
}

var (
	texts  = []string{"", "a", "orders:read", "a\"b\\c\n", "é\u2028", "<&>", "\x7f", "no \xff UTF-8"}
	values = []string{`{}`, `[]`, `{"a":[1,2.50,null,true,"é"]}`, `"x"`}
)

// fill sets v to a random value, three times in four.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[jsontext.Value]():
		if r.IntN(3) > 0 {
			v.SetBytes([]byte(values[r.IntN(len(values))]))
		}
		return
	case reflect.TypeFor[input.Document](), reflect.TypeFor[input.Token](), reflect.TypeFor[input.Request]():
	default:
		if r.IntN(4) == 0 {
			return
		}
	}
	switch v.Kind() {
	case reflect.String:
		text := texts[r.IntN(len(texts)-1)]
		if r.IntN(200) == 0 {
			text = texts[len(texts)-1]
		}
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64() - r.Int64())
	case reflect.Pointer:
		if v.Type().Elem().PkgPath() == "github.com/authz-sidecar/sidecar/internal/authz" {
			return // is not in the JSON form
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 4))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(20) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key)
			fill(r, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(r, v.Field(i))
			}
		}
	}
}

// ordinary is a document as most decisions have it.
func ordinary() *input.Document {
	claims := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://as.example", ID: "0b9d51a2",
		Subject: authz.Subject{ID: "alice", Type: authz.User, Username: "alice@acme.example"}, ClientID: "shop",
		Scopes: []string{"orders:read", "orders:write"}, Audiences: []string{"orders"}, Tenant: "acme",
		Roles: []string{"clerk"}, IssuedAt: 1732268400, ExpiresAt: 1732272000, Fetched: time.Unix(1732268400, 0),
		Raw: []byte(`{"active":true,"aud":"orders","client_id":"shop","exp":1732272000,"iat":1732268400,` +
			`"iss":"https://as.example","scope":"orders:read orders:write","sub":"alice","tenant":"acme"}`),
	}
	q := input.Query{Request: input.Request{
		Method: "GET", Scheme: "https", Host: "api.acme.example", Port: 443, Path: "/orders/42", RawPath: "/orders/42",
		Segments: []string{"orders", "42"}, Query: map[string][]string{"expand": {"items"}},
		Headers: map[string][]string{"x-tenant": {"acme"}, "x-request-id": {"7f9"}}, SourceIP: "10.1.2.3",
	}}
	return input.Build(q, claims, input.Presented{Scheme: "bearer"}, time.Unix(1732268460, 0))
}

func TestAppendJSONDoesNotAllocate(t *testing.T) {
	doc, dst := ordinary(), make([]byte, 0, 4096)
	testkit.WithinAllocations(t, 0, func() {
		if _, err := doc.AppendJSON(dst); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkAppendJSON is what the decision log pays for the document of a decision.
func BenchmarkAppendJSON(b *testing.B) {
	doc := ordinary()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = doc.AppendJSON(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(dst)))
}
