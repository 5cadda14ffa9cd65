package doctor

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// Guess is a first idea of how a server is to be configured. It is only ever proposed: what a server is, its operator
// knows.
type Guess struct {
	Dialect string
	Mode    string
	Auth    string
	// Why says what the guess of the dialect rests on; empty when it is only the default.
	Why string
	// Maybe are dialects that something speaks for, and not enough, or as much as for another.
	Maybe []string
}

// urlPattern is one thing that metadata shows: a member (RFC 8414 section 2) whose URL has path at its end, or a host
// below domain, or holds part. A pattern without any of them is the mere presence of the member.
type urlPattern struct{ member, path, part, domain string }

// serverPattern is what metadata of a kind of server shows. All patterns must fit, and none of without. One pattern of
// a path is never enough: several servers share each of them. A domain that is the vendor's own is.
type serverPattern struct {
	dialect  string
	patterns []urlPattern
	without  []urlPattern
}

func at(member, path string) urlPattern { return urlPattern{member: member, path: path} }

// serverPatterns rest on recorded metadata (Keycloak, Duende, OpenIddict, Spring, node oidc-provider, zitadel/oidc),
// the others on the documentation of the servers.
func serverPatterns() []serverPattern {
	const (
		issuer, introspection, keys = "issuer", "introspection_endpoint", "jwks_uri"
		token, authorization        = "token_endpoint", "authorization_endpoint"
	)
	vendor := func(dialect, domain string) serverPattern {
		return serverPattern{dialect: dialect, patterns: []urlPattern{{member: issuer, domain: domain}}}
	}
	is := func(dialect string, patterns ...urlPattern) serverPattern {
		return serverPattern{dialect: dialect, patterns: patterns}
	}
	spring := is("spring", at(introspection, "/oauth2/introspect"), at(keys, "/oauth2/jwks"))
	spring.without = []urlPattern{at(issuer, "/oauth2/token")}
	connect2id := is("connect2id", at(introspection, "/token/introspect"), at(keys, "/jwks.json"), at(token, "/token"))
	connect2id.without = []urlPattern{{member: introspection, part: "/protocol/openid-connect/"}}
	return []serverPattern{
		is("keycloak", urlPattern{member: issuer, part: "/realms/"},
			at(introspection, "/protocol/openid-connect/token/introspect")),
		is("duende", at(introspection, "/connect/introspect"), at(keys, "/.well-known/openid-configuration/jwks")),
		is("openiddict", at(introspection, "/connect/introspect"), at(keys, "/.well-known/jwks")),
		spring,
		is("wso2", at(issuer, "/oauth2/token"), at(introspection, "/oauth2/introspect")),
		is("oidc-provider", at(introspection, "/token/introspection"), at(keys, "/jwks")),
		vendor("zitadel", ".zitadel.cloud"),
		is("zitadel", at(introspection, "/oauth/v2/introspect"), at(keys, "/oauth/v2/keys")),
		is("zitadel", at(introspection, "/oauth/introspect"), at(token, "/oauth/token"), at(keys, "/keys")),
		is("hydra", at(authorization, "/oauth2/auth"), at(token, "/oauth2/token"), at(keys, "/.well-known/jwks.json")),
		vendor("okta", ".okta.com"), vendor("okta", ".oktapreview.com"),
		is("okta", at(introspection, "/v1/introspect"), at(keys, "/v1/keys")),
		vendor("auth0", ".auth0.com"),
		is("auth0", at(keys, "/.well-known/jwks.json"), urlPattern{member: "mfa_challenge_endpoint"}),
		vendor("entra", "login.microsoftonline.com"), vendor("entra", "sts.windows.net"),
		is("cognito", urlPattern{member: issuer, domain: ".amazonaws.com"},
			urlPattern{member: issuer, part: "//cognito-idp."}),
		vendor("google", "accounts.google.com"),
		is("authentik", urlPattern{member: issuer, part: "/application/o/"},
			urlPattern{member: introspection, part: "/application/o/introspect"}),
		is("pingam", urlPattern{member: introspection, part: "/oauth2"}, at(keys, "/connect/jwk_uri")),
		is("curity", at(introspection, "/oauth-introspect"), at(token, "/oauth-token")),
		is("pingfederate", at(introspection, "/as/introspect.oauth2"), at(token, "/as/token.oauth2")),
		connect2id,
	}
}

// value is what the metadata has for m, or "".
func (m urlPattern) value(doc *oauth.Metadata) string {
	v := doc.Member(m.member)
	u, err := url.Parse(v)
	switch {
	case v == "" && doc.Has(m.member) && m == (urlPattern{member: m.member}):
		return m.member
	case v == "", err != nil:
		return ""
	case !strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), m.path), !strings.Contains(v,
		m.part), !strings.HasSuffix("."+strings.ToLower(u.Hostname()), dotted(m.domain)):
		return ""
	}
	return v
}

// dotted makes a domain one that only itself and what is below it ends in.
func dotted(domain string) string {
	if domain == "" {
		return ""
	}
	return "." + strings.TrimPrefix(domain, ".")
}

// seen are the values that a document has for the patterns of l; whole reports whether it has all that such a server
// shows.
func (l serverPattern) seen(doc *oauth.Metadata) (values []string, whole bool) {
	whole = true
	for _, m := range l.patterns {
		v := m.value(doc)
		whole = whole && v != ""
		if v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values, whole && !slices.ContainsFunc(l.without, func(m urlPattern) bool { return m.value(doc) != "" })
}

// hinted reports whether issuer or introspection endpoint have a path of such a server, which is worth a word.
func (l serverPattern) hinted(doc *oauth.Metadata) bool {
	return slices.ContainsFunc(l.patterns, func(m urlPattern) bool {
		return (m.member == "issuer" && m.part != "" || m.member == "introspection_endpoint" && m.path != "") &&
			m.value(doc) != ""
	})
}

// recognised finds the one dialect that the metadata is like. Of several, or of one that is only partly so, none is
// taken.
func recognised(doc *oauth.Metadata) (dialect, why string, maybe []string) {
	reasons := map[string][]string{}
	for _, l := range serverPatterns() {
		values, whole := l.seen(doc)
		switch {
		case whole:
			reasons[l.dialect] = values
		case l.hinted(doc) && !slices.Contains(maybe, l.dialect):
			maybe = append(maybe, l.dialect)
		}
	}
	if len(reasons) == 1 {
		for dialect, values := range reasons {
			return dialect, strings.Join(values, " and "), nil
		}
	}
	if len(reasons) > 1 {
		maybe = nil
		for dialect := range reasons {
			maybe = append(maybe, dialect)
		}
		slices.Sort(maybe)
	}
	return "rfc7662", "", maybe
}

// Propose guesses from the issuer and its metadata.
func Propose(issuer string, doc *oauth.Metadata) Guess {
	known := oauth.Metadata{Claims: maps.Clone(doc.Claims)}
	if known.Claims == nil {
		known.Claims = jose.Claims{}
	}
	known.Claims["issuer"], _ = json.Marshal(issuer) // the configured one counts
	g := Guess{Mode: "introspect", Auth: oauth.ClientSecretBasic}
	g.Dialect, g.Why, g.Maybe = recognised(&known)
	if doc.Member("introspection_endpoint") == "" {
		g.Mode = "jwt"
	}
	methods := authMethods(doc)
	if !slices.Contains(methods, g.Auth) && slices.Contains(methods, oauth.ClientSecretPost) {
		g.Auth = oauth.ClientSecretPost
	}
	return g
}
