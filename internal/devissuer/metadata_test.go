package devissuer

import (
	"net/http"
	"reflect"
	"testing"
)

func TestMD1_BothWellKnownPlaces(t *testing.T) {
	for _, c := range []struct{ name, path, oauth, openid string }{
		{"an issuer without a path", "", "/.well-known/oauth-authorization-server",
			"/.well-known/openid-configuration"},
		{"an issuer with a path", "/tenant/a", "/.well-known/oauth-authorization-server/tenant/a",
			"/tenant/a/.well-known/openid-configuration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := known()
			cfg.Issuer = c.path
			s := start(t, cfg)
			host := s.Issuer()[:len(s.Issuer())-len(c.path)]
			oauth, openid := call(t, "GET", host+c.oauth, ""), call(t, "GET", host+c.openid, "")
			if oauth.status != 200 || oauth.text != openid.text {
				t.Fatalf("got %d %s and %d %s", oauth.status, oauth.text, openid.status, openid.text)
			}
			if oauth.json["issuer"] != s.Issuer() { // MD-2
				t.Errorf("issuer is %v", oauth.json["issuer"])
			}
			if a := introspect(t, s, issue(t, s, Grant{})); a.json["active"] != true || s.Calls() != 1 {
				t.Errorf("got %s after %d calls", a.text, s.Calls())
			}
		})
	}
}

func TestMD3_EveryEndpointNamedAnswers(t *testing.T) {
	s := start(t, known())
	doc := call(t, "GET", s.Issuer()+"/.well-known/oauth-authorization-server", "").json
	for _, name := range []string{"token_endpoint", "introspection_endpoint", "revocation_endpoint"} {
		target, _ := doc[name].(string)
		call(t, "POST", target, "").is(t, 401, "invalid_client")
	}
	if keys := call(t, "GET", doc["jwks_uri"].(string), "").json["keys"]; len(keys.([]any)) != 1 {
		t.Errorf("keys: %v", keys)
	}
	methods := []any{"client_secret_basic", "client_secret_post"}
	for name, want := range map[string]any{
		"introspection_endpoint_auth_methods_supported": methods, "token_endpoint_auth_methods_supported": methods,
		"revocation_endpoint_auth_methods_supported": methods, "grant_types_supported": []any{"client_credentials"},
		"response_types_supported": []any{}, "scopes_supported": []any{"orders:read", "orders:write"},
	} {
		if !reflect.DeepEqual(doc[name], want) {
			t.Errorf("%s is %v", name, doc[name])
		}
	}
}

func TestMD3_DocumentsAreOnlyRead(t *testing.T) {
	s := start(t, known())
	for _, path := range []string{"/jwks", "/.well-known/openid-configuration"} {
		if a := call(t, "POST", s.Issuer()+path, ""); a.status != http.StatusMethodNotAllowed ||
			a.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", path, a.status, a.header.Get("Allow"))
		}
	}
}
