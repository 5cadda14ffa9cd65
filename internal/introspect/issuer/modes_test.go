package issuer

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect/remote"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

func TestModes_JWTThenIntrospectAsksOnlyAboutWhatIsGoodSoFar(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWTThenIntrospect))
	for why, tok := range map[string]secret.Text{
		"is no JWT that could be verified": secret.New(testToken),
		"is for another audience":          k.token(t, change{"aud": "x"}),
	} {
		if c := look(t, i, tok); c.Active || !strings.HasPrefix(c.Inactive.Text, why) {
			t.Errorf("active %t: %q", c.Active, c.Inactive.Text)
		}
	}
	if k.asked.Load() != 0 {
		t.Error("the server was asked about tokens that are no good")
	}
	k.says(testkit.ReplyJSON(`{"active":false}`))
	if c := look(t, i, k.token(t, nil)); c.Active || k.asked.Load() != 1 {
		t.Errorf("a revoked token: active %t after %d questions", c.Active, k.asked.Load())
	}
	k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q,"scope":"write","sid":"s"}`, api)))
	c := look(t, i, k.token(t, change{"jti": "2"}))
	if !c.Active || c.Source != authz.BothSources || c.Scopes[0] != "write" || c.Subject.ID != "alice" ||
		c.ID != "2" || c.SessionID != "s" {
		t.Errorf("active %t, source %q, scopes %q, subject %q: %s", c.Active, c.Source, c.Scopes, c.Subject.ID,
			c.Inactive.Text)
	}
}

func TestModes_AServerThatDoesNotAnswerIsNoReasonToBelieveTheTokenAlone(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWTThenIntrospect))
	k.says(testkit.Reply(http.StatusBadGateway, "", ""))
	noAnswer(t, i, k.token(t, nil), "", authz.Unavailable)
	k.says(testkit.Reply(http.StatusUnauthorized, "application/json", `{"error":"invalid_client"}`))
	noAnswer(t, i, k.token(t, nil), "", authz.Misconfigured)
}

func TestModes_TwoSourcesMustAgree(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWTThenIntrospect))
	const about = "has two sources that disagree about "
	for n, c := range []struct {
		claims change
		answer string
		why    string
	}{
		{nil, `"sub":"alice","client_id":"web"`, ""},
		{nil, `"sub":"mallory"`, about + "its sub"},
		{nil, `"client_id":"other"`, about + "its client"},
		{nil, `"jti":"other"`, about + "its jti"},
		{nil, `"iss":"https://other"`, "was issued by another issuer than the configured one"},
		{change{"cnf": map[string]any{"jkt": "a"}}, `"cnf":{"jkt":"b"}`, about + "the key it is bound to"},
		{change{"cnf": map[string]any{"jkt": "a"}}, `"cnf":{"x5t#S256":"a"}`, about + "the key it is bound to"},
		{change{"cnf": map[string]any{"jkt": "a"}}, `"cnf":{"jkt":"a"}`, ""},
		{nil, `"token_use":"refresh_token"`, ""},
	} {
		k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q,%s}`, api, c.answer)))
		if c.claims == nil {
			c.claims = change{}
		}
		c.claims["x"] = n // another token each time
		got := look(t, i, k.token(t, c.claims))
		if got.Active != (c.why == "") || !strings.HasPrefix(got.Inactive.Text, c.why) {
			t.Errorf("%s: active %t, %q", c.answer, got.Active, got.Inactive.Text)
		}
		if strings.Contains(c.answer, "refresh") && got.Usable(time.Now()).Text != "is a refresh token" {
			t.Error("the kind that may not pass does not win")
		}
	}
	if n := i.Stats().Inactive.Entries; n != 0 {
		t.Errorf("%d disagreements are kept", n)
	}
}

func TestModes_ABindingIsNeverLostAndTheEarlierEndHolds(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWTThenIntrospect))
	now := time.Now().Unix()
	bound := map[string]any{"jkt": "a"}
	for n, c := range []struct {
		claims  change
		answer  string
		jkt     string
		expires int64
	}{
		{change{"cnf": bound, "exp": now + 100}, `"exp":` + fmt.Sprint(now+200), "a", now + 100},
		{change{"exp": now + 200}, `"cnf":{"jkt":"a"},"exp":` + fmt.Sprint(now+100), "a", now + 100},
		{change{"exp": now + 100}, `"x":1`, "", now + 100},
		{change{"cnf": bound, "exp": now + 100}, `"cnf":null`, "a", now + 100},
	} {
		k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q,%s}`, api, c.answer)))
		c.claims["x"] = n
		got := look(t, i, k.token(t, c.claims))
		if got.Confirmation.JKT != c.jkt || int64(got.ExpiresAt) != c.expires {
			t.Errorf("%s: bound to %q until %d: %s", c.answer, got.Confirmation.JKT, int64(got.ExpiresAt)-now,
				got.Inactive.Text)
		}
	}
}

func TestModes_IntrospectOpaqueAsksAboutAllThatIsNoSignedJWT(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeIntrospectOpaque))
	k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q}`, api)))
	b := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	opaque := []string{
		testToken, "a.b.c", b("opaque") + "." + b("x") + "." + b("y"),
		b(`{"alg":"dir","enc":"A256GCM"}`) + "." + b("k") + "." + b("iv") + "." + b("c") + "." + b("t"), // zitadel's
	}
	for n, tok := range opaque {
		c := look(t, i, secret.New(tok))
		if !c.Active || c.Source == authz.LocalJWT || k.asked.Load() != int64(n+1) {
			t.Errorf("%d: active %t, source %q, asked %d", n, c.Active, c.Source, k.asked.Load())
		}
	}
	if c := look(t, i, k.token(t, nil)); !c.Active || c.Source != authz.LocalJWT {
		t.Errorf("a JWT: %s", c.Inactive.Text)
	}
	if c := look(t, i, sign(t, jwks.NewSigner(t, "x"), "at+jwt", k.claims(nil))); c.Active {
		t.Error("a JWT that does not verify")
	}
	if n := k.asked.Load(); n != int64(len(opaque)) {
		t.Errorf("the server was asked about a JWT: %d", n)
	}
}

func TestModes_AnEntrypointMayDemandAnother(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	tok := k.token(t, nil)
	if c := look(t, i, tok); !c.Active || k.asked.Load() != 0 {
		t.Fatalf("%s, asked %d", c.Inactive.Text, k.asked.Load())
	}
	k.says(testkit.ReplyJSON(`{"active":false}`))
	for n, m := range []authz.Mode{authz.ModeIntrospect, authz.ModeJWTThenIntrospect} {
		if c := lookIn(t, i, tok, m); c.Active || k.asked.Load() != int64(n+1) {
			t.Errorf("%s: active %t: the answer of another mode was used", m, c.Active)
		}
		lookIn(t, i, tok, m)
	}
	if n := k.asked.Load(); n != 2 {
		t.Errorf("%d questions: answers are not kept by mode", n)
	}
	if c := lookIn(t, i, tok, authz.ModeIntrospectOpaque); !c.Active {
		t.Error(c.Inactive.Text)
	}
	noAnswer(t, i, tok, "magic", authz.Misconfigured)
}

func TestModes_WhatTheConfigurationDoesNotAllowIsMisconfigured(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in("", func(c *Config) { c.Dialect.Audience = nil }))
	err := noAnswer(t, i, k.token(t, nil), authz.ModeJWT, authz.Misconfigured)
	if !strings.Contains(err.Error(), `mode "jwt"`) || !strings.Contains(err.Error(), "audience is empty") {
		t.Error(err)
	}
	if c := look(t, i, k.token(t, nil)); !c.Active || k.fetched.Load() != 0 {
		t.Error("the configured mode does not work")
	}
	i, _ = open(t, "", k.in("", func(c *Config) { c.Dialect.Dialect = "google" }))
	noAnswer(t, i, k.token(t, nil), authz.ModeJWT, authz.Misconfigured)
	// With what it takes, an entrypoint may demand it of an issuer that is asked otherwise.
	i, _ = open(t, "", k.in(""))
	if c := lookIn(t, i, k.token(t, nil), authz.ModeJWT); !c.Active {
		t.Error(c.Inactive.Text)
	}
}

func TestModes_AskLooksAsARequestWould(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	a, err := i.Ask(t.Context(), k.token(t, nil))
	if err != nil || !a.Claims.Active || a.Endpoint != "" || a.Claims.Source != authz.LocalJWT {
		t.Errorf("%+v: %v", a.Claims, err)
	}
	i, _ = open(t, "", k.in(authz.ModeJWTThenIntrospect))
	k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q}`, api)))
	a, err = i.Ask(t.Context(), k.token(t, nil))
	if err != nil || a.Claims.Source != authz.BothSources || a.Status != 200 || a.Endpoint != k.URL+"/introspect" {
		t.Errorf("%+v: %v", a, err)
	}
}

func TestModes_CheckFindsWhatCannotWork(t *testing.T) {
	good := func() Config {
		c := testConfig(t, "https://as.example/introspect")
		c.Endpoint.Issuer, c.Mode, c.Dialect.Audience, c.JWT.Algorithms = "https://as.example", authz.ModeJWT,
			[]string{api}, []string{"RS256"}
		return c
	}
	signed := func(c *Config) {
		c.RequireSigned = true
		c.SignedResponse = remote.SignedResponse{Algorithms: []string{"RS256"}, MaxAge: time.Minute}
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"good": {func(*Config) {}, ""},
		"good without a client": {func(c *Config) {
			c.Endpoint.Client.ID, c.Endpoint.Client.Secret = "",
				secret.Source{}
		}, ""},
		"a client to ask as": {func(c *Config) { c.Mode, c.Endpoint.Client.ID = authz.ModeIntrospectOpaque, "" },
			"client.id"},
		"unknown mode": {func(c *Config) { c.Mode = "magic" }, "mode"},
		"no audience":  {func(c *Config) { c.Dialect.Audience = nil }, "audience"},
		"named otherwise": {func(c *Config) { c.Match.Issuers = []string{"https://alias.example"} },
			"match.issuers"},
		"named in two ways": {func(c *Config) {
			c.Match.Issuers = []string{"https://alias.example",
				c.Endpoint.Issuer}
		}, ""},
		"named otherwise, asked": {func(c *Config) {
			c.Mode, c.Match.Issuers = authz.ModeIntrospect,
				[]string{"https://alias.example"}
		}, ""},
		"no audience, then asked": {func(c *Config) { c.Mode, c.Dialect.Audience = authz.ModeJWTThenIntrospect, nil },
			"audience"},
		"no audience, opaque": {func(c *Config) { c.Mode, c.Dialect.Audience = authz.ModeIntrospectOpaque, nil },
			"audience"},
		"no audience, asked": {func(c *Config) { c.Mode, c.Dialect.Audience = authz.ModeIntrospect, nil }, ""},
		"no algorithm":       {func(c *Config) { c.JWT.Algorithms = nil }, "jwt.algorithms"},
		"none": {func(c *Config) { c.JWT.Algorithms = []string{"RS256", "none"} },
			"jwt.algorithms[1]"},
		"a shared secret": {func(c *Config) { c.JWT.Algorithms = []string{"HS256"} }, "jwt.algorithms[0]"},
		"keys nowhere":    {func(c *Config) { c.Endpoint.Issuer = "http://as.example" }, "jwks_uri"},
		"keys somewhere": {func(c *Config) {
			c.Endpoint.Issuer, c.Endpoint.JWKSURI = "http://as.example", "https://as.example/jwks"
		}, ""},
		"keys by http": {func(c *Config) { c.Endpoint.JWKSURI = "http://as.example/jwks" }, "jwks_uri"},
		"another kind of JWT": {func(c *Config) {
			c.JWT.Types = []string{"at+jwt",
				"Application/Token-Introspection+JWT"}
		}, "jwt.types[1]"},
		"aud is never optional here": {func(c *Config) { c.JWT.OptionalClaims = []string{"aud"} },
			"jwt.optional_claims[0]"},
		"exp is never optional": {func(c *Config) { c.JWT.OptionalClaims = []string{"exp"} },
			"jwt.optional_claims[0]"},
		"a claim that is not required": {func(c *Config) { c.JWT.OptionalClaims = []string{"scope"} },
			"jwt.optional_claims[0]"},
		"much leeway": {func(c *Config) { c.JWT.Leeway = time.Hour }, "jwt.leeway"},
		"signed":      {signed, ""},
		"signed, no client id": {func(c *Config) {
			signed(c)
			c.Mode, c.Endpoint.Client.ID, c.Endpoint.Client.Auth = authz.ModeIntrospect, "", "bearer"
		}, "signed_response.audience"},
		"signed, audience said": {func(c *Config) {
			signed(c)
			c.Endpoint.Client.ID, c.Endpoint.Client.Auth, c.SignedResponse.Audience = "", "bearer", "rs"
		}, ""},
		"signed by nothing": {func(c *Config) { signed(c); c.SignedResponse.Algorithms = nil },
			"signed_response.algorithms"},
		"signed by none": {func(c *Config) { signed(c); c.SignedResponse.Algorithms = []string{"none"} },
			"signed_response.algorithms[0]"},
		"signed, any age": {func(c *Config) { signed(c); c.SignedResponse.MaxAge = 0 }, "signed_response.max_age"},
		"signed by whom": {func(c *Config) {
			signed(c)
			c.Mode, c.Endpoint.Issuer, c.Endpoint.JWKSURI = authz.ModeIntrospect, "", "https://as.example/jwks"
		}, "issuer"},
		"signed, keys nowhere": {func(c *Config) {
			signed(c)
			c.Mode, c.Endpoint.Issuer = authz.ModeIntrospect,
				"http://as.example"
		}, "jwks_uri"},
		"a key for nothing": {func(c *Config) { c.SignedResponse.DecryptionKey = secret.Source{Env: "X"} },
			"signed_response.decryption_key"},
		"encrypted by RSA1_5": {func(c *Config) { c.SignedResponse.EncryptionAlgorithms = []string{"RSA1_5"} },
			"signed_response.encryption_algorithms[0]"},
		"encrypted by something": {func(c *Config) { c.SignedResponse.EncryptionEncodings = []string{"ECDH-ES"} },
			"signed_response.encryption_encodings[0]"},
		"encrypted somehow": {func(c *Config) { signed(c); c.SignedResponse.DecryptionKey = secret.Source{Env: "X"} },
			"signed_response.encryption_algorithms"},
	} {
		cfg := good()
		c.change(&cfg)
		if got := strings.Join(faults(cfg), " "); got != c.want {
			t.Errorf("%s: faults %q, want %q", name, got, c.want)
		}
	}
}
