package input_test

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

var update = flag.Bool("update", false, "write golden files")

func TestSchemaIsWhatIsPublished(t *testing.T) {
	golden(t, "../../docs/input.schema.json", input.Schema())
}

func TestDocumentOfATokenHasExactlyThePublishedMembers(t *testing.T) {
	claims := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://id", ID: "j1",
		Subject: authz.Subject{ID: "u1", Type: authz.User, Username: "alice"}, ClientID: "web",
		Scopes: []string{"a", "b"}, Audiences: []string{"api"}, Tenant: "acme", Roles: []string{"r"},
		Groups: []string{"g"}, Permissions: []string{"p"},
		Auth:                 authz.Authentication{ACR: "1", AMR: []string{"pwd"}, Time: 5, Level: 2, HasLevel: true},
		Actor:                &authz.Actor{Subject: "s", ClientID: "c"},
		AuthorizationDetails: []byte(`[{"type":"t"}]`), Confirmation: authz.Confirmation{JKT: "k"}, IssuedAt: 1,
		NotBefore: 2, ExpiresAt: 3,
		Raw: []byte(`{"active":true,"big":12345678901234567890}`), Fetched: time.Unix(100, 0),
	}
	req, err := strict().Request(&authz.Request{Method: "GET", URL: "https://api.example/orders/42?q=1",
		Headers: map[string][]string{"x-tenant": {"acme"}}, SourceIP: "10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	doc := input.Build(input.Query{Request: req, Context: []byte(`{"k":[1]}`)}, claims,
		input.Presented{Scheme: "bearer"}, time.Unix(107, 5))
	got, err := doc.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/full.json", append(got, '\n'))
}

func TestDocumentWithoutTokenStillHasPresentAndActive(t *testing.T) {
	req, _ := strict().Request(get("/"))
	got, err := input.Anonymous(input.Query{Request: req}).AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/anonymous.json", append(got, '\n'))
}

func TestFactsAreStaleFromTheirSoftLifetimeOn(t *testing.T) {
	req, _ := strict().Request(get("/"))
	for name, c := range map[string]struct {
		fresh time.Duration
		age   time.Duration
		want  bool
	}{
		"young": {10 * time.Second, 10*time.Second - 1, false}, "old": {10 * time.Second, 10 * time.Second, true},
		"without limit": {0, time.Hour, false}, "asked for in this request": {10 * time.Second, -time.Second, false},
	} {
		now := time.Now()
		doc := input.Build(input.Query{Request: req}, &authz.Claims{Fetched: now.Add(-c.age), FreshFor: c.fresh},
			input.Presented{}, now)
		if doc.Token.Stale != c.want {
			t.Errorf("%s: stale %t", name, doc.Token.Stale)
		}
	}
}

func TestAbsentAudiencesAreTellableFromNone(t *testing.T) {
	req, _ := strict().Request(get("/"))
	for name, aud := range map[string][]string{"absent": nil, "none": {}} {
		b, _ := input.Build(input.Query{Request: req}, &authz.Claims{Audiences: aud}, input.Presented{},
			time.Now()).AppendJSON(nil)
		if got := strings.Contains(string(b), `"audiences":[]`); got != (aud != nil) {
			t.Errorf("%s: %s", name, b)
		}
	}
}

// TestSchemaNamesEveryMemberOfTheDocument keeps the schema generator honest about kinds it does not know.
func TestSchemaNamesEveryMemberOfTheDocument(t *testing.T) {
	var s map[string]any
	if err := json.Unmarshal(input.Schema(), &s); err != nil {
		t.Fatal(err)
	}
	var walk func(ty reflect.Type, s map[string]any, at string)
	walk = func(ty reflect.Type, s map[string]any, at string) {
		for f := range ty.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			member, ok := s["properties"].(map[string]any)[name].(map[string]any)
			if !ok {
				t.Errorf("%s.%s is not in the schema", at, name)
				continue
			}
			if f.Tag.Get("doc") == "" {
				t.Errorf("%s.%s says nothing about itself", at, name)
			}
			kind := f.Type
			if kind.Kind() == reflect.Pointer {
				kind = kind.Elem()
			}
			want := map[reflect.Kind]string{
				reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer",
				reflect.Map: "object", reflect.Struct: "object", reflect.Slice: "array",
			}[kind.Kind()]
			if f.Tag.Get("schema") == "object" {
				want = "object"
			}
			if member["type"] != want {
				t.Errorf("%s.%s is %v in the schema, want %s", at, name, member["type"], want)
			}
			if kind.Kind() == reflect.Struct {
				walk(kind, member, at+"."+name)
			}
		}
	}
	walk(reflect.TypeFor[input.Document](), s, "input")
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; run the test with -update and read the change\n got %s\nwant %s", file, got, want)
	}
}
