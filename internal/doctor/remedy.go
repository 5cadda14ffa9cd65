package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// What is said here is true of every server. What differs from server to server is in dialect.Advice.

// explain says why there is no answer, and what to change.
func explain(cfg issuer.Config, a introspect.Answer, err error) Finding {
	advice := cfg.Dialect.Advice(cfg.Endpoint.Client.ID)
	f := Finding{Check: "token", Level: Fault, Says: err.Error()}
	media, _, _ := strings.Cut(strings.ToLower(a.ContentType), ";")
	switch {
	case a.Status == 0:
		f.Do = unreachable(err, orURL(a.Endpoint, cfg))
	case cfg.RequireSigned && a.Status == 200 && advice.Unsigned:
		f.Do = "this server has no signed answers (RFC 9701): take require_signed out"
	case cfg.RequireSigned && a.Status == 200:
		f.Do = "require_signed takes RFC 9701 responses only: register the client for them at the server " +
			"(introspection_signed_response_alg), with " +
			quoted(cmp.Or(cfg.SignedResponse.Audience, cfg.Endpoint.Client.ID)) + " as audience, or do without"
	case a.Status == 200 && strings.Contains(media, "html"):
		f.Do = "this is a page for people: something between answers in the server's place, or the endpoint is not " +
			"the introspection endpoint"
	case a.Status == 200 && strings.Contains(media, "json"):
		f.Do = "the answer is JSON, and not one about a token that can be used: correct at the server what the " +
			"cause names, or compare introspection_endpoint and dialect with its documentation"
	case a.Status == 200:
		f.Do = "the server answers with " + quoted(a.ContentType) + ": compare the endpoint with its documentation"
	case a.Status >= 300 && a.Status < 400:
		f.Do = "the server redirects: use the URL that it redirects to, if it is the introspection endpoint and no " +
			"login page"
	case a.Status == 404 || a.Status == 405:
		f.Do = "compare introspection_endpoint with the server's documentation: there is no such endpoint at " +
			a.Endpoint
	case a.Error == "unauthorized_client":
		f.Do = cmp.Or(advice.MayNotAsk, "the server knows the client and does not let it introspect: give it that "+
			"permission")
	case a.Status == 401 || a.Status == 403 || a.Status == 400:
		f.Do = credentialsRemedy(cfg)
	case a.Status == 429:
		f.Do = "the server limits how often it may be asked: raise its limit for this client, or cache.ttl"
	default:
		f.Do = "look at the server's own log"
	}
	return f
}

func orURL(s string, cfg issuer.Config) string {
	return cmp.Or(s, cfg.Endpoint.IntrospectionEndpoint, cfg.Endpoint.Issuer, "the endpoint")
}

// credentialsRemedy names what to compare when a server refuses the sidecar itself.
func credentialsRemedy(cfg issuer.Config) string {
	c := cfg.Endpoint.Client
	do := fmt.Sprintf("compare with what is registered there: client.id %q, client.auth %s, %s", c.ID, c.Auth,
		c.Registration())
	if c.Auth != oauth.ClientCredentials && c.SignsAssertions() {
		do += "; " + assertionRemedy(cfg)
	}
	return do + "; the client must be confidential, and allowed to introspect"
}

// assertionRemedy says which aud and typ of an assertion a server takes.
func assertionRemedy(cfg issuer.Config) string {
	c, advice := cfg.Endpoint.Client, cfg.Dialect.Advice(cfg.Endpoint.Client.ID)
	do := "a server from before RFC 7523bis (2025) may want the URL of its token endpoint in " +
		"client.assertion_audience, or client.assertion_type: JWT"
	if advice.AssertionAudience != "" {
		do = advice.AssertionAudience
	}
	if c.AssertionAudience != "" {
		do += fmt.Sprintf("; client.assertion_audience is %q, and without it the aud is issuer", c.AssertionAudience)
	}
	return do
}

// inactive says what may be behind "not active". The server does not: RFC 7662 section 2.2. Where the token is a JWT
// it is read without being believed.
func inactive(cfg issuer.Config, tok secret.Text) (says, do string) {
	p, ok := payload(tok.Reveal())
	if !ok {
		return "", byDialect(cfg, "the server does not say why. Expired, revoked, or this client may not know: ")
	}
	now := time.Now().Unix()
	s := cfg.Endpoint
	switch {
	case s.Issuer != "" && p.Issuer != "" && p.Issuer != s.Issuer:
		return fmt.Sprintf(". It names %s as its issuer, and issuer is %q: %s", quoted(p.Issuer), s.Issuer,
				difference(s.Issuer, p.Issuer)),
			"one spelling everywhere: the client that got the token must reach the server by the name that issuer has"
	case p.Expires != 0 && p.Expires <= now:
		return fmt.Sprintf(". By its own exp it ended %s ago",
			time.Duration(now-p.Expires)*time.Second), "get a new one"
	case p.NotBefore > now || p.Issued > now:
		return fmt.Sprintf(". By its own iat or nbf it begins in %s",
				time.Duration(max(p.NotBefore, p.Issued)-now)*time.Second), "compare the clocks of this machine and " +
				"of " +
				"the server"
	case slices.Contains([]string{"Refresh", "Offline", "ID", "Logout"}, p.Type):
		return ". It is marked as a token of another kind: " + quoted(p.Type), "send the access token"
	}
	audiences := p.Audiences
	if len(audiences) == 0 {
		return fmt.Sprintf(". It names no audience, so neither client.id %q nor audience %q is among them",
			s.Client.ID, cfg.Dialect.Audience), withoutAudience(cfg)
	}
	if !slices.Contains(audiences, s.Client.ID) && !anyOf(cfg.Dialect.Audience, audiences) {
		return fmt.Sprintf(". It is for %q, and neither client.id %q nor audience %q is among them", audiences,
			s.Client.ID, cfg.Dialect.Audience), byDialect(cfg, "")
	}
	return fmt.Sprintf(". By its own claims it is good until %s",
			time.Unix(p.Expires, 0).UTC().Format(time.RFC3339)), byDialect(
			cfg, "it may be revoked, its session or user ended, or: ")
}

func anyOf(wanted, got []string) bool {
	return slices.ContainsFunc(wanted, func(a string) bool { return slices.Contains(got, a) })
}

// byDialect says what "not active" may hide at a kind of server.
func byDialect(cfg issuer.Config, before string) string {
	return before + cmp.Or(cfg.Dialect.Advice(cfg.Endpoint.Client.ID).Inactive,
		"many servers answer so when this client may not know the token: look at the token's audience and at the "+
			"server's log")
}

func withoutAudience(cfg issuer.Config) string {
	return cmp.Or(cfg.Dialect.Advice(cfg.Endpoint.Client.ID).NoAudience, byDialect(cfg, ""))
}

// refused says what is behind a token that did not pass: by the server's word, by the configuration's, or by neither,
// where the server does not look at that kind of token at all.
func refused(cfg issuer.Config, tok secret.Text, answer introspect.Answer) (says, do string) {
	advice := cfg.Dialect.Advice(cfg.Endpoint.Client.ID)
	switch {
	case answer.Error == "unsupported_token_type":
		return ". The server does not introspect this kind of token", cmp.Or(advice.WrongKind,
			"send an access token, of the kind that the server introspects")
	case answer.Status == 0:
		return refusedHere(cfg, tok, answer.Claims.Inactive.Text)
	case calledActive(answer):
		if p, ok := read(answered(answer)); ok {
			return foreign(cfg, p)
		}
	default:
		return inactive(cfg, tok)
	}
	return "", compareAll
}

// compareAll is said where nothing better is known.
const compareAll = "compare the token's header and claims with issuer, audience, dialect and jwt of the configuration"

// foreign says what to do about good claims that do not fit the configuration, and how two issuers differ. The cause
// has named both already.
func foreign(cfg issuer.Config, p claims) (says, do string) {
	configured, named := cfg.Dialect.Audience, p.Audiences
	names := append([]string{cfg.Endpoint.Issuer}, cfg.Match.Issuers...)
	switch {
	case p.Issuer != "" && cfg.Endpoint.Issuer != "" && !slices.Contains(names, p.Issuer):
		return " (" + difference(cfg.Endpoint.Issuer, p.Issuer) +
			")", "write issuer as tokens spell it, or list that spelling in match.issuers"
	case len(configured) > 0 && len(named) == 0:
		return "", cmp.Or(cfg.Dialect.Advice(cfg.Endpoint.Client.ID).NoAudience,
			"let the server put this API into aud; absent_audience: accept leaves such tokens to the policies")
	case len(configured) > 0 && !anyOf(configured, named):
		return "", "send a token for this API, or add to audience what this API is called in aud"
	}
	return "", compareAll
}
