package devissuer

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-json-experiment/json"
)

func token(t *testing.T, s *Server, body string, edits ...edit) answer {
	t.Helper()
	if edits == nil {
		edits = []edit{basic("shop", clientSecret)}
	}
	return call(t, "POST", s.Issuer()+"/token", body, edits...)
}

func grant(pairs ...string) string { return form(append(pairs, "grant_type", "client_credentials")...) }

func TestTokenIsIntrospectedAsTheClientWasConfigured(t *testing.T) {
	s := start(t, known())
	a := token(t, s, grant())
	if a.status != 200 || a.json["token_type"] != "Bearer" || a.json["expires_in"] != 3600.0 ||
		a.json["scope"] != "orders:read orders:write" {
		t.Fatalf("got %d %v", a.status, a.json["token_type"])
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		t.Errorf("headers %v", a.header)
	}
	access := a.json["access_token"].(string)
	if len(access) != 43 ||
		strings.Trim(access, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("not 32 bytes in base64url: %d characters", len(access))
	}
	got := introspect(t, s, access).json
	for name, want := range map[string]any{
		"active": true, "client_id": "shop", "sub": "shop", "scope": "orders:read orders:write",
		"aud":    []any{"https://api.example/"},
		"tenant": "acme", "roles": []any{"clerk", "admin"}, "iss": s.Issuer(),
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

func TestTokenMaySpeakForAUser(t *testing.T) {
	s := start(t, known())
	access := token(t, s, grant(), basic("alice-app", clientSecret)).json["access_token"].(string)
	if got := introspect(t, s, access).json; got["sub"] != "u-1" || got["username"] != "alice" ||
		got["client_id"] != "alice-app" {
		t.Errorf("got %v", got)
	}
}

func TestClaimsAreThoseThatTheClientChooses(t *testing.T) {
	s := start(t, known())
	claims := `{"sub": "carl", "roles": ["courier"], "auth_time": 1795891437, "active": false, "scope": null}`
	access := token(t, s, grant("claims", claims), basic("chooser", clientSecret)).json["access_token"].(string)
	got := introspect(t, s, access).json
	for name, want := range map[string]any{
		"sub": "carl", "roles": []any{"courier"}, "auth_time": 1795891437.0, "client_id": "chooser", "active": true,
		"scope": nil,
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for _, bad := range []string{"null", "[]", `{"sub": "a", "sub": "b"}`, "{", "carl"} {
		if a := token(t, s, grant("claims", bad), basic("chooser", clientSecret)); a.status != 400 ||
			a.json["error_description"] != "claims is not a JSON object" {
			t.Errorf("%s: %d %s", bad, a.status, a.text)
		}
	}
	if a := token(t, s, grant("claims", claims)); a.status != 400 || a.json["error"] != "invalid_request" {
		t.Errorf("a client that may not choose: %d %s", a.status, a.text)
	}
}

func TestTokenScopeIsASubsetOfWhatTheClientMayHave(t *testing.T) {
	s := start(t, known())
	a := token(t, s, grant("scope", "orders:write orders:write"))
	if a.json["scope"] != "orders:write" || introspect(t, s,
		a.json["access_token"].(string)).json["scope"] != "orders:write" {
		t.Errorf("scope %v", a.json["scope"])
	}
	for _, scope := range []string{"orders:delete", "orders:read orders:delete", "orders:read  orders:write",
		"orders:", `"`} {
		token(t, s, grant("scope", scope)).is(t, 400, "invalid_scope")
	}
}

func TestRI1_ResourceNamesTheAudience(t *testing.T) {
	s := start(t, known())
	for _, c := range []struct {
		name string
		form string
		want []any
	}{
		{"a resource", grant("resource", "https://other.example/"), []any{"https://other.example/"}},
		{"two resources", grant("resource", "https://other.example/", "resource", "https://api.example/"),
			[]any{"https://other.example/", "https://api.example/"}},
		{"an audience that is no URI", grant("audience", "plain"), []any{"plain"}},
		{"the same twice", grant("audience", "plain", "audience", "plain"), []any{"plain"}},
	} {
		a := token(t, s, c.form)
		if a.status != 200 {
			t.Errorf("%s: %d %v", c.name, a.status, a.json["error"])
			continue
		}
		if got := introspect(t, s, a.json["access_token"].(string)).json["aud"]; !reflect.DeepEqual(got, any(c.want)) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestRI1_OtherTargetsAreRefused(t *testing.T) {
	s := start(t, known())
	for _, form := range []string{
		grant("resource", "https://elsewhere.example/"), grant("resource", "plain"),
		grant("resource", "https://api.example/#f"),
		grant("audience", "elsewhere"), grant("resource", "https://api.example/", "resource",
			"https://elsewhere.example/"), grant("resource", "https://api.example"),
	} {
		token(t, s, form).is(t, 400, "invalid_target")
	}
}

func TestTokenErrorsOfRFC6749(t *testing.T) {
	s := start(t, known())
	token(t, s, form("scope", "orders:read")).is(t, 400, "invalid_request")
	token(t, s, form("grant_type", "password")).is(t, 400, "unsupported_grant_type")
	token(t, s, grant("scope", "orders:read", "scope", "orders:write")).is(t, 400, "invalid_request")
	token(t, s, grant("grant_type", "client_credentials")).is(t, 400, "invalid_request")
	token(t, s, grant(), basic("gate", resourceSecret)).is(t, 401, "invalid_client")
	a := token(t, s, grant(), basic("shop", "wrong"))
	a.is(t, 401, "invalid_client")
	if a.header.Get("WWW-Authenticate") == "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.header)
	}
}

func TestCA1_TwoMethodsAtOnceAreRefused(t *testing.T) {
	s := start(t, known())
	token(t, s, grant("client_secret", clientSecret), basic("shop", clientSecret)).is(t, 400, "invalid_request")
	token(t, s, grant("client_id", "alice-app"), basic("shop", clientSecret)).is(t, 400, "invalid_request")
	token(t, s, grant(), func(r *http.Request) {
		r.Header["Authorization"] = []string{"Basic eDp5", "Basic eDp5"}
	}).is(t, 400, "invalid_request")
	if a := token(t, s, grant("client_id", "shop"), basic("shop", clientSecret)); a.status != 200 {
		t.Errorf("naming oneself beside Basic: %d", a.status)
	}
}

func TestCA2_BasicIsFormDecoded(t *testing.T) {
	s := start(t, known())
	if a := token(t, s, grant(), basic("odd: %id", awkwardSecret)); a.status != 200 {
		t.Errorf("encoded: %d", a.status)
	}
	token(t, s, grant(), func(r *http.Request) { r.SetBasicAuth("odd: %id", awkwardSecret) }).is(t, 401,
		"invalid_client")
}

func TestCA3_SecretInTheBody(t *testing.T) {
	s := start(t, known())
	none := func(*http.Request) {}
	if a := token(t, s, grant("client_id", "odd: %id", "client_secret", awkwardSecret), none); a.status != 200 {
		t.Errorf("got %d", a.status)
	}
	token(t, s, grant("client_id", "shop", "client_secret", "wrong"), none).is(t, 401, "invalid_client")
	call(t, "POST", s.Issuer()+"/token?client_id=shop&client_secret="+clientSecret, grant()).is(t, 400,
		"invalid_request")
}

func TestCA4_ErrorsEchoNothing(t *testing.T) {
	s := start(t, known())
	for _, a := range []answer{
		token(t, s, grant("scope", "probe-value")), token(t, s, grant("resource", "probe-value")),
		token(t, s, form("grant_type", "probe-value")),
		token(t, s, grant(), basic("probe-value", "probe-value")),
		introspect(t, s, "probe-value", basic("gate", "probe-value")),
	} {
		if a.status < 400 || strings.Contains(a.text, "probe-value") {
			t.Errorf("got %d %s", a.status, a.text)
		}
	}
}

func TestRV1_RevokedTokensAreInactive(t *testing.T) {
	s := start(t, known())
	target := s.Issuer() + "/revoke"
	as := basic("shop", clientSecret)
	access := token(t, s, grant()).json["access_token"].(string)
	for _, what := range []string{access, access, "never-issued"} {
		if a := call(t, "POST", target, form("token", what, "token_type_hint", "refresh_token"),
			as); a.status != 200 || a.text != "" {
			t.Errorf("got %d %s", a.status, a.text)
		}
	}
	if a := introspect(t, s, access); a.text != dead {
		t.Error("still active")
	}
}

func TestRV1_RevocationIsForTheClientOfTheToken(t *testing.T) {
	s := start(t, known())
	target := s.Issuer() + "/revoke"
	access := token(t, s, grant()).json["access_token"].(string)
	call(t, "POST", target, form("token", access), basic("alice-app", clientSecret)).is(t, 400, "invalid_grant")
	call(t, "POST", target, form("token", access), asGate).is(t, 401, "invalid_client")
	call(t, "POST", target, "", basic("shop", clientSecret)).is(t, 400, "invalid_request")
	if a := call(t, "GET", target, ""); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", a.status)
	}
	if a := introspect(t, s, access); a.json["active"] != true {
		t.Error("another client revoked the token")
	}
}

func TestJAT1_AJWTVerifiesAgainstTheJWKS(t *testing.T) {
	s := start(t, known())
	access := token(t, s, grant(), basic("signed", clientSecret)).json["access_token"].(string)
	parsed, err := jwt.ParseSigned(access, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := parsed.Headers[0]
	if header.ExtraHeaders["typ"] != "at+jwt" {
		t.Errorf("typ is %v", header.ExtraHeaders["typ"])
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(call(t, "GET", s.Issuer()+"/jwks", "").text), &set); err != nil {
		t.Fatal(err)
	}
	keys := set.Key(header.KeyID)
	if len(keys) != 1 || !keys[0].IsPublic() || keys[0].Use != "sig" || keys[0].Algorithm != "ES256" {
		t.Fatalf("%d keys, or a wrong one", len(keys))
	}
	var got map[string]any
	if err := parsed.Claims(keys[0].Key, &got); err != nil {
		t.Fatal(err)
	}
	said := introspect(t, s, access).json
	for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "tenant"} { // JAT-4
		if got[name] == nil || !reflect.DeepEqual(got[name], said[name]) {
			t.Errorf("%s: the token says %v, introspection %v", name, got[name], said[name])
		}
	}
	for _, name := range []string{"active", "token_type"} {
		if got[name] != nil {
			t.Errorf("%s is in the token", name)
		}
	}
	s.Revoke(access)
	if a := introspect(t, s, access); a.text != dead {
		t.Error("active after revocation")
	}
}

func TestJAT1_AnotherServersKeyDoesNotVerify(t *testing.T) {
	ours, theirs := build(t, known()), build(t, known())
	access := issue(t, theirs, Grant{TokenFormat: JWT, ClientID: "c", Subject: "s", Audience: []string{"a"}})
	parsed, err := jwt.ParseSigned(access, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(ours.keys.public, &set); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := parsed.Claims(set.Keys[0].Key, &got); err == nil {
		t.Error("verified")
	}
}
