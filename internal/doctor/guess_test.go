package doctor_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// recordedMetadata are the documents of testdata/metadata, as the servers served them, and the dialect of each server.
func recordedMetadata() map[string]string {
	return map[string]string{
		"duende-identityserver-7.4.8":               "duende",
		"duende-identityserver-7.4.8.rfc8414":       "duende",
		"keycloak-26.7.3":                           "keycloak",
		"keycloak-26.7.3.mtls":                      "keycloak",
		"node-oidc-provider-9.13.3":                 "oidc-provider",
		"openiddict-7.8.0":                          "openiddict",
		"openiddict-7.8.0.mtls":                     "openiddict",
		"spring-authorization-server-7.1.2":         "spring",
		"spring-authorization-server-7.1.2.rfc8414": "spring",
		"zitadel-oidc-3.51.17":                      "zitadel",
	}
}

func metadataOf(t *testing.T, file string) *oauth.Metadata {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "metadata", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	doc := new(oauth.Metadata)
	if err := json.Unmarshal(b, &doc.Claims); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryRecordedServerIsRecognised(t *testing.T) {
	files, err := filepath.Glob("testdata/metadata/*.json")
	if err != nil || len(files) != len(recordedMetadata()) {
		t.Errorf("%d documents, want %d: %v", len(files), len(recordedMetadata()), err)
	}
	for file, dialect := range recordedMetadata() {
		doc := metadataOf(t, file)
		if g := doctor.Propose(doc.Member("issuer"), doc); g.Dialect != dialect || len(g.Maybe) > 0 ||
			!strings.Contains(g.Why, " and ") {
			t.Errorf("%s: %+v, want %s by more than one mark", file, g, dialect)
		}
	}
}

func TestAServerIsRecognisedByMoreThanOneMark(t *testing.T) {
	const as = "https://login.acme.example"
	for _, c := range []struct {
		name, issuer string
		doc          map[string]string
		dialect      string
		maybe        []string
	}{
		{"nothing", as, map[string]string{"introspection_endpoint": as + "/i"}, "rfc7662", nil},
		{"a path that two servers have", as, map[string]string{"introspection_endpoint": as + "/connect/introspect",
			"jwks_uri": as + "/keys.json"}, "rfc7662", []string{"duende", "openiddict"}},
		{"the issuer of Keycloak alone", as + "/realms/a", map[string]string{"introspection_endpoint": as + "/i"},
			"rfc7662", []string{"keycloak"}},
		{"marks of two servers", as + "/realms/a", map[string]string{
			"introspection_endpoint": as + "/realms/a/protocol/openid-connect/token/introspect",
			"token_endpoint":         as + "/oauth2/token", "jwks_uri": as + "/.well-known/jwks.json",
			"authorization_endpoint": as + "/oauth2/auth",
		}, "rfc7662", []string{"hydra", "keycloak"}},
		{"a domain of its vendor", "https://acme.okta.com/oauth2/default",
			map[string]string{"introspection_endpoint": "https://acme.okta.com/i"}, "okta", nil},
		{"a domain that only ends alike", "https://evilokta.com",
			map[string]string{"introspection_endpoint": "https://evilokta.com/i"}, "rfc7662", nil},
		{"a domain of one's own", as + "/oauth2/default", map[string]string{"introspection_endpoint": as +
			"/oauth2/default/v1/introspect", "jwks_uri": as + "/oauth2/default/v1/keys"}, "okta", nil},
		{"Entra ID", "https://login.microsoftonline.com/x/v2.0", nil, "entra", nil},
		{"Auth0", "https://acme.eu.auth0.com/", nil, "auth0", nil},
		{"Google", "https://accounts.google.com", nil, "google", nil},
		{"Cognito", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC", nil, "cognito", nil},
		{"another service of Amazon", "https://x.s3.amazonaws.com/a_b", nil, "rfc7662", nil},
		{"authentik", as + "/application/o/app/", map[string]string{"introspection_endpoint": as +
			"/application/o/introspect/"}, "authentik", nil},
		{"WSO2, whose endpoints are Spring's", as + "/oauth2/token",
			map[string]string{"introspection_endpoint": as + "/oauth2/introspect", "jwks_uri": as + "/oauth2/jwks"},
			"wso2", nil},
		{"PingAM", as + "/am/oauth2/realms/root", map[string]string{"introspection_endpoint": as +
			"/am/oauth2/realms/root/introspect", "jwks_uri": as + "/am/oauth2/realms/root/connect/jwk_uri"}, "pingam",
			nil},
	} {
		g := doctor.Propose(c.issuer, metadata(t, c.doc))
		if g.Dialect != c.dialect || !slices.Equal(g.Maybe, c.maybe) {
			t.Errorf("%s: %+v, want %s, maybe %q", c.name, g, c.dialect, c.maybe)
		}
		if known := g.Why != ""; known != (c.dialect != "rfc7662") {
			t.Errorf("%s: because %q", c.name, g.Why)
		}
	}
}

func metadata(t *testing.T, members map[string]string) *oauth.Metadata {
	t.Helper()
	m := &oauth.Metadata{Claims: jose.Claims{}}
	for name, value := range members {
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		m.Claims[name] = b
	}
	return m
}
