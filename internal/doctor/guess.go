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

// Guess is a first idea of how a server is to be configured. It is only ever proposed: what a server is, its operator knows.
type Guess struct {
	Dialect string
	Mode    string
	Auth    string
	// Why says what the guess of the dialect rests on; empty when it is only the default.
	Why string
	// Maybe are dialects that something speaks for, and not enough, or as much as for another.
	Maybe []string
}

// mark is one thing that metadata shows: a member (RFC 8414 section 2) whose URL has path at its end, or a host below domain, or
// holds part. A mark without any of them is the mere presence of the member.
type mark struct{ member, path, part, domain string }

// likeness is what metadata of a kind of server shows. All marks must be there, and none of without. One mark of a path is
// never enough: several servers share each of them. A domain that is the vendor's own is.
type likeness struct {
	dialect string
	marks   []mark
	without []mark
}

func at(member, path string) mark { return mark{member: member, path: path} }

// likenesses rest on recorded metadata (Keycloak, Duende, OpenIddict, Spring, node oidc-provider, zitadel/oidc), the others on the
// documentation of the servers.
func likenesses() []likeness {
	const issuer, introspection, keys, token, authorization = "issuer", "introspection_endpoint", "jwks_uri", "token_endpoint", "authorization_endpoint"
	vendor := func(dialect, domain string) likeness {
		return likeness{dialect: dialect, marks: []mark{{member: issuer, domain: domain}}}
	}
	is := func(dialect string, marks ...mark) likeness { return likeness{dialect: dialect, marks: marks} }
	spring := is("spring", at(introspection, "/oauth2/introspect"), at(keys, "/oauth2/jwks"))
	spring.without = []mark{at(issuer, "/oauth2/token")}
	connect2id := is("connect2id", at(introspection, "/token/introspect"), at(keys, "/jwks.json"), at(token, "/token"))
	connect2id.without = []mark{{member: introspection, part: "/protocol/openid-connect/"}}
	return []likeness{
		is("keycloak", mark{member: issuer, part: "/realms/"}, at(introspection, "/protocol/openid-connect/token/introspect")),
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
		is("auth0", at(keys, "/.well-known/jwks.json"), mark{member: "mfa_challenge_endpoint"}),
		vendor("entra", "login.microsoftonline.com"), vendor("entra", "sts.windows.net"),
		is("cognito", mark{member: issuer, domain: ".amazonaws.com"}, mark{member: issuer, part: "//cognito-idp."}),
		vendor("google", "accounts.google.com"),
		is("authentik", mark{member: issuer, part: "/application/o/"}, mark{member: introspection, part: "/application/o/introspect"}),
		is("pingam", mark{member: introspection, part: "/oauth2"}, at(keys, "/connect/jwk_uri")),
		is("curity", at(introspection, "/oauth-introspect"), at(token, "/oauth-token")),
		is("pingfederate", at(introspection, "/as/introspect.oauth2"), at(token, "/as/token.oauth2")),
		connect2id,
	}
}

// value is what the metadata has for m, or "".
func (m mark) value(doc *oauth.Metadata) string {
	v := doc.Member(m.member)
	u, err := url.Parse(v)
	switch {
	case v == "" && doc.Has(m.member) && m == (mark{member: m.member}):
		return m.member
	case v == "", err != nil:
		return ""
	case !strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), m.path), !strings.Contains(v, m.part), !strings.HasSuffix("."+strings.ToLower(u.Hostname()), dotted(m.domain)):
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

// seen are the values that a document has for the marks of l; whole reports whether it has all that such a server shows.
func (l likeness) seen(doc *oauth.Metadata) (values []string, whole bool) {
	whole = true
	for _, m := range l.marks {
		v := m.value(doc)
		whole = whole && v != ""
		if v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values, whole && !slices.ContainsFunc(l.without, func(m mark) bool { return m.value(doc) != "" })
}

// hinted reports whether issuer or introspection endpoint have a path of such a server, which is worth a word.
func (l likeness) hinted(doc *oauth.Metadata) bool {
	return slices.ContainsFunc(l.marks, func(m mark) bool {
		return (m.member == "issuer" && m.part != "" || m.member == "introspection_endpoint" && m.path != "") && m.value(doc) != ""
	})
}

// recognised finds the one dialect that the metadata is like. Of several, or of one that is only partly so, none is taken.
func recognised(doc *oauth.Metadata) (dialect, why string, maybe []string) {
	reasons := map[string][]string{}
	for _, l := range likenesses() {
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
