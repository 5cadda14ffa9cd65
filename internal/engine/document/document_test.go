package document

import (
	"crypto/sha3"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// sameAsJSON checks that the terms of a document are those of its JSON form, read by encoding/json.
func sameAsJSON(t *testing.T, d *input.Document) {
	t.Helper()
	raw, err := d.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var plain any
	if err := dec.Decode(&plain); err != nil {
		t.Fatal(err)
	}
	want, err := ast.InterfaceToValue(plain)
	if err != nil {
		t.Fatal(err)
	}
	got, err := documentValue(d)
	if err != nil {
		t.Fatal(err)
	}
	// Compared as values, as policies do, and as text, which tells apart spellings of a number.
	if got.Compare(want) != 0 || got.String() != want.String() {
		t.Fatalf("terms\n%s\nJSON\n%s", got, want)
	}
}

// filler makes arbitrary values from a stream of bytes.
type filler struct{ from io.Reader }

func (f *filler) below(n int) int {
	var b [1]byte
	_, _ = io.ReadFull(f.from, b[:]) // an exhausted stream gives zeros
	return int(b[0]) % n
}

func pick[T any](f *filler, from ...T) T { return from[f.below(len(from))] }

func (f *filler) fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[*authz.Claims]():
		return
	case v.Type() == reflect.TypeFor[jsontext.Value]():
		v.SetBytes(pick(f, nil, []byte(`{}`),
			[]byte(`{"a":[1,-0,1.0,1e300,12345678901234567890,0.1],"b":{"c":null,"":[]}}`),
			[]byte(`{"\u00e9\ud834\udd1e":"\u0000\"\\/","t":true,"f":false,"z":[[[]],{}]}`),
			[]byte(` { "spaced" : [ 1 , 2 ] } `)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if f.below(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Bool:
		v.SetBool(f.below(2) == 1)
	case reflect.Int, reflect.Int64:
		v.SetInt(pick[int64](f, 0, 1, 7, 255, 1_795_000_000, -5, 1<<53+1, -1<<63, 1<<63-1))
	case reflect.String:
		v.SetString(pick(f, "", "a", "orders:read", "é𝄞", "\u2028<>&", "quo\"te\\", "\x00\x1f",
			strings.Repeat("x", 300)))
	case reflect.Slice:
		if n := f.below(5); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
			for i := range n - 1 {
				f.fill(v.Index(i))
			}
		}
	case reflect.Map:
		if n := f.below(4); n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for i := range n - 1 {
				value := reflect.New(v.Type().Elem()).Elem()
				f.fill(value)
				v.SetMapIndex(reflect.ValueOf(fmt.Sprint("k", i)), value)
			}
		}
	}
}

func filled(from io.Reader) *input.Document {
	d := &input.Document{}
	(&filler{from}).fill(reflect.ValueOf(d).Elem())
	return d
}

func TestTermsAreThoseOfTheJSONForArbitraryDocuments(t *testing.T) {
	for i := range 500 {
		sameAsJSON(t, filled(stream(fmt.Sprint("document ", i))))
	}
}

func TestTermsAreThoseOfTheJSONForTheZeroDocument(t *testing.T) { sameAsJSON(t, &input.Document{}) }

func TestTermsAreThoseOfTheJSONForAnonymousRequests(t *testing.T) {
	sameAsJSON(t, input.Anonymous(input.Query{Request: input.Request{Method: "GET", Path: "/"},
		Context: []byte(`{"a":1}`)}))
}

func FuzzTermsAreThoseOfTheJSON(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("any bytes make a document"))
	f.Fuzz(func(t *testing.T, b []byte) { sameAsJSON(t, filled(strings.NewReader(string(b)))) })
}

// FuzzContextIsReadAsJSON gives arbitrary bytes as the context of a caller.
func FuzzContextIsReadAsJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":1,"a":2}`, `{"a":1} {}`, `[`, "\xff", `{"a":1e999999999}`, `"\ud800"`,
		strings.Repeat("[", 100)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &input.Document{Context: b}
		if _, err := documentValue(d); err != nil || b == nil {
			return
		}
		sameAsJSON(t, d)
	})
}

func TestContextThatNoPolicyCanReadIsMalformed(t *testing.T) {
	for name, context := range map[string]string{
		"duplicate members": `{"a":1,"a":2}`, "two values": `{} {}`, "no value": ` `, "broken": `{"a":`,
		"broken array": `[1,`, "not UTF-8": "\"\xff\"", "lone surrogate": `"\ud800"`,
		"a number out of range": `{"a":1e999999999}`,
		"nesting":               strings.Repeat("[", jsonbound.MaxDepth+1) + strings.Repeat("]", jsonbound.MaxDepth+1),
		"a broken member":       `{"a"}`, "a bad name": `{1:2}`,
	} {
		_, err := documentValue(&input.Document{Context: []byte(context)})
		if err == nil || authz.KindOf(err) != authz.Malformed ||
			!strings.HasPrefix(err.Error(), "read input.context: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNestingUpToTheLimitIsRead(t *testing.T) {
	sameAsJSON(t, &input.Document{Context: []byte(strings.Repeat("[", jsonbound.MaxDepth) + "1" + strings.Repeat("]",
		jsonbound.MaxDepth))})
}

func TestClaimsThatNoPolicyCanReadAreNotTheCallersFault(t *testing.T) {
	claims := &authz.Claims{Raw: []byte(`{"n":1e999999999}`)}
	_, err := documentValue(input.Build(input.Query{}, claims, input.Presented{}, began))
	if authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("kind %s: %v", authz.KindOf(err), err)
	}
	if claims.Slot.Load() != nil {
		t.Error("something was kept")
	}
}

func arbitraryClaims(i int) *authz.Claims {
	f := &filler{stream(fmt.Sprint("claims ", i))}
	c := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://id.example", ID: fmt.Sprint(i),
		Subject: authz.Subject{ID: "u", Type: authz.User},
		Tenant:  pick(f, "", "acme"), ExpiresAt: pick[authz.Time](f, 0, 2_000_000_000), Fetched: began,
		Slot:                 new(authz.Slot),
		Raw:                  pick(f, []byte(`{"active":true}`), []byte(`{"active":true,"x":[1,{"y":1.0}]}`)),
		Auth:                 authz.Authentication{Level: 2, HasLevel: f.below(2) == 1},
		AuthorizationDetails: pick(f, nil, []byte(`[{"type":"t"}]`)),
		Confirmation: pick(f, authz.Confirmation{}, authz.Confirmation{JKT: "k"},
			authz.Confirmation{X5T: "x"}),
	}
	for _, list := range []*[]string{&c.Scopes, &c.Audiences, &c.Roles, &c.Groups, &c.Permissions, &c.Auth.AMR} {
		f.fill(reflect.ValueOf(list).Elem())
	}
	if f.below(2) == 1 {
		c.Actor = &authz.Actor{Subject: "a"}
	}
	return c
}

func TestCachedTokenReadsLikeAnUncachedOne(t *testing.T) {
	for i := range 50 {
		claims := arbitraryClaims(i)
		for _, now := range []time.Duration{0, 0, 5 * time.Second, 5 * time.Second, 0, time.Hour} {
			for _, p := range []input.Presented{{Scheme: "bearer"}, {Scheme: "dpop", Verified: true}, {Scheme: "dpop"},
				{}} {
				d := input.Build(input.Query{Request: input.Request{Method: "GET"}}, claims, p, began.Add(now))
				sameAsJSON(t, d)
				d.Token.Stale = true
				sameAsJSON(t, d)
			}
		}
		if claims.Slot.Load() == nil {
			t.Fatal("nothing was kept")
		}
	}
}

func TestTokenIsNotConvertedAgainWithinASecond(t *testing.T) {
	claims := arbitraryClaims(1)
	whole := NewView(Usage{"": true})
	term := func(at time.Duration) *ast.Term {
		got, err := whole.tokenTerm(input.Build(input.Query{}, claims, input.Presented{Scheme: "bearer"},
			began.Add(at)))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := term(0)
	if term(time.Millisecond) != first {
		t.Error("converted again for the same second")
	}
	later := term(time.Second)
	if later == first {
		t.Error("a later second has the same term")
	}
	get := func(of *ast.Term) *ast.Term { return of.Value.(ast.Object).Get(ast.StringTerm("claims")) }
	if get(later) != get(first) {
		t.Error("the claims were converted again")
	}
}

func TestCachedTokenIsSharedByConcurrentRequests(t *testing.T) {
	claims := arbitraryClaims(2)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				p := input.Presented{Scheme: []string{"bearer", "dpop"}[(g+i)%2]}
				d := input.Build(input.Query{}, claims, p, began.Add(time.Duration(i%3)*time.Second))
				got, err := documentValue(d)
				if err != nil {
					t.Error(err)
					return
				}
				uncached := *d
				uncached.Claims = nil
				if want, _ := documentValue(&uncached); got.Compare(want) != 0 {
					t.Errorf("got %s, want %s", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// claimsOf are claims of about 1 KB, as an authorization server gives them.
func claimsOf(i int) *authz.Claims {
	raw := fmt.Sprintf(
		`{"active":true,"iss":"https://id.example/realms/acme","sub":"user-%06d","client_id":"web","username":"user-%06d@acme.example","scope":"openid profile orders:read orders:write invoices:read","aud":["https://api.example","https://billing.example"],"exp":1795000000,"iat":1794996400,"nbf":1794996400,"jti":"id-%06d","token_type":"Bearer","acr":"gold","amr":["pwd","otp"],"tenant":"acme","realm_access":{"roles":["manager","reader","offline_access"]},"resource_access":{"account":{"roles":["manage-account","view-profile"]},"billing":{"roles":["accountant"]}},"email":"user@acme.example","email_verified":true,"given_name":"Some","family_name":"Body","locale":"en","groups":["/acme/berlin","/acme/sales"],"note":%q}`, i, i, i, strings.Repeat("n", 230))
	return &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://id.example/realms/acme", ID: fmt.Sprintf("id-%06d", i),
		ClientID: "web", Slot: new(authz.Slot),
		Subject:   authz.Subject{ID: fmt.Sprintf("user-%06d", i), Type: authz.User, Username: "user@acme.example"},
		Scopes:    []string{"invoices:read", "openid", "orders:read", "orders:write", "profile"},
		Audiences: []string{"https://api.example", "https://billing.example"},
		Tenant:    "acme", Roles: []string{"manager", "offline_access", "reader"},
		Groups:   []string{"/acme/berlin", "/acme/sales"},
		Auth:     authz.Authentication{ACR: "gold", AMR: []string{"pwd", "otp"}},
		IssuedAt: 1_794_996_400, NotBefore: 1_794_996_400, ExpiresAt: 1_795_000_000, Raw: []byte(raw), Fetched: began,
	}
}

// stream is an endless stream that a text stands for.
func stream(of string) io.Reader {
	s := sha3.NewSHAKE128()
	_, _ = s.Write([]byte(of))
	return s
}

// documentValue is the whole document, as a policy that reads all of its input gets it.
func documentValue(d *input.Document) (ast.Value, error) { return NewView(Usage{"": true}).Value(d) }

var began = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
