package doctor_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/introspect/remote"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func never(t *testing.T, said string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(said, p) {
			t.Errorf("said: %s\nin:\n%s", p, said)
		}
	}
}

func TestCredentialsAreTriedInEveryModeThatAsks(t *testing.T) {
	for _, mode := range []authz.Mode{authz.ModeIntrospect, authz.ModeJWTThenIntrospect, authz.ModeIntrospectOpaque} {
		for _, server := range []string{duende, openiddict} {
			wrong := map[string]string{duende: "wrong-secret-api", openiddict: "wrong-secret-basic"}[server]
			cfg := replay{server: server, mode: mode, introspects: wrong}.config(t)
			wants(t, examine(t, cfg), "ok clock:", "fault credentials:", "status 401")
			right := map[string]string{duende: "garbage", openiddict: "garbage"}[server]
			cfg = replay{server: server, mode: mode, introspects: right}.config(t)
			wants(t, examine(t, cfg), "ok clock:", "ok credentials: http://",
				"/connect/introspect accepts the sidecar's credentials")
		}
	}
}

func TestAnAPIResourceOfDuendeHasNoCanary(t *testing.T) {
	said := examine(t, replay{server: duende, introspects: "garbage", token: refuses(400, "invalid_client")}.config(t))
	wants(t, said, "ok canary: an API resource of Duende gets no tokens")
	never(t, said, "doubt", "fault")
}

func TestAClientOfDuendeIsNotAnAPIResource(t *testing.T) {
	cfg := replay{server: duende, introspects: "cc-by-own-client",
		token: issues("opaque-token-of-the-sidecar")}.config(t)
	cfg.Dialect.Audience = nil
	wants(t, ask(t, cfg, "opaque-token-of-the-sidecar"), "fault token: the answer is one for a client",
		"register an API resource")

	known := replay{server: duende, introspects: "garbage", token: refuses(400, "unauthorized_client")}.config(t)
	wants(t, examine(t, known), `fault canary: the server knows "orders-api" as a client`, "register an API resource")
}

func TestTheCanaryOfAClientOfDuendeIsAFault(t *testing.T) {
	asked := 0
	cfg := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			issues("opaque-token-of-the-sidecar")(w, r)
			return
		}
		if asked++; asked == 1 {
			answers(200, "application/json", `{"active":false}`)(w, r)
			return
		}
		recorded(t, duende, "cc-by-own-client", func(s string) string { return s })(w, r)
	})
	cfg.Dialect.Dialect = "duende"
	cfg.Endpoint.TokenEndpoint = strings.Replace(cfg.Endpoint.IntrospectionEndpoint, "/introspect", "/token", 1)
	wants(t, examine(t, cfg), "ok credentials:", "fault canary: the answer is one for a client", `"not active"`,
		"ApiResource")
}

func TestACanaryThatAnAPIResourceCannotHaveIsAFaultOfTheConfiguration(t *testing.T) {
	cfg := replay{server: duende, introspects: "garbage"}.config(t)
	cfg.Canary.Every = time.Minute
	var said []string
	cfg.Check(func(key, cause, hint string) { said = append(said, key+" "+cause+" | "+hint) })
	if len(said) != 1 || !strings.Contains(said[0], "canary.every is set, and an API resource of Duende gets no "+
		"tokens | remove it") {
		t.Errorf("%q", said)
	}
}

func TestTheCanaryIsGotAsServeGetsIt(t *testing.T) {
	scopes := map[string]string{}
	r := replay{server: openiddict, introspects: "garbage", token: issues(jwt(`{"exp":9999999999}`))}
	r.asked = func(path, scope string) { scopes[path] = scope }
	cfg := r.config(t)
	cfg.Canary.Every, cfg.Canary.Scope = time.Minute, []string{"orders:read"}
	said := examine(t, cfg)
	if scopes["/connect/token"] != "orders:read" {
		t.Errorf("scopes asked for: %q", scopes)
	}
	wants(t, said, "doubt canary:", "It names no audience", "the scope has no resources at the server")
	never(t, said, "set canary.scope")

	cfg.Canary = issuer.Canary{}
	wants(t, examine(t, cfg), "doubt canary:", "set canary.scope to one of this API's")
}

// withKey makes cfg authenticate by an assertion.
func withKey(t *testing.T, cfg *issuer.Config) {
	t.Helper()
	c := &cfg.Endpoint.Client
	c.Auth, c.Secret = "private_key_jwt", secret.Source{}
	c.Key = testkit.SecretFile(t, testkit.KeyPEM(t, testkit.NewKey(t)))
}

func TestAnAssertionForAnotherAudienceIsAFault(t *testing.T) {
	cfg := replay{server: openiddict, introspects: "private-key-jwt-wrong-audience",
		token: refuses(400, "invalid_token")}.config(t)
	withKey(t, &cfg)
	cfg.Endpoint.Client.AssertionAudience = cfg.Endpoint.Issuer + "connect/introspect"
	wants(t, examine(t, cfg), "fault credentials: client.assertion_audience is", "calls every token inactive",
		"remove it: OpenIddict takes the issuer only",
		"fault canary:", "error invalid_token", "does not take the client's assertion")

	for _, right := range []string{"", cfg.Endpoint.Issuer, strings.TrimSuffix(cfg.Endpoint.Issuer, "/")} {
		cfg.Endpoint.Client.AssertionAudience = right
		cfg.Warn(func(key, cause, _ string) { t.Errorf("%q: %s %s", right, key, cause) })
	}
	cfg.Dialect.Dialect, cfg.Endpoint.Client.AssertionAudience = "duende", cfg.Endpoint.Issuer+"connect/token"
	cfg.Cache.RevocationMemory = time.Hour
	cfg.Warn(func(key, cause, _ string) { t.Errorf("duende: %s %s", key, cause) })
}

func TestAClientThatMayNotIntrospectIsToldSo(t *testing.T) {
	cfg := replay{server: openiddict, introspects: "no-introspection-permission"}.config(t)
	said := ask(t, cfg, "opaque-token")
	wants(t, said, "error unauthorized_client", "Permissions.Endpoints.Introspection")
	never(t, said, "client.secret")
	cfg = replay{server: openiddict, introspects: "no-introspection-permission-garbage"}.config(t)
	wants(t, examine(t, cfg), "ok credentials:", "whether the client may introspect shows only with a token that "+
		"the server knows")
	cfg.Dialect.Dialect = "rfc7662"
	wants(t, ask(t, replay{server: openiddict, introspects: "no-introspection-permission"}.config(t), "tok-123456"),
		"permission")
}

func TestWhatIsNoAccessTokenIsToldSo(t *testing.T) {
	for _, name := range []string{"jwt-id-token-by-audience", "code-unused-as-token"} {
		said := ask(t, replay{server: openiddict, introspects: name}.config(t), "opaque-token")
		wants(t, said, "fault token: it", "looks like an ID token or an authorization code: send the access token")
		never(t, said, "presenters")
	}
}

func TestATokenWithoutAudienceNamesItsRemedy(t *testing.T) {
	cfg := replay{server: openiddict, introspects: "aud-none-by-api"}.config(t)
	wants(t, ask(t, cfg, "opaque-token"), "the server calls it active, and the configuration refuses it",
		`it names no audience, and configured is "orders-api"`, "the scope has no resources at the server")
}

func TestAnAnswerWithoutScopesIsADoubt(t *testing.T) {
	wants(t, ask(t, replay{server: openiddict, introspects: "jwt-by-presenter"}.config(t), "opaque-token"),
		"doubt token: the answer names no scope", "scopes to clients in the token's aud only",
		`add "orders-api" to the resources of the scope`)
	never(t, ask(t, replay{server: openiddict, introspects: "jwt-user-alice"}.config(t), "opaque-token"),
		"names no scope", "fault")
}

func TestTokensThatAModeCannotReadAreAFaultOfTheMode(t *testing.T) {
	enc := func(header string) string {
		return strings.Join([]string{header, "a2V5", "aXY", "dGV4dA", "dGFn"}, ".")
	}
	for name, c := range map[string]struct {
		tok  string
		says []string
	}{
		"encrypted": {
			enc("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZDQkMtSFM1MTIiLCJ0eXAiOiJhdCtqd3QiLCJjdHkiOiJKV1QifQ"),
			[]string{"is encrypted (JWE)", "DisableAccessTokenEncryption", "or set mode: introspect"}},
		"reference": {"Zm9ydHktdGhyZWUtY2hhcmFjdGVycy1vZi1iYXNlNjQ",
			[]string{"is opaque (a reference token)", "UseReferenceAccessTokens", "or set mode: introspect"}},
		"Data Protection": {"CfDJ8Zm9ydHktdGhyZWUtY2hhcmFjdGVycy1vZi1iYXNlNjQ",
			[]string{"is a Data Protection token", "UseDataProtection", "or set mode: introspect"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []authz.Mode{authz.ModeJWT, authz.ModeJWTThenIntrospect} {
				cfg := replay{server: openiddict, mode: mode, introspects: "garbage", token: issues(c.tok)}.config(t)
				wants(t, examine(t, cfg), append(c.says, "fault canary: a token that the server issued to the "+
					"sidecar a moment ago")...)
				wants(t, ask(t, cfg, c.tok), append(c.says, "fault token: the server was not asked: it ")...)
			}
			cfg := replay{server: openiddict, mode: authz.ModeIntrospectOpaque, introspects: "jwt-user-alice",
				token: issues(c.tok)}.config(t)
			never(t, ask(t, cfg, c.tok), "fault")
		})
	}
}

func TestAModeWithoutIntrospectionNeedsNoCredentials(t *testing.T) {
	cfg := replay{server: openiddict, mode: authz.ModeJWT}.config(t)
	cfg.Endpoint.Client.ID, cfg.Endpoint.Client.Secret = "", secret.Source{}
	said := examine(t, cfg)
	wants(t, said, "ok metadata:", "ok keys:")
	never(t, said, "fault", "doubt")
}

func TestAnAliasOnAnotherHostIsNamedWithItsLine(t *testing.T) {
	cfg := replay{server: openiddict + ".mtls", introspects: ""}.config(t)
	cfg.Dialect.Dialect = "openiddict"
	certify(t, &cfg)
	said := examine(t, cfg)
	wants(t, said, "fault metadata:", "mtls_endpoint_aliases.introspection_endpoint is on host",
		`add the line: endpoint_hosts: ["`)
	never(t, said, "waiting will not help", "credentials:")
}

func TestAServerWithoutSignedAnswersIsToldSo(t *testing.T) {
	cfg := replay{server: openiddict, introspects: "jwt-response"}.config(t)
	cfg.RequireSigned, cfg.SignedResponse = true, remote.SignedResponse{Algorithms: []string{"RS256"},
		MaxAge: time.Minute}
	wants(t, ask(t, cfg, "opaque-token"), "this server has no signed answers (RFC 9701): take require_signed out")
	cfg.Dialect.Dialect = "rfc7662"
	wants(t, ask(t, cfg, "opaque-token"), `with "orders-api" as audience`)
}

func TestAnotherAudienceIsNamedBesideOurs(t *testing.T) {
	cfg := replay{server: openiddict, introspects: "jwt-user-alice"}.config(t)
	cfg.Dialect.Audience = []string{"billing-api"}
	said := ask(t, cfg, "opaque-token")
	wants(t, said, `it names "orders-api", configured is "billing-api"`,
		"send a token for this API, or add to audience")
	never(t, said, "does not say why")
}

// certify makes cfg authenticate by a certificate of its own.
func certify(t *testing.T, cfg *issuer.Config) {
	t.Helper()
	certificate, key := testkit.SelfSigned(t).Files(t)
	c := &cfg.Endpoint.Client
	c.Auth, c.CertificateFile, c.CertificateKey = "tls_client_auth", certificate, secret.Source{File: key}
	c.Key, c.Secret = secret.Source{}, secret.Source{}
}

func TestTheWrongSchemeForAPortIsToldSo(t *testing.T) {
	plain, secure := httptest.NewServer(http.NotFoundHandler()), httptest.NewTLSServer(http.NotFoundHandler())
	defer plain.Close()
	defer secure.Close()
	wants(t, examine(t, config(t, strings.Replace(plain.URL, "http://", "https://", 1))), "fault metadata:",
		"this port speaks plain HTTP, and the URL says https", "the port at which the server speaks TLS")
	wants(t, examine(t, config(t, strings.Replace(secure.URL, "https://", "http://", 1))), "fault metadata:",
		"this port speaks TLS, and the URL says http", "write https:// instead of http://")
}
