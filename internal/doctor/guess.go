package doctor

import (
	"net/url"
	"strings"
)

// Guess is a first idea of how a server is to be configured. It is only ever proposed: what a server is, its operator knows.
type Guess struct {
	Dialect string
	Mode    string
	Auth    string
	// Why says what the guess of the dialect rests on.
	Why string
}

// marks tell servers by what stands in their URLs.
func marks() []struct{ dialect, host, path string } {
	return []struct{ dialect, host, path string }{
		{"keycloak", "", "/realms/"},
		{"okta", ".okta.com", ""},
		{"okta", ".oktapreview.com", ""},
		{"auth0", ".auth0.com", ""},
		{"entra", "login.microsoftonline.com", ""},
		{"entra", "sts.windows.net", ""},
		{"cognito", ".amazonaws.com", "_"},
		{"google", "accounts.google.com", ""},
		{"zitadel", ".zitadel.cloud", ""},
		{"authentik", "", "/application/o/"},
		{"pingam", "", "/oauth2/realms/"},
		{"wso2", "", "/oauth2/token"},
		{"duende", "", "/connect/introspect"},
		{"zitadel", "", "/oauth/v2/introspect"},
		{"curity", "", "/oauth-introspect"},
		{"pingfederate", "", "/as/introspect.oauth2"},
		{"spring", "", "/oauth2/introspect"},
		{"oidc-provider", "", "/token/introspection"},
	}
}

// Propose guesses from the issuer and its metadata.
func Propose(issuer string, doc *Metadata) Guess {
	g := Guess{Dialect: "rfc7662", Mode: "introspect", Auth: "client_secret_basic"}
	for _, raw := range []string{issuer, doc.Introspection} {
		u, err := url.Parse(raw)
		if err != nil || g.Why != "" {
			continue
		}
		for _, m := range marks() {
			if strings.HasSuffix(strings.ToLower(u.Hostname()), m.host) && strings.Contains(u.Path, m.path) {
				g.Dialect, g.Why = m.dialect, raw
				break
			}
		}
	}
	if doc.Introspection == "" {
		g.Mode = "jwt"
	}
	methods := doc.AuthMethods
	if methods == nil {
		methods = doc.TokenAuth
	}
	for _, m := range methods {
		if m == g.Auth {
			return g
		}
	}
	for _, m := range methods {
		if m == "client_secret_post" {
			g.Auth = m
		}
	}
	return g
}
