package issuer

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func speaking(name string) func(*Config) {
	return func(c *Config) {
		c.Dialect.Dialect = name
		if name == "google" {
			c.Dialect.Audience = []string{"c"}
		}
	}
}

func TestGoogleIsAskedByItsOwnForm(t *testing.T) {
	got := make(chan string, 1)
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.URL.RequestURI() + " " + string(b)
		testkit.ReplyJSON(`{"azp":"c","aud":"c","sub":"1","scope":"a","exp":"4000000000"}`)(w, r)
	})
	i, _ := open(t, u.URL+"/tokeninfo", speaking("google"))
	c := ask(t, i)
	if !c.Active || c.Kind != authz.AccessToken || c.ClientID != "c" || c.ExpiresAt != 4000000000 {
		t.Errorf("claims %+v", c)
	}
	if s := <-got; s != "POST /tokeninfo access_token="+testToken {
		t.Errorf("asked %q", s)
	}
}

func TestGitHubIsAskedByJSONAndBasic(t *testing.T) {
	type asked struct{ uri, contentType, accept, id, password, token string }
	got := make(chan asked, 1)
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body) != 1 {
			t.Errorf("body %v, %v", body, err)
		}
		id, password, _ := r.BasicAuth()
		got <- asked{r.Method + " " + r.URL.RequestURI(), r.Header.Get("Content-Type"), r.Header.Get("Accept"), id,
			password, body["access_token"]}
		testkit.Reply(200, "application/json; charset=utf-8",
			`{"scopes":["repo"],"token":"`+testToken+
				`","hashed_token":"25f9","app":{"client_id":"Iv1"},"created_at":"2023-11-14T22:13:20Z","expires_at":null,"user":{"login":"octocat","id":1,"type":"User"}}`)(w, r)
	})
	i, _ := open(t, u.URL+"/applications/Iv1/token", func(c *Config) {
		speaking("github")(c)
		c.Endpoint.Client.ID, c.Endpoint.Client.BasicEncoding = "Iv1", "raw"
	})
	c := ask(t, i)
	if !c.Active || c.Subject.ID != "1" || c.ClientID != "Iv1" {
		t.Errorf("claims %+v", c)
	}
	if raw := string(c.Raw); strings.Contains(raw, testToken) || strings.Contains(raw, "25f9") {
		t.Errorf("raw %s", raw)
	}
	if s := <-got; s != (asked{"POST /applications/Iv1/token", "application/json", "application/vnd.github+json",
		"Iv1", testSecret, testToken}) {
		t.Errorf("asked %+v", s)
	}
}

func TestATokenThatIsNoUTF8IsInactive(t *testing.T) {
	u := serve(t, testkit.Reply(404, "application/json", `{"message":"Not Found"}`))
	i, _ := open(t, u.URL, speaking("github"))
	c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New("a\xffb")})
	if err != nil || c.Active || u.calls.Load() != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTrap3_StatusesThatSayInactiveAreAnswersAndKept(t *testing.T) {
	for _, c := range []struct {
		dialect string
		answer  http.HandlerFunc
	}{
		{"curity", testkit.Reply(204, "", "")},
		{"google", testkit.Reply(400, "application/json; charset=utf-8",
			`{"error":"invalid_token","error_description":"Invalid Value"}`)},
		{"github", testkit.Reply(404, "application/json; charset=utf-8", `{"message":"Not Found"}`)},
		{"authentik", testkit.ReplyJSON(`{"active":false}`)}, // what it says to wrong credentials, too
		{"authentik", testkit.ReplyJSON(`{"active":false,"sub":"u","scope":"a"}`)},
	} {
		u := serve(t, c.answer)
		i, l := open(t, u.URL, speaking(c.dialect))
		n := twice(t, u, i, func() {
			if got := ask(t, i); got.Active || got.Raw != nil || got.Inactive.Text == "" {
				t.Errorf("%s: %+v", c.dialect, got)
			}
		})
		if n != 1 || l.of(t, metricAsked, "inactive") != 1 {
			t.Errorf("%s: %d calls, %v", c.dialect, n, l.all(t, metricAsked))
		}
	}
}

func TestINT8_AMisconfigurationIsNotInactiveInAnyDialect(t *testing.T) {
	for _, c := range []struct {
		dialect string
		answer  http.HandlerFunc
		want    authz.Kind
	}{
		{"github", testkit.Reply(401, "application/json", `{"message":"Bad credentials"}`), authz.Misconfigured},
		{"github", testkit.Reply(404, "text/html", "<html>"), authz.Misconfigured},
		{"github", testkit.Reply(422, "application/json", `{"message":"Validation Failed"}`), authz.Misconfigured},
		{"github", testkit.Reply(204, "", ""), authz.Unavailable},
		{"google", testkit.Reply(400, "application/json", `{"error":"invalid_request"}`), authz.Misconfigured},
		{"google", testkit.Reply(400, "text/html", "<html>"), authz.Misconfigured},
		{"curity", testkit.Reply(503, "", ""), authz.Unavailable},
		{"curity", testkit.Reply(404, "", ""), authz.Misconfigured},
		{"zitadel", testkit.Reply(401, "text/plain", "ErrorType=unauthorized_client Parent=invalid secret"),
			authz.Misconfigured},
		{"wso2", testkit.Reply(401, "application/json", `{"code":401,"message":"","description":"","traceId":"x"}`),
			authz.Misconfigured},
		{"keycloak", testkit.Reply(403, "application/json",
			`{"error":"invalid_request","error_description":"Client not allowed."}`), authz.Misconfigured},
		{"rfc7662", testkit.Reply(204, "", ""), authz.Unavailable},
		{"rfc7662", testkit.Reply(404, "application/json", `{}`), authz.Misconfigured},
	} {
		u := serve(t, c.answer)
		i, _ := open(t, u.URL, speaking(c.dialect))
		if n := twice(t, u, i, func() { refusal(t, i, c.want) }); n < 2 {
			t.Errorf("%s: kept", c.dialect)
		}
	}
}

func TestTrap7_PrefixesOfRefreshTokensAreRefusedUnasked(t *testing.T) {
	for token, dialect := range map[string]string{"ory_rt_abc.def": "hydra", "ghr_abc": "github"} {
		u := serve(t, testkit.ReplyJSON(`{"active":true,"token_type":"Bearer"}`))
		i, _ := open(t, u.URL, speaking(dialect))
		c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(token)})
		if err != nil || c.Active || u.calls.Load() != 0 {
			t.Errorf("%s: %+v, %v, %d calls", dialect, c, err, u.calls.Load())
		}
		other, _ := open(t, u.URL, nil)
		if c, err := other.Introspect(t.Context(), introspect.Question{Token: secret.New(token)}); err != nil ||
			!c.Active {
			t.Errorf("rfc7662: %+v, %v", c, err)
		}
	}
}

func TestModesThatADialectCannotServe(t *testing.T) {
	for _, c := range []struct {
		dialect string
		mode    authz.Mode
		auth    string
		want    string
	}{
		{"auth0", "", "", "mode"}, {"auth0", authz.ModeIntrospect, "", "mode"}, {"entra", authz.ModeJWTThenIntrospect,
			"", "mode"}, {"cognito", authz.ModeIntrospectOpaque, "", "mode"},
		{"auth0", authz.ModeJWT, "", ""}, {"entra", authz.ModeJWT, "", ""}, {"cognito", authz.ModeJWT, "", ""},
		{"google", authz.ModeJWT, "", "mode"}, {"github", authz.ModeIntrospectOpaque, "", "mode"}, {"google", "", "",
			""}, {"github", authz.ModeIntrospect, "", ""},
		{"github", "", "client_secret_post", "client.auth"}, {"google", "", "client_secret_post", ""}, {"keycloak",
			authz.ModeJWTThenIntrospect, "", ""},
	} {
		cfg := testConfig(t, "https://as.example/introspect")
		cfg.Dialect.Dialect, cfg.Mode = c.dialect, c.mode
		cfg.Dialect.Audience = []string{"c"}
		cfg.Endpoint.Issuer, cfg.JWT.Algorithms = "https://as.example", []string{"RS256"}
		if c.auth != "" {
			cfg.Endpoint.Client.Auth = c.auth
		}
		var faults []string
		conf.Check(cfg, func(key, cause, hint string) {
			faults = append(faults, key)
			if cause == "" || hint == "" {
				t.Errorf("%s: %q %q", key, cause, hint)
			}
		})
		if got := strings.Join(faults, " "); got != c.want {
			t.Errorf("%s, mode %q, auth %q: faults %q, want %q", c.dialect, c.mode, c.auth, got, c.want)
		}
	}
}

func TestINT11_GoogleWithoutAudienceIsAFault(t *testing.T) {
	for _, name := range []string{"google", "rfc7662", "github"} {
		cfg := testConfig(t, "https://as.example/introspect")
		cfg.Dialect.Dialect = name
		var faults []string
		conf.Check(cfg, func(key, _, _ string) { faults = append(faults, key) })
		if got := strings.Join(faults, " "); got != map[string]string{"google": "audience"}[name] {
			t.Errorf("%s: faults %q", name, got)
		}
	}
	u := serve(t, testkit.ReplyJSON(`{"azp":"other","aud":"other","sub":"1","scope":"a","exp":"4000000000"}`))
	i, _ := open(t, u.URL, speaking("google"))
	if c := ask(t, i); c.Active || c.Inactive.Text != `is for another audience: it names "other", configured is "c"` {
		t.Errorf("%+v", c)
	}
}
