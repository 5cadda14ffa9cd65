package doctor_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/doctor"
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

func metadataOf(t *testing.T, file string) *doctor.Metadata {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "metadata", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	doc := new(doctor.Metadata)
	if err := json.Unmarshal(b, doc); err != nil {
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
		if g := doctor.Propose(doc.Issuer, doc); g.Dialect != dialect || len(g.Maybe) > 0 || !strings.Contains(g.Why, " and ") {
			t.Errorf("%s: %+v, want %s by more than one mark", file, g, dialect)
		}
	}
}

func TestAServerIsRecognisedByMoreThanOneMark(t *testing.T) {
	const as = "https://login.acme.example"
	for _, c := range []struct {
		name, issuer string
		doc          doctor.Metadata
		dialect      string
		maybe        []string
	}{
		{"nothing", as, doctor.Metadata{Introspection: as + "/i"}, "rfc7662", nil},
		{"a path that two servers have", as, doctor.Metadata{Introspection: as + "/connect/introspect", JWKS: as + "/keys.json"}, "rfc7662", []string{"duende", "openiddict"}},
		{"the issuer of Keycloak alone", as + "/realms/a", doctor.Metadata{Introspection: as + "/i"}, "rfc7662", []string{"keycloak"}},
		{"marks of two servers", as + "/realms/a", doctor.Metadata{
			Introspection: as + "/realms/a/protocol/openid-connect/token/introspect", Token: as + "/oauth2/token", JWKS: as + "/.well-known/jwks.json",
			Others: members(t, `{"authorization_endpoint":"`+as+`/oauth2/auth"}`),
		}, "rfc7662", []string{"hydra", "keycloak"}},
		{"a domain of its vendor", "https://acme.okta.com/oauth2/default", doctor.Metadata{Introspection: "https://acme.okta.com/i"}, "okta", nil},
		{"a domain that only ends alike", "https://evilokta.com", doctor.Metadata{Introspection: "https://evilokta.com/i"}, "rfc7662", nil},
		{"a domain of one's own", as + "/oauth2/default", doctor.Metadata{Introspection: as + "/oauth2/default/v1/introspect", JWKS: as + "/oauth2/default/v1/keys"}, "okta", nil},
		{"Entra ID", "https://login.microsoftonline.com/x/v2.0", doctor.Metadata{}, "entra", nil},
		{"Auth0", "https://acme.eu.auth0.com/", doctor.Metadata{}, "auth0", nil},
		{"Google", "https://accounts.google.com", doctor.Metadata{}, "google", nil},
		{"Cognito", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC", doctor.Metadata{}, "cognito", nil},
		{"another service of Amazon", "https://x.s3.amazonaws.com/a_b", doctor.Metadata{}, "rfc7662", nil},
		{"authentik", as + "/application/o/app/", doctor.Metadata{Introspection: as + "/application/o/introspect/"}, "authentik", nil},
		{"WSO2, whose endpoints are Spring's", as + "/oauth2/token", doctor.Metadata{Introspection: as + "/oauth2/introspect", JWKS: as + "/oauth2/jwks"}, "wso2", nil},
		{"PingAM", as + "/am/oauth2/realms/root", doctor.Metadata{Introspection: as + "/am/oauth2/realms/root/introspect", JWKS: as + "/am/oauth2/realms/root/connect/jwk_uri"}, "pingam", nil},
	} {
		g := doctor.Propose(c.issuer, &c.doc)
		if g.Dialect != c.dialect || !slices.Equal(g.Maybe, c.maybe) {
			t.Errorf("%s: %+v, want %s, maybe %q", c.name, g, c.dialect, c.maybe)
		}
		if known := g.Why != ""; known != (c.dialect != "rfc7662") {
			t.Errorf("%s: because %q", c.name, g.Why)
		}
	}
}

func members(t *testing.T, text string) (m map[string]jsontext.Value) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}
