package doctor_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

const clientSecret = "the-secret-of-the-sidecar"

// server is a development authorization server that knows the client orders-api.
func server(t *testing.T) *devissuer.Server {
	t.Helper()
	return authserver.Start(t, devissuer.Config{Clients: []devissuer.Client{
		{ID: "orders-api", Secret: secret.New(clientSecret), Scopes: []string{"a"}, Audiences: []string{"orders-api"}},
	}})
}

func config(t *testing.T, identifier string) issuer.Config {
	t.Helper()
	c := conf.Default[issuer.Config]()
	c.Endpoint.Name, c.Endpoint.Issuer, c.Endpoint.AllowInsecureHTTP, c.Endpoint.Timeout =
		"test", identifier, true, 5*time.Second
	c.Endpoint.Client.ID, c.Endpoint.Client.Secret = "orders-api", testkit.SecretFile(t, clientSecret)
	return c
}

// examine returns what the doctor says, a finding a line, and fails when the secret is in it.
func examine(t *testing.T, cfg issuer.Config) string {
	t.Helper()
	findings, err := doctor.Examine(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return told(t, findings)
}

func told(t *testing.T, findings []doctor.Finding) string {
	t.Helper()
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s: %s | %s\n", f.Level, f.Check, f.Says, f.Do)
	}
	if strings.Contains(b.String(), clientSecret) {
		t.Error("the secret is told")
	}
	return b.String()
}

func wants(t *testing.T, said string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(said, p) {
			t.Errorf("not said: %s\nbut:\n%s", p, said)
		}
	}
}

func TestAServerThatFitsHasNoFault(t *testing.T) {
	s := server(t)
	said := examine(t, config(t, s.Issuer()))
	wants(t, said, "ok metadata: found at", "ok credentials:", "ok clock: the clocks agree", "ok canary:")
	if strings.Contains(said, "fault") {
		t.Error(said)
	}
}

func TestCredentialsThatAreRefusedAreSaidToBe(t *testing.T) {
	s := server(t)
	cfg := config(t, s.Issuer())
	cfg.Endpoint.Client.ID = "another"
	wants(t, examine(t, cfg), "fault credentials:", "status 401", `client.id "another"`, "client_secret_post")
}

func TestAnIssuerSpelledAnotherWayIsShown(t *testing.T) {
	s := server(t)
	wants(t, examine(t, config(t, strings.Replace(s.Issuer(), "127.0.0.1", "localhost", 1))),
		"fault metadata:", "calls itself \""+s.Issuer()+"\"", "three issuers, though one server")
	wants(t, examine(t, config(t, s.Issuer()+"/")), "ends in a slash")
}

func TestAServerThatIsNotThereIsSaidToBe(t *testing.T) {
	wants(t, examine(t, config(t, "http://127.0.0.1:1")), "fault metadata:", "connection refused",
		"curl -v http://127.0.0.1:1/")
}

func TestAnAuthorityThatIsNotKnownAsksForItsFile(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	wants(t, examine(t, config(t, s.URL)), "signed by an unknown authority", "ca_file")
}

func TestAnIssuerWithoutMetadataIsAskedForItsPath(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	wants(t, examine(t, config(t, s.URL)), "fault metadata: there is no metadata at", "/realms/NAME",
		"introspection_endpoint")
}

// endpoint is a server of which only the introspection endpoint is known.
func endpoint(t *testing.T, h http.HandlerFunc) issuer.Config {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg := config(t, "")
	cfg.Endpoint.IntrospectionEndpoint = s.URL + "/introspect"
	return cfg
}

func answers(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestWhatComesInsteadOfAnAnswerIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		say    string
	}{
		"a login page":     {answers(200, "text/html; charset=utf-8", "<html>"), "a page for people"},
		"another document": {answers(200, "text/plain", "x"), `"text/plain"`},
		"no such endpoint": {answers(404, "text/plain", "x"), "no such endpoint"},
		"a redirect": {func(w http.ResponseWriter,
			r *http.Request) {
			http.Redirect(w, r, "/login", http.StatusFound)
		}, "the server redirects"},
		"too many questions":  {answers(429, "text/plain", ""), "cache.ttl"},
		"a server in trouble": {answers(500, "text/plain", ""), "server's own log"},
		"everything active": {answers(200, "application/json", `{"active":true,"token_type":"Bearer"}`),
			"never issued"},
		"no right to ask": {answers(403, "text/html", ""), "client.secret"},
	} {
		t.Run(name, func(t *testing.T) { wants(t, examine(t, endpoint(t, c.answer)), "fault credentials:", c.say) })
	}
}

func TestAClockThatIsOffIsTold(t *testing.T) {
	for off, level := range map[time.Duration]string{
		-20 * time.Second: "doubt clock: the server's clock is 20s behind",
		time.Hour:         "fault clock: the server's clock is 1h0m0s ahead of",
	} {
		said := examine(t, endpoint(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			answers(200, "application/json", `{"active":false}`)(w, r)
		}))
		if !strings.Contains(said, level) && !strings.Contains(said, strings.Replace(level, "20s", "21s", 1)) &&
			!strings.Contains(said, strings.Replace(level, "1h0m0s", "59m59s", 1)) {
			t.Errorf("off by %v: %s", off, said)
		}
	}
}

// TestACanaryWithoutItsAudienceMapper is Keycloak from 26.6.2 on: a service account's token is for "account" only.
func TestACanaryWithoutItsAudienceMapper(t *testing.T) {
	cfg := ofKeycloak(t, `{"aud":"account","exp":9999999999,"typ":"Bearer"}`)
	wants(t, examine(t, cfg), "doubt canary:", `It is for ["account"]`, `audience mapper that adds "orders-api"`)
}

// TestACanaryWithoutAnyAudience is a client of Keycloak that has the scope basic only.
func TestACanaryWithoutAnyAudience(t *testing.T) {
	said := examine(t, ofKeycloak(t, `{"exp":9999999999,"typ":"Bearer"}`))
	wants(t, said, "a moment ago is not active. It names no audience, so neither",
		`audience mapper that adds "orders-api"`)
}

// TestAClockIsReadFromTheCanaryWhereThereIsNoDate is Keycloak, whose answers have none.
func TestAClockIsReadFromTheCanaryWhereThereIsNoDate(t *testing.T) {
	for off, level := range map[time.Duration]string{0: "ok clock: the clocks agree",
		time.Hour: "fault clock: the server's clock is"} {
		wants(t,
			examine(t, ofKeycloak(t, fmt.Sprintf(`{"aud":"orders-api","exp":9999999999,"iat":%d}`,
				time.Now().Add(off).Unix()))), level)
	}
}

// ofKeycloak is a server that issues one token and calls it inactive, in answers without a Date.
func ofKeycloak(t *testing.T, claims string) issuer.Config {
	t.Helper()
	cfg := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		if r.URL.Path == "/token" {
			answers(200, "application/json", `{"token_type":"Bearer","access_token":"`+jwt(claims)+`"}`)(w, r)
			return
		}
		answers(200, "application/json", `{"active":false}`)(w, r)
	})
	cfg.Dialect.Dialect = "keycloak"
	cfg.Endpoint.TokenEndpoint = strings.Replace(cfg.Endpoint.IntrospectionEndpoint, "/introspect", "/token", 1)
	return cfg
}

func jwt(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + ".c2ln"
}

// diagnose asks a server that knows no token about one.
func diagnose(t *testing.T, tok string, change func(*issuer.Config)) string {
	t.Helper()
	cfg := endpoint(t, answers(200, "application/json", `{"active":false}`))
	if change != nil {
		change(&cfg)
	}
	return ask(t, cfg, tok)
}

func ask(t *testing.T, cfg issuer.Config, tok string) string {
	t.Helper()
	i, err := issuer.New(cfg, issuer.Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	answer, err := i.Ask(t.Context(), secret.New(tok))
	said := told(t, doctor.Diagnose(cfg, secret.New(tok), answer, err, time.Now()))
	if strings.Contains(said, tok) {
		t.Error("the token is told")
	}
	return said
}

func TestInactiveTokensAreReadForTheirReason(t *testing.T) {
	future := fmt.Sprint(time.Now().Add(time.Hour).Unix())
	past := fmt.Sprint(time.Now().Add(-time.Hour).Unix())
	named := func(name string) func(*issuer.Config) {
		return func(c *issuer.Config) { c.Endpoint.Issuer = name }
	}
	for name, c := range map[string]struct {
		tok    string
		change func(*issuer.Config)
		say    []string
	}{
		"opaque":  {"opaque-token", nil, []string{"does not say why"}},
		"expired": {jwt(`{"aud":"orders-api","exp":` + past + `}`), nil, []string{"ended 1h", "get a new one"}},
		"not yet": {jwt(`{"aud":"orders-api","iat":` + future + `}`), nil, []string{"begins in", "clocks"}},
		"another issuer": {jwt(`{"iss":"http://localhost:8080/realms/a"}`), named("http://127.0.0.1:8080/realms/a"),
			[]string{"three issuers"}},
		"no audience": {jwt(`{"aud":["account"],"exp":` + future + `}`), nil,
			[]string{`neither client.id "orders-api"`}},
		"revoked": {jwt(`{"aud":["orders-api"],"exp":` + future + `}`), nil,
			[]string{"good until", "may be revoked"}},
		"refresh": {jwt(`{"aud":["orders-api"],"typ":"Refresh","exp":` + future + `}`), nil,
			[]string{"another kind", "access token"}},
		"duende": {jwt(`{"aud":"x","exp":` + future + `}`), func(c *issuer.Config) { c.Dialect.Dialect = "duende" },
			[]string{"one of its own scopes"}},
	} {
		t.Run(name, func(t *testing.T) {
			wants(t, diagnose(t, c.tok, c.change), append(c.say, "fault token: it is not active")...)
		})
	}
}

func TestActiveTokensGetRemarks(t *testing.T) {
	cfg := endpoint(t, answers(200, "application/json",
		`{"active":true,"sub":"u","aud":"orders-api","org":"acme","cnf":{"jkt":"abc"}}`))
	cfg.Dialect.Tenant = []string{"/tenant"}
	wants(t, ask(t, cfg, "tok-123456"), `tenant pointers ["/tenant"]`, "the answer has active, aud, cnf, org, sub",
		`set audience to one of ["orders-api"]`, "bound to a key", "nothing in the answer says that this is an "+
			"access token")
}

func TestWhatIsLeftOutOfAnActiveTokenIsNamed(t *testing.T) {
	cfg := endpoint(t, answers(200, "application/json",
		`{"active":true,"sub":"u","roles":{"admin":{}},"groups":[{"value":"g"}],"permissions":["p",7],"scope":"a"}`))
	said := ask(t, cfg, "tok-123456")
	wants(t, said, "doubt token: of roles, groups, what is no text is left out")
}

func TestATokenThatTheConfigurationRefusesIsNotCalledInactive(t *testing.T) {
	cfg := endpoint(t, answers(200, "application/json", `{"active":true,"aud":"another"}`))
	cfg.Dialect.Audience = []string{"orders-api"}
	wants(t, ask(t, cfg, "tok-123456"), "the server calls it active, and the configuration refuses it: it is for "+
		"another audience")
}

func TestProposalsFollowTheMetadata(t *testing.T) {
	g := doctor.Propose("https://login.acme.example", &oauth.Metadata{Claims: jose.Claims{
		"token_endpoint_auth_methods_supported": []byte(`["client_secret_post"]`),
	}})
	if g.Mode != "jwt" || g.Auth != "client_secret_post" {
		t.Errorf("%+v", g)
	}
}

func TestADocumentWithoutIssuerIsReported(t *testing.T) {
	s := httptest.NewServer(answers(200, "application/json", `{"introspection_endpoint":"x"}`))
	t.Cleanup(s.Close)
	wants(t, examine(t, config(t, s.URL)), "fault metadata: the server calls itself \"\"", "the former is no URL")
}

func TestINT4_KeysOnAHostThatIsNotPermittedAreNotFetched(t *testing.T) {
	asked := make(chan string, 1)
	elsewhere :=
		httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer elsewhere.Close()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers(200, "application/json", fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, s.URL, elsewhere.URL+"/keys"))(w,
			r)
	}))
	defer s.Close()
	cfg := config(t, s.URL)
	cfg.Mode, cfg.Endpoint.Client = authz.ModeJWT, oauth.Client{Auth: "none"}
	cfg.Dialect.Audience, cfg.JWT.Algorithms, cfg.JWT.Types =
		[]string{"orders-api"}, []string{"RS256"}, []string{"at+jwt"}
	wants(t, examine(t, cfg), "fault keys:", "endpoint_hosts")
	select {
	case path := <-asked:
		t.Errorf("asked at %s", path)
	default:
	}
}
