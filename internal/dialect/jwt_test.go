package dialect

import (
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// jwts are the claims of access tokens, and of what could be taken for one: ID tokens share issuer and keys with them.
func jwts() map[string][]example {
	return map[string][]example{
		"rfc7662": {
			{"the example of RFC 9068 section 3.1",
				`{"iss":"https://authorization-server.example.com/","sub":"5ba552d67","aud":"https://rs.example.com/","exp":1639528912,"iat":1618354090,"jti":"dbe39bf3a3ba4238a513f51d6e1691c4","client_id":"s6BhdRkqt3","scope":"openid profile reademail"}`,
				authz.Claims{Kind: authz.UnknownToken, Issuer: "https://authorization-server.example.com/",
					ID: "dbe39bf3a3ba4238a513f51d6e1691c4", Subject: someone("5ba552d67"), ClientID: "s6BhdRkqt3",
					Scopes: []string{"openid", "profile", "reademail"}, Audiences: []string{"https://rs.example.com/"},
					IssuedAt: 1618354090, ExpiresAt: 1639528912}},
			{"an ID token", `{"iss":"i","sub":"u","aud":"web","exp":2000,"nonce":"n"}`,
				authz.Claims{Kind: authz.IDToken, Issuer: "i", Subject: someone("u"), Audiences: []string{"web"},
					ExpiresAt: 2000}},
			{"an ID token without nonce", `{"sub":"u","exp":2000,"at_hash":"h"}`,
				authz.Claims{Kind: authz.IDToken, Subject: someone("u"), ExpiresAt: 2000}},
			{"a logout token",
				`{"sub":"u","exp":2000,"typ":"Bearer","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`, authz.Claims{Kind: authz.IDToken, Subject: someone("u"), ExpiresAt: 2000}},
		},
		"keycloak": {
			{"a person; older versions copied the nonce",
				`{"exp":2000,"iat":1000,"jti":"j","iss":"https://kc","aud":"api","sub":"u","typ":"Bearer","azp":"web","sid":"s","nonce":"n","realm_access":{"roles":["r"]},"scope":"openid","preferred_username":"al"}`,
				authz.Claims{Kind: authz.AccessToken, Issuer: "https://kc", ID: "j", SessionID: "s",
					Subject: person("u", "al"), ClientID: "web", Scopes: []string{"openid"},
					Audiences: []string{"api"}, Roles: []string{"r"}, IssuedAt: 1000, ExpiresAt: 2000}},
			{"an ID token", `{"exp":2000,"sub":"u","typ":"ID","azp":"web"}`,
				authz.Claims{Kind: authz.IDToken, Subject: someone("u"), ClientID: "web", ExpiresAt: 2000}},
			{"a logout token", `{"exp":2000,"sub":"u","sid":"s","typ":"Logout"}`,
				authz.Claims{Kind: authz.IDToken, SessionID: "s", Subject: person("u", ""), ExpiresAt: 2000}},
		},
		"duende": {
			{"a client has no sub",
				`{"iss":"https://ids","exp":2000,"aud":"api1","scope":["b","a"],"client_id":"job","iat":1000,"jti":"j"}`,
				authz.Claims{Kind: authz.UnknownToken, Issuer: "https://ids", ID: "j", Subject: program("job"),
					ClientID: "job", Scopes: []string{"a", "b"}, Audiences: []string{"api1"}, IssuedAt: 1000,
					ExpiresAt: 2000}}},
		"hydra": {
			{"someone",
				`{"aud":["api"],"client_id":"web","exp":2000,"ext":{"roles":["r"]},"iat":1000,"iss":"https://hydra","jti":"j","nbf":1000,"scp":["a"],"sub":"1"}`,
				authz.Claims{Kind: authz.UnknownToken, Issuer: "https://hydra", ID: "j", Subject: someone("1"),
					ClientID: "web", Scopes: []string{"a"}, Audiences: []string{"api"}, Roles: []string{"r"},
					IssuedAt: 1000, NotBefore: 1000, ExpiresAt: 2000}},
			{"an ID token", `{"aud":["web"],"exp":2000,"iat":1000,"rat":1000,"sub":"1"}`,
				authz.Claims{Kind: authz.IDToken, Subject: someone("1"), Audiences: []string{"web"}, IssuedAt: 1000,
					ExpiresAt: 2000}},
		},
		"zitadel": {
			{"someone",
				`{"iss":"https://z","sub":"u1","aud":["p1"],"exp":2000,"iat":1000,"nbf":1000,"jti":"j","urn:zitadel:iam:org:project:roles":{"admin":{"o1":"a"}}}`,
				authz.Claims{Kind: authz.UnknownToken, Issuer: "https://z", ID: "j", Subject: someone("u1"),
					Audiences: []string{"p1"}, Roles: []string{"admin", "o1:admin"}, IssuedAt: 1000, NotBefore: 1000,
					ExpiresAt: 2000}},
			{"an ID token", `{"iss":"https://z","sub":"u1","aud":["p1","web"],"exp":2000,"azp":"web"}`,
				authz.Claims{Kind: authz.IDToken, Issuer: "https://z", Subject: someone("u1"), ClientID: "web",
					Audiences: []string{"p1", "web"}, ExpiresAt: 2000}},
		},
		"authentik": {
			{"the nonce is copied",
				`{"iss":"https://ak","sub":"u","aud":"web","exp":2000,"iat":1000,"auth_time":900,"nonce":"n","azp":"web","uid":"x"}`,
				authz.Claims{Kind: authz.AccessToken, Issuer: "https://ak", Subject: someone("u"), ClientID: "web",
					Audiences: []string{"web"}, Auth: authz.Authentication{Time: 900}, IssuedAt: 1000,
					ExpiresAt: 2000}},
			{"an ID token", `{"sub":"u","aud":"web","exp":2000}`,
				authz.Claims{Kind: authz.IDToken, Subject: someone("u"), Audiences: []string{"web"}, ExpiresAt: 2000}},
		},
		"okta": {
			{"a person",
				`{"ver":1,"jti":"AT.1","iss":"https://x.okta.com","aud":"api://default","sub":"al@x","iat":1000,"exp":2000,"cid":"0oa1","uid":"00u1","scp":["openid","email"],"auth_time":900}`,
				authz.Claims{Kind: authz.UnknownToken, Issuer: "https://x.okta.com", ID: "AT.1",
					Subject: person("00u1", ""), ClientID: "0oa1", Scopes: []string{"email", "openid"},
					Audiences: []string{"api://default"}, Auth: authz.Authentication{Time: 900}, IssuedAt: 1000,
					ExpiresAt: 2000}},
			{"an ID token", `{"sub":"00u1","jti":"ID.1","iss":"https://x.okta.com","aud":"0oa1","exp":2000}`,
				authz.Claims{Kind: authz.IDToken, Issuer: "https://x.okta.com", ID: "ID.1", Subject: someone("00u1"),
					Audiences: []string{"0oa1"}, ExpiresAt: 2000}},
		},
		"pingam": {
			{"a user",
				`{"sub":"(usr!al)","cts":"OAUTH2_STATELESS_GRANT","auth_level":5,"subname":"al","iss":"https://am","tokenName":"access_token","token_type":"Bearer","aud":"web","scope":["b","a"],"exp":2000,"iat":1000,"jti":"j"}`,
				authz.Claims{Kind: authz.AccessToken, Issuer: "https://am", ID: "j", Subject: person("al", "al"),
					Scopes: []string{"a", "b"}, Audiences: []string{"web"},
					Auth: authz.Authentication{Level: 5, HasLevel: true}, IssuedAt: 1000, ExpiresAt: 2000}},
			{"an ID token", `{"sub":"(usr!al)","tokenName":"id_token","exp":2000}`,
				authz.Claims{Kind: authz.IDToken, Subject: person("al", ""), ExpiresAt: 2000}},
		},
		"pingfederate": {{"a user", `{"scope":["a"],"client_id":"web","username":"al","sub":"al","exp":2000}`,
			authz.Claims{Kind: authz.UnknownToken, Subject: person("al", "al"), ClientID: "web", Scopes: []string{"a"},
				ExpiresAt: 2000}}},
		"curity": {
			{"someone",
				`{"purpose":"access_token","sub":"al","aud":"api","scope":"a","exp":2000,"jti":"j","delegationId":"d"}`,
				authz.Claims{Kind: authz.AccessToken, ID: "j", Subject: someone("al"), Scopes: []string{"a"},
					Audiences: []string{"api"}, ExpiresAt: 2000}},
			{"an ID token", `{"purpose":"id","sub":"al","aud":"web","exp":2000}`,
				authz.Claims{Kind: authz.IDToken, Subject: someone("al"), Audiences: []string{"web"},
					ExpiresAt: 2000}},
		},
		"wso2": {
			{"an application",
				`{"sub":"job","aut":"APPLICATION","client_id":"job","azp":"job","aud":"job","exp":2000}`,
				authz.Claims{Kind: authz.UnknownToken, Subject: program("job"), ClientID: "job",
					Audiences: []string{"job"}, ExpiresAt: 2000}},
			{"an ID token", `{"sub":"u","azp":"web","aud":"web","exp":2000}`,
				authz.Claims{Kind: authz.IDToken, Subject: someone("u"), ClientID: "web", Audiences: []string{"web"},
					ExpiresAt: 2000}},
		},
		"spring": {
			{"recorded: a client, without client_id",
				`{"sub":"svc-jwt","aud":"svc-jwt","nbf":1000,"scope":["orders:read"],"iss":"http://127.0.0.1:19311","exp":2000,"iat":1000,"jti":"c25d"}`,
				authz.Claims{Kind: authz.UnknownToken, Issuer: "http://127.0.0.1:19311", ID: "c25d",
					Subject: someone("svc-jwt"), Scopes: []string{"orders:read"}, Audiences: []string{"svc-jwt"},
					IssuedAt: 1000, NotBefore: 1000, ExpiresAt: 2000}},
			{"recorded: an ID token", `{"sub":"alice","aud":"web","azp":"web","auth_time":900,"exp":2000,"sid":"s"}`,
				authz.Claims{Kind: authz.IDToken, SessionID: "s", Subject: person("alice", ""), ClientID: "web",
					Audiences: []string{"web"}, Auth: authz.Authentication{Time: 900}, ExpiresAt: 2000}},
		},
		"oidc-provider": {
			{"recorded: a client",
				`{"tenant":"acme","jti":"B5Qa","sub":"svc","iat":1000,"exp":2000,"scope":"orders:read","client_id":"svc","iss":"http://127.0.0.1:19301","aud":"https://api.example.test/jwt"}`,
				authz.Claims{Kind: authz.UnknownToken, Issuer: "http://127.0.0.1:19301", ID: "B5Qa",
					Subject: program("svc"), ClientID: "svc", Scopes: []string{"orders:read"},
					Audiences: []string{"https://api.example.test/jwt"}, IssuedAt: 1000, ExpiresAt: 2000}},
			{"recorded: an ID token without nonce",
				`{"sub":"alice","sid":"3Hdz","aud":"web","exp":2000,"iat":1000,"iss":"http://127.0.0.1:19301"}`,
				authz.Claims{Kind: authz.IDToken, Issuer: "http://127.0.0.1:19301", SessionID: "3Hdz",
					Subject: person("alice", ""), Audiences: []string{"web"}, IssuedAt: 1000, ExpiresAt: 2000}}},
		"openiddict": {{"someone", `{"sub":"u","client_id":"web","aud":["api"],"scope":"a","role":["r"],"exp":2000}`,
			authz.Claims{Kind: authz.UnknownToken, Subject: someone("u"), ClientID: "web", Scopes: []string{"a"},
				Audiences: []string{"api"}, Roles: []string{"r"}, ExpiresAt: 2000}}},
		"connect2id": {
			{"short names",
				`{"sub":"al","scp":["b","a"],"clm":["!5v8H"],"iss":"https://c2id.com","exp":2000,"iat":1000,"cid":"000123","jti":"j","cnf":{"jkt":"t"}}`,
				authz.Claims{Kind: authz.UnknownToken, Issuer: "https://c2id.com", ID: "j", Subject: someone("al"),
					ClientID: "000123", Scopes: []string{"a", "b"}, Confirmation: authz.Confirmation{JKT: "t"},
					IssuedAt: 1000, ExpiresAt: 2000}}},
		"auth0":   auth0JWTs(),
		"entra":   entraJWTs(),
		"cognito": cognitoJWTs(),
	}
}

func auth0JWTs() []example {
	return []example{
		{"a person",
			`{"iss":"https://t.auth0.com/","sub":"auth0|1","aud":["https://api","https://t.auth0.com/userinfo"],"iat":1000,"exp":2000,"azp":"web","scope":"openid read","permissions":["read:x"],"org_id":"org_1"}`,
			authz.Claims{Kind: authz.UnknownToken, Issuer: "https://t.auth0.com/", Subject: person("auth0|1", ""),
				ClientID: "web", Scopes: []string{"openid", "read"},
				Audiences:   []string{"https://api", "https://t.auth0.com/userinfo"},
				Permissions: []string{"read:x"}, IssuedAt: 1000, ExpiresAt: 2000}},
		{"a client", `{"sub":"job@clients","aud":"https://api","exp":2000,"azp":"job","gty":"client-credentials"}`,
			authz.Claims{Kind: authz.UnknownToken, Subject: program("job@clients"), ClientID: "job",
				Audiences: []string{"https://api"}, ExpiresAt: 2000}},
		{"a client in the profile of RFC 9068",
			`{"sub":"job@clients","aud":"https://api","exp":2000,"client_id":"job","jti":"j"}`,
			authz.Claims{Kind: authz.UnknownToken, ID: "j", Subject: program("job@clients"), ClientID: "job",
				Audiences: []string{"https://api"}, ExpiresAt: 2000}},
		{"another client", `{"sub":"other@clients","exp":2000,"client_id":"job"}`,
			authz.Claims{Kind: authz.UnknownToken, Subject: someone("other@clients"), ClientID: "job",
				ExpiresAt: 2000}},
		{"an ID token", `{"iss":"https://t.auth0.com/","sub":"auth0|1","aud":"web","exp":2000,"sid":"s"}`,
			authz.Claims{Kind: authz.IDToken, Issuer: "https://t.auth0.com/", SessionID: "s",
				Subject: person("auth0|1", ""), Audiences: []string{"web"}, ExpiresAt: 2000}},
	}
}

func entraJWTs() []example {
	return []example{
		{"a person, v2.0",
			`{"aud":"api","iss":"https://login.microsoftonline.com/t/v2.0","iat":1000,"nbf":1000,"exp":2000,"azp":"web","azpacr":"1","oid":"o","preferred_username":"al@x","roles":["r"],"scp":"b a","sub":"s","tid":"t","uti":"u","ver":"2.0"}`,
			authz.Claims{Kind: authz.UnknownToken, Issuer: "https://login.microsoftonline.com/t/v2.0",
				Subject: person("s", "al@x"), ClientID: "web", Scopes: []string{"a", "b"}, Audiences: []string{"api"},
				Roles: []string{"r"}, IssuedAt: 1000, NotBefore: 1000, ExpiresAt: 2000}},
		{"an application, v1.0",
			`{"aud":"api","exp":2000,"appid":"job","idtyp":"app","oid":"o","sub":"o","roles":["r"],"ver":"1.0"}`,
			authz.Claims{Kind: authz.UnknownToken, Subject: program("o"), ClientID: "job", Audiences: []string{"api"},
				Roles: []string{"r"}, ExpiresAt: 2000}},
		{"an application that does not say so", `{"aud":"api","exp":2000,"azp":"job","oid":"o","sub":"o"}`,
			authz.Claims{Kind: authz.UnknownToken, Subject: someone("o"), ClientID: "job", Audiences: []string{"api"},
				ExpiresAt: 2000}},
		{"an ID token",
			`{"aud":"web","exp":2000,"oid":"o","sub":"s","preferred_username":"al@x","tid":"t","ver":"2.0"}`,
			authz.Claims{Kind: authz.IDToken, Subject: authz.Subject{ID: "s", Type: authz.UnknownType,
				Username: "al@x"}, Audiences: []string{"web"}, ExpiresAt: 2000}},
	}
}

func cognitoJWTs() []example {
	return []example{
		{"a person",
			`{"sub":"u","cognito:groups":["g2","g1"],"iss":"https://cognito-idp.eu-west-1.amazonaws.com/p","client_id":"web","origin_jti":"o","token_use":"access","scope":"openid","auth_time":900,"exp":2000,"iat":1000,"jti":"j","username":"al"}`,
			authz.Claims{Kind: authz.AccessToken, Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/p", ID: "j",
				Subject: person("u", "al"), ClientID: "web", Scopes: []string{"openid"}, Groups: []string{"g1", "g2"},
				Auth: authz.Authentication{Time: 900}, IssuedAt: 1000, ExpiresAt: 2000}},
		{"a client", `{"sub":"job","client_id":"job","token_use":"access","scope":"api/read","exp":2000}`,
			authz.Claims{Kind: authz.AccessToken, Subject: program("job"), ClientID: "job",
				Scopes: []string{"api/read"}, ExpiresAt: 2000}},
		{"an ID token", `{"sub":"u","aud":"web","token_use":"id","exp":2000}`,
			authz.Claims{Kind: authz.IDToken, Subject: someone("u"), Audiences: []string{"web"}, ExpiresAt: 2000}},
		{"neither", `{"sub":"u","aud":"web","exp":2000}`, authz.Claims{Kind: authz.IDToken, Subject: someone("u"),
			Audiences: []string{"web"}, ExpiresAt: 2000}},
	}
}

func TestJAT3_IssuerAudienceAndExpiryOfAJWT(t *testing.T) {
	r := New(Config{Audience: []string{"api"}}, "https://as")
	for claims, why := range map[string]string{
		`{"iss":"https://as","aud":"api","exp":3000}`:             "",
		`{"iss":"https://as","aud":["x","api"],"exp":3000}`:       "",
		`{"aud":"api","exp":3000}`:                                "names no issuer",
		`{"iss":null,"aud":"api","exp":3000}`:                     "names no issuer",
		`{"iss":"https://as/","aud":"api","exp":3000}`:            `was issued by another issuer than the configured one: it names "https://as/", configured is "https://as"`,
		`{"iss":7,"aud":"api","exp":3000}`:                        `names an issuer that cannot be read: member "iss" is not a text`,
		`{"iss":"https://as","exp":3000}`:                         `names no audience, and configured is "api"`,
		`{"iss":"https://as","aud":"x","exp":3000}`:               `is for another audience: it names "x", configured is "api"`,
		`{"iss":"https://as","aud":"api"}`:                        "never expires",
		`{"iss":"https://as","aud":"api","exp":null}`:             "never expires",
		`{"iss":"https://as","aud":"x","exp":3000,"active":true}`: `is for another audience: it names "x", configured is "api"`,
	} {
		f, err := r.ReadJWT(jsontext.Value(claims), secret.Text{}, time.Unix(2000, 0))
		if err != nil || f.Claims.Active != (why == "") || f.Claims.Inactive.Text != why {
			t.Errorf("%s: %+v, %v", claims, f.Claims, err)
		}
		if want := map[bool]Keep{true: Active, false: DoNotCache}[why == ""]; f.Keep != want {
			t.Errorf("%s: kept as %d", claims, f.Keep)
		}
	}
	for _, claims := range []string{``, `[]`, `{"exp":1,"exp":2}`, `{"iss":"https://as","aud":"api","exp":"3000"}`,
		`{"iss":"https://as","aud":"api","exp":0}`} {
		if f, err := r.ReadJWT(jsontext.Value(claims), secret.Text{}, time.Unix(2000, 0)); err == nil {
			t.Errorf("%s: %+v", claims, f.Claims)
		}
	}
}

func TestAnExpiredJWTIsNotKept(t *testing.T) {
	f, err := New(Config{}, "").ReadJWT(jsontext.Value(`{"exp":1999}`), secret.Text{}, time.Unix(2000, 0))
	if err != nil || f.Keep != DoNotCache || f.Claims.Usable(time.Unix(2000, 0)).Text != "has expired" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestJAT1_AcceptedTypesOfJWTs(t *testing.T) {
	for name, want := range map[string][]string{
		"rfc7662": {"at+jwt"}, "keycloak": {"JWT", "at+jwt"}, "duende": {"at+jwt"}, "hydra": {"at+jwt", "JWT"},
		"okta":   {"okta-internal-at+jwt", "at+jwt", ""},
		"spring": {"", "at+jwt"}, "oidc-provider": {"at+jwt"}, "auth0": {"at+jwt", "JWT"}, "entra": {"JWT"},
		"cognito": {"", "JWT"}, "google": nil, "github": nil,
	} {
		if got := New(in(name), "").JWTTypes(); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestJAT4_ClaimsThatAServerLeavesOut(t *testing.T) {
	required := []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
	for name, want := range map[string][]string{
		"rfc7662": nil, "keycloak": {"client_id"}, "duende": {"sub"}, "spring": {"client_id"}, "oidc-provider": nil,
		"auth0": {"client_id", "jti"}, "entra": {"client_id", "jti"}, "cognito": {"aud"},
	} {
		got := New(in(name), "").OptionalClaims()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, d := range rows() {
		for _, c := range d.jwt.omits {
			if !slices.Contains(required, c) || c == "iss" || c == "exp" {
				t.Errorf("%s may leave out %q", d.name, c)
			}
		}
	}
}

// TestBCP5_AnIDTokenIsNoAccessTokenWhereTypDoesNotTell: a dialect that takes a JWT whose header does not say at+jwt
// must know an ID token by its claims.
func TestBCP5_AnIDTokenIsNoAccessTokenWhereTypDoesNotTell(t *testing.T) {
	idToken := jsontext.Value(
		`{"iss":"https://as","sub":"u","aud":"web","exp":3000,"iat":1000,"auth_time":900,"nonce":"n","at_hash":"h"}`)
	for _, name := range names() {
		if !in(name).HasJWTs() {
			continue
		}
		f, err := New(in(name), "").ReadJWT(idToken, secret.Text{}, time.Unix(2000, 0))
		if err != nil {
			t.Fatal(err)
		}
		if why := f.Claims.Usable(time.Unix(2000, 0)).Text; why != "is an ID token" {
			t.Errorf("%s: %q", name, why)
		}
	}
}
