package doctor

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Diagnose says what an uncached answer about tok means: why there is none, why the token is not active, or what of an
// active one will keep it from being accepted. answer and err are those of introspect.Issuer.Ask.
func Diagnose(cfg introspect.Config, tok secret.Text, answer introspect.Answer, err error, now time.Time) []Finding {
	var out []Finding
	if f, ok := skew(answer.Date, now); ok && f.Level != Good {
		out = append(out, f)
	}
	if err != nil {
		return append(out, explain(cfg, answer, err))
	}
	c := answer.Claims
	if !c.Active && answer.Status == 0 {
		return append(out, Finding{"token", Fault, "nobody was asked: it " + c.Why, "compare the token's header and claims with issuer, audience, dialect and jwt of the configuration"})
	}
	if !c.Active && calledActive(answer) {
		return append(out, Finding{"token", Fault, "the server calls it active, and the configuration refuses it: it " + c.Why, "compare issuer, audience and absent_audience with the iss and aud of the answer"})
	}
	if !c.Active {
		says, do := inactive(cfg, tok)
		return append(out, Finding{"token", Fault, "it " + c.Why + says, do})
	}
	if why := c.Usable(now); why != "" {
		out = append(out, Finding{"token", Fault, "the server calls it active, and it must not be used: it " + why, usableRemedy(c)})
	}
	return append(out, remarks(cfg, c)...)
}

func usableRemedy(c *authz.Claims) string {
	switch c.Kind {
	case authz.RefreshToken, authz.IDToken:
		return "send the access token: the client has mixed up what the token endpoint gave it"
	}
	return "get a new one, and compare the clocks"
}

// calledActive reports whether the server itself said so.
func calledActive(a introspect.Answer) bool {
	body := a.Verified
	if body == nil {
		body = a.Body
	}
	said, _ := jose.ReadClaims(body)
	return said.Value("active").Kind() == 't'
}

// Unclaimed says why a token may be no configured issuer's. It is a JWT then whose iss is spelled another way, most often.
func Unclaimed(cfgs []introspect.Config, tok secret.Text) []Finding {
	p, ok := payload(tok.Reveal())
	if !ok || p.Issuer == "" {
		return nil
	}
	var out []Finding
	for _, c := range cfgs {
		if c.Server.Issuer != "" {
			out = append(out, Finding{"token", Fault,
				fmt.Sprintf("it names %s as its issuer, and issuer %s is %q: %s", quoted(p.Issuer), c.Server.Name, c.Server.Issuer, difference(c.Server.Issuer, p.Issuer)),
				"write issuer as tokens spell it, or list that spelling in match.issuers; a client gets it by reaching the server by that name"})
		}
	}
	return out
}

// remarks are about an active token: what of it the configuration does not make use of.
func remarks(cfg introspect.Config, c *authz.Claims) []Finding {
	var out []Finding
	doubt := func(do, format string, args ...any) {
		out = append(out, Finding{"token", Doubt, fmt.Sprintf(format, args...), do})
	}
	if len(cfg.Reading.Tenant) > 0 && c.Tenant == "" {
		doubt("the answer has "+strings.Join(names(c.Raw), ", "), "none of the tenant pointers %q finds a string", cfg.Reading.Tenant)
	}
	if len(cfg.Reading.Audience) == 0 && c.Audiences != nil {
		doubt(fmt.Sprintf("set audience to one of %q, if that is this API", c.Audiences), "no audience is configured: tokens for any API pass to the policies")
	}
	if c.Confirmation.Bound() {
		doubt("send the proof with each request, or the client's certificate: see proof in the configuration", "the token is bound to a key, and is accepted from its holder only")
	}
	if c.Confirmation.Unknown != "" {
		out = append(out, Finding{"token", Fault, "the token is bound in a way that is not understood", "let the server bind by DPoP (jkt) or by certificate (x5t#S256)"})
	}
	if c.Kind == authz.UnknownToken {
		doubt("set dialect to the kind of this server, and refused_prefixes if its refresh tokens can be told by how they begin", "nothing in the answer says that this is an access token")
	}
	return out
}

// explain says why there is no answer, and whose turn it is.
func explain(cfg introspect.Config, a introspect.Answer, err error) Finding {
	f := Finding{Check: "token", Level: Fault, Says: err.Error()}
	media, _, _ := strings.Cut(strings.ToLower(a.ContentType), ";")
	switch {
	case a.Status == 0:
		f.Do = unreachable(err, orURL(a.Endpoint, cfg))
	case cfg.RequireSigned && a.Status == 200:
		f.Do = "require_signed takes RFC 9701 responses only: register the client for them at the server (introspection_signed_response_alg), with " + quoted(orURL(cfg.SignedResponse.Audience, cfg)) + " as audience, or do without"
	case a.Status == 200 && strings.Contains(media, "html"):
		f.Do = "this is a page for people: something between answers in the server's place, or the endpoint is not the introspection endpoint"
	case a.Status == 200:
		f.Do = "the server answers with " + quoted(a.ContentType) + ": compare the endpoint with its documentation"
	case a.Status >= 300 && a.Status < 400:
		f.Do = "the server sends us elsewhere: use the URL that it redirects to, if it is the introspection endpoint and no login page"
	case a.Status == 404 || a.Status == 405:
		f.Do = "compare introspection_endpoint with the server's documentation: there is no such endpoint at " + a.Endpoint
	case a.Status == 401 || a.Status == 403 || a.Status == 400:
		f.Do = credentialsRemedy(cfg)
	case a.Status == 429:
		f.Do = "the server limits how often it may be asked: raise its limit for this client, or cache.ttl"
	default:
		f.Do = "look at the server's own log"
	}
	return f
}

func orURL(s string, cfg introspect.Config) string {
	for _, s := range []string{s, cfg.Server.IntrospectionEndpoint, cfg.Server.Issuer} {
		if s != "" {
			return s
		}
	}
	return "the endpoint"
}

// credentialsRemedy names what to compare when a server refuses the sidecar itself.
func credentialsRemedy(cfg introspect.Config) string {
	c := cfg.Server.Client
	do := fmt.Sprintf("compare with what is registered there: client.id %q, client.auth %s", c.ID, c.Auth)
	switch c.Auth {
	case "client_secret_basic":
		do += ", client.secret; if id or secret hold other than letters and digits, try client.basic_encoding: raw, or client.auth: client_secret_post"
	case "client_secret_jwt", "private_key_jwt":
		do += ", the key and client.key_id, client.signing_alg; older servers want client.assertion_audience (the URL of an endpoint) or client.assertion_type: JWT"
	case "tls_client_auth", "self_signed_tls_client_auth":
		do += ", the certificate's subject and its authority; an endpoint that takes certificates may have an address of its own (mtls_endpoint_aliases)"
	default:
		do += ", client.secret"
	}
	return do + "; the client must be confidential, and allowed to introspect"
}

// inactive says what may be behind "not active". The server does not: RFC 7662 section 2.2. Where the token is a JWT it is
// read without being believed.
func inactive(cfg introspect.Config, tok secret.Text) (says, do string) {
	p, ok := payload(tok.Reveal())
	if !ok {
		return "", byDialect(cfg, "the server does not say why. Expired, revoked, or this client may not know: ")
	}
	now := time.Now().Unix()
	s := cfg.Server
	switch {
	case s.Issuer != "" && p.Issuer != "" && p.Issuer != s.Issuer:
		return fmt.Sprintf(". It names %s as its issuer, and issuer is %q: %s", quoted(p.Issuer), s.Issuer, difference(s.Issuer, p.Issuer)),
			"one spelling everywhere: the client that got the token must reach the server by the name that issuer has"
	case p.Expires != 0 && p.Expires <= now:
		return fmt.Sprintf(". By its own exp it ended %s ago", time.Duration(now-p.Expires)*time.Second), "get a new one"
	case p.NotBefore > now || p.Issued > now:
		return fmt.Sprintf(". By its own iat or nbf it begins in %s", time.Duration(max(p.NotBefore, p.Issued)-now)*time.Second), "compare the clocks of this machine and of the server"
	case slices.Contains([]string{"Refresh", "Offline", "ID", "Logout"}, p.Type):
		return ". It is marked as a token of another kind: " + quoted(p.Type), "send the access token"
	}
	audiences := p.Audiences
	if len(audiences) == 0 {
		return fmt.Sprintf(". It names no audience, so neither client.id %q nor audience %q is among them", s.Client.ID, cfg.Reading.Audience), byDialect(cfg, "")
	}
	if !slices.Contains(audiences, s.Client.ID) && !slices.ContainsFunc(cfg.Reading.Audience, func(a string) bool { return slices.Contains(audiences, a) }) {
		return fmt.Sprintf(". It is for %q, and neither client.id %q nor audience %q is among them", audiences, s.Client.ID, cfg.Reading.Audience), byDialect(cfg, "")
	}
	return fmt.Sprintf(". By its own claims it is good until %s", time.Unix(p.Expires, 0).UTC().Format(time.RFC3339)), byDialect(cfg, "it may be revoked, its session or user ended, or: ")
}

// byDialect says what "not active" may hide at a kind of server.
func byDialect(cfg introspect.Config, before string) string {
	id := cfg.Server.Client.ID
	switch cfg.Reading.Dialect {
	case "keycloak":
		return before + fmt.Sprintf("from 26.6.2 on Keycloak tells a client of a token only when it is in the token's aud; the reason stands in Keycloak's own log. Give the client scope an audience mapper that adds %q (for the sidecar's own tokens too)", id)
	case "duende":
		return before + "an API resource is told of tokens that hold one of its own scopes: add this API's scope to the client, and ask for it"
	case "zitadel":
		return before + fmt.Sprintf("Zitadel tells a client of tokens that have it, or its project, in aud: ask for the scope urn:zitadel:iam:org:project:id:PROJECT:aud; errors inside Zitadel look the same (client %q)", id)
	case "authentik":
		return before + "authentik answers so when it does not take our credentials, and for tokens of providers that are not federated with ours"
	case "oidc-provider":
		return before + "node oidc-provider introspects opaque tokens only, and its allowedPolicy decides who may"
	case "pingam":
		return before + "the client needs the scope am-introspect-all-tokens to be told of tokens of others"
	case "openiddict":
		return before + "OpenIddict tells those who are among the token's audiences or presenters"
	case "spring", "hydra":
		return before + "this server tells every client, so the token has ended, or is not its"
	}
	return before + "many servers answer so when this client may not know the token: look at the token's audience and at the server's log"
}

// claims of a JWT that nobody verified, as far as they can be read.
type claims struct {
	Issuer, Type               string
	Audiences                  []string
	Expires, NotBefore, Issued int64
}

func payload(token string) (claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, false
	}
	m, ok := jose.ReadClaims(b)
	var c claims
	c.Issuer, _ = m.Text("iss")
	c.Type, _ = m.Text("typ")
	c.Audiences, _ = m.Names("aud")
	c.Expires, _ = m.Time("exp", jose.Down)
	c.NotBefore, _ = m.Time("nbf", jose.Up)
	c.Issued, _ = m.Time("iat", jose.Down)
	return c, ok
}

// names lists the members of an answer.
func names(raw []byte) []string {
	m, _ := jose.ReadClaims(raw) // claims hold valid JSON
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
