package dialect

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestTrap6_WhatIsNotUnderstoodStillBinds(t *testing.T) {
	for members, want := range map[string]authz.Confirmation{
		`"x":1`:                                  {},
		`"cnf":null`:                             {},
		`"cnf":{"jkt":"a"}`:                      {JKT: "a"},
		`"cnf":{"jkt":"a","kc-jkt-type":"DPoP"}`: {JKT: "a"},
		`"cnf":{"x5t#S256":"b"}`:                 {X5T: "b"},
		`"cnf":{"jkt":"a","x5t#S256":"b"}`:       {JKT: "a", X5T: "b"},
		`"cnf":{"jwk":{}}`:                       {Unknown: "jwk"},
		`"cnf":{"jwk":"a"}`:                      {Unknown: "jwk"},
		`"cnf":{"jwk":` + rfc7638Key + `}`:       {JKT: rfc7638Thumbprint},
		`"cnf":{"jwk":` + rfc7638Key + `,"jkt":"` + rfc7638Thumbprint + `"}`: {JKT: rfc7638Thumbprint},
		`"cnf":{"jwk":` + rfc7638Key + `,"jkt":"a"}`:                         {JKT: "a", Unknown: "jwk"},
		`"cnf":{"jwk":{"kty":"oct","k":"c2VjcmV0"}}`:                         {Unknown: "jwk"},
		`"cnf":{"jkt":"a","new":1,"kid":"x"}`:                                {JKT: "a", Unknown: "kid"},
		`"cnf":{"jkt":7}`:                                                    {Unknown: "jkt"},
		`"cnf":{"jkt":""}`:                                                   {Unknown: "jkt"},
		`"cnf":{"":"a"}`:                                                     {Unknown: "cnf"},
		`"cnf":{}`:                                                           {Unknown: "cnf"},
		`"cnf":{"kc-jkt-type":"DPoP"}`:                                       {Unknown: "cnf"},
		`"cnf":"a"`:                                                          {Unknown: "cnf"},
		`"cnf":[]`:                                                           {Unknown: "cnf"},
		`"token_type":"dpop"`:                                                {Unknown: "dpop without jkt"},
		`"typ":"DPoP","cnf":{"x5t#S256":"b"}`:                                {X5T: "b", Unknown: "dpop without jkt"},
		`"token_type":"DPoP","cnf":{"jkt":"a"}`:                              {JKT: "a"},
	} {
		if got := normalised(t, in("keycloak"), active(members)).Confirmation; got != want {
			t.Errorf("{%s}: %+v, want %+v", members, got, want)
		}
	}
}

func TestActors(t *testing.T) {
	for act, want := range map[string]*authz.Actor{
		`{"sub":"a"}`: {Subject: "a"}, `"a"`: {Subject: "a"}, `{"client_id":"c"}`: {ClientID: "c"},
		`{"sub":"a","act":{"sub":"b"}}`: {Subject: "a"},
		`7`:                             {Subject: "7"}, `null`: nil, `{}`: nil, `{"sub":7}`: {Subject: "7"},
		`{"sub":null}`: nil, `""`: nil,
	} {
		if got := normalised(t, in("rfc7662"), active(`"act":`+act)).Actor; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", act, got)
		}
	}
}

func TestRolesOfTheDialects(t *testing.T) {
	members := `"roles":["plain"],"role":"one","realm_access":{"roles":["r2","r1",7]},"resource_access":{"api":{"roles":["x"]},"web":{"roles":["x"]},"bad":7}`
	for dialect, want := range map[string][]string{
		"rfc7662": {"plain"}, "oidc-provider": {"plain"}, "duende": {"one"},
		"keycloak": {"7", "api:x", "r1", "r2", "web:x"},
	} {
		if got := normalised(t, in(dialect), active(members)).Roles; !slices.Equal(got, want) {
			t.Errorf("%s: %q", dialect, got)
		}
	}
}

func TestConfiguredPointers(t *testing.T) {
	body := active(`"org":{"id":"t1","a/b":["x",{"y":"z"}],"n":7},"more":["r1","r2",7],"one":"r3","roles":["r1"]`)
	for pointer, want := range map[string]string{
		"/org/id": "t1", "/org/a~1b/0": "x", "/org/a~1b/1/y": "z", "/org/n": "7", "/no/id": "", "/org/a~1b/00": "",
		"/org/a~1b/2": "", "/org/a~1b/-": "", "/one/x": "",
	} {
		if got := normalised(t, Config{Tenant: []string{pointer}}, body).Tenant; got != want {
			t.Errorf("%s: %q", pointer, got)
		}
	}
	c := normalised(t, Config{Tenant: []string{"/no", "/org/n", "/org/id", "/one"},
		Roles: []string{"/more", "/one", "/no"}}, body)
	if c.Tenant != "t1" {
		t.Errorf("tenant %q: the first that finds a text wins", c.Tenant)
	}
	if want := []string{"7", "r1", "r2", "r3"}; !slices.Equal(c.Roles, want) {
		t.Errorf("roles %q", c.Roles)
	}
}

func TestWithoutARuleThereIsNoTenant(t *testing.T) {
	for _, name := range names() {
		if got := normalised(t, in(name),
			active(
				`"tenant":"a","tid":"b","org_id":"c","realm":"/d","urn:zitadel:iam:user:resourceowner:id":"e"`)).Tenant; got != "" {
			t.Errorf("%s: tenant %q", name, got)
		}
	}
}

func TestTrap7_AnAnswerThatCarriesATokenIsReadWithoutIt(t *testing.T) {
	if c := normalised(t, in("keycloak"), `{"active":false,"jwt":"a.b.c"}`); c.Active || c.Raw != nil {
		t.Errorf("claims %+v", c)
	}
}

func TestAuthorizationDetailsMustBeAnArray(t *testing.T) {
	if got :=
		normalised(t, in("rfc7662"), active(`"authorization_details":{"type":"x"}`)).AuthorizationDetails; got != nil {
		t.Errorf("%s", got)
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"active":true}`, `{"active":false}`, `{"active":"true"}`, `{"active":true,"active":false}`,
		active(`"scope":"b a"`), active(`"scope":["b a","a"]`),
		active(`"exp":null,"nbf":1.5,"iat":"x","jti":42,"sid":"a\ud83d","name":"\ud83d"`),
		active(`"exp":9223372036854775807,"sid":-1,"act":{"sub":[]}`),
		active(`"exp":1e3,"aud":[],"cnf":{"":1}`), active(
			`"realm_access":{"roles":["a"]},"resource_access":{"b":{"roles":"c"}}`), "[", "\xff",
		active(`"act":{"sub":"x"},"a":{"b":["c"]}`),
	} {
		f.Add(s, uint8(0))
		f.Add(s, uint8(1))
	}
	which := uint8(0)
	for _, d := range rows() { // what is known of each server, where the fuzzer starts
		for _, e := range answers()[d.name] {
			f.Add(e.body, which)
		}
		which++
	}
	f.Fuzz(func(t *testing.T, body string, which uint8) {
		all := rows()
		d := all[int(which)%len(all)]
		n := New(Config{Dialect: d.name, Tenant: []string{"/a/b/0"}, Roles: []string{"/a"}}, "")
		if got, err := n.Read([]byte(body), secret.Text{}, time.Unix(1000, 0)); err == nil {
			holds(t, d, body, got)
		}
		jwt, err := n.ReadJWT([]byte(body), secret.Text{}, time.Unix(1000, 0))
		if err == nil && jwt.Claims.Active && (jwt.Claims.Source != authz.LocalJWT || jwt.Claims.ExpiresAt == 0 &&
			d.clock != dates) {
			t.Fatalf("%s: %q gives %+v", d.name, body, jwt.Claims)
		}
	})
}

func TestOIDCProviderSubjectIsAPersonWhereThereIsOne(t *testing.T) {
	n := New(in("oidc-provider"), "")
	for body, want := range map[string]authz.Subject{
		`{"active":true,"token_type":"Bearer","sub":"alice","client_id":"web"}`: {ID: "alice", Type: authz.User},
		`{"active":true,"token_type":"Bearer","client_id":"job"}`:               {ID: "job", Type: authz.Client},
		// a person who is called like a client
		`{"active":true,"token_type":"Bearer","sub":"job","client_id":"job"}`: {ID: "job", Type: authz.UnknownType},
	} {
		f, err := n.Read([]byte(body), secret.Text{}, time.Unix(2000, 0))
		if err != nil || f.Claims.Subject != want {
			t.Errorf("%s: got %+v, %v, want %+v", body, f.Claims.Subject, err, want)
		}
	}
}
