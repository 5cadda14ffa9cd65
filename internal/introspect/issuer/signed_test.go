package issuer

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/remote"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

// signedOnly configures a client that takes signed responses only.
func signedOnly(k *keyed, more ...func(*Config)) func(*Config) {
	return k.in(authz.ModeIntrospect, append([]func(*Config){func(c *Config) {
		c.Dialect.Audience = nil
		c.RequireSigned = true
		c.SignedResponse = remote.SignedResponse{Algorithms: []string{"ES256"}, MaxAge: 60 * time.Second}
	}}, more...)...)
}

// response is a good signed response about an active token, changed at its top level.
func (k *keyed) response(t testing.TB, c change) string {
	t.Helper()
	m := map[string]any{
		"iss": k.URL, "aud": "rs:1", "iat": time.Now().Unix(),
		"token_introspection": map[string]any{"active": true, "sub": "alice", "client_id": "web", "scope": "read"},
	}
	for name, v := range c {
		if m[name] = v; v == nil {
			delete(m, name)
		}
	}
	return sign(t, k.signer, "token-introspection+jwt", m).Reveal()
}

const signedContent = "application/token-introspection+jwt"

// unkept checks that there is no answer, of which kind, and that nothing is kept and nothing told.
func unkept(t *testing.T, k *keyed, i *Issuer, name, contentType, body string, want authz.Kind) {
	t.Helper()
	k.says(testkit.Reply(http.StatusOK, contentType, body))
	c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
	if c != nil || authz.KindOf(err) != want {
		t.Errorf("%s: claims %t, kind %v, want %v: %v", name, c != nil, authz.KindOf(err), want, err)
		return
	}
	if strings.Contains(err.Error(), "eyJ") || strings.Contains(err.Error(), "alice") {
		t.Errorf("%s: the answer is quoted: %v", name, err)
	}
	if s := i.Stats(); s.Active.Entries+s.Inactive.Entries != 0 {
		t.Errorf("%s: it is kept", name)
	}
}

func TestJWI1_TheMediaTypeIsAskedForAndComparedLoosely(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k, func(c *Config) { c.Cache.TTL = 0 }))
	for _, contentType := range []string{signedContent, signedContent + "; charset=utf-8",
		"Application/Token-Introspection+JWT;x=\"y\""} {
		k.says(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Values("Accept"); len(got) != 1 || got[0] != signedContent {
				t.Errorf("Accept %q", got)
			}
			testkit.Reply(http.StatusOK, contentType, k.response(t, nil))(w, r)
		})
		if c := ask(t, i); !c.Active || c.Subject.ID != "alice" || c.Scopes[0] != "read" {
			t.Errorf("%s: %s", contentType, c.Inactive.Text)
		}
	}
	plain, _ := open(t, "", k.in(authz.ModeIntrospect))
	k.says(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept"); got != "application/json" {
			t.Errorf("Accept %q of a client that wants JSON", got)
		}
		testkit.ReplyJSON(`{"active":false}`)(w, r)
	})
	ask(t, plain)
}

func TestJWI2_TypMustBeThatOfAResponse(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	claims := map[string]any{"iss": k.URL, "aud": "rs:1", "iat": time.Now().Unix(),
		"token_introspection": map[string]any{"active": true}}
	for _, typ := range []string{"", "JWT", "at+jwt"} {
		unkept(t, k, i, typ, signedContent, sign(t, k.signer, typ, claims).Reveal(), authz.Misconfigured)
	}
	for name, v := range map[string]any{"absent": nil, "list": []any{}, "text": "{}", "true": true} {
		unkept(t, k, i, name, signedContent, k.response(t, change{"token_introspection": v}), authz.Misconfigured)
	}
}

func TestJWI3_NothingIsReadFromTheTopLevel(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	k.says(testkit.Reply(http.StatusOK, signedContent, k.response(t, change{
		"sub": "mallory", "exp": 1, "scope": "admin", "roles": []string{"admin"}, "active": false,
		"cnf": map[string]any{"jkt": "x"},
	})))
	c := ask(t, i)
	if !c.Active || c.Subject.ID != "alice" || c.ExpiresAt != 0 || c.Scopes[0] != "read" || c.Roles != nil ||
		c.Confirmation.Bound() {
		t.Errorf("active %t, subject %q, exp %d, scopes %q", c.Active, c.Subject.ID, c.ExpiresAt, c.Scopes)
	}
	if bytes.Contains(c.Raw, []byte("mallory")) || !c.Usable(time.Now()).OK() {
		t.Errorf("claims %s", c.Raw)
	}
}

func TestJWI4_AnInactiveTokenHasNoFacts(t *testing.T) {
	k := newKeyed(t)
	for _, inner := range []map[string]any{{"active": false}, {"active": false, "sub": "alice"}} {
		i, _ := open(t, "", signedOnly(k))
		k.says(testkit.Reply(http.StatusOK, signedContent,
			k.response(t, change{"token_introspection": inner, "sub": "alice"})))
		if c := ask(t, i); c.Active || c.Subject.ID != "" || c.Raw != nil {
			t.Errorf("%v: active %t, %q", inner, c.Active, c.Subject.ID)
		}
	}
}

func TestJWI4_AResponseThatDoesNotSayWhetherATokenIsActiveIsNoAnswer(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	for name, inner := range map[string]map[string]any{"text": {"active": "true"}, "nothing": {},
		"an error": {"error": "server_error"}} {
		unkept(t, k, i, name, signedContent, k.response(t, change{"token_introspection": inner}), authz.Unavailable)
	}
}

func TestJWI5_TheSignatureMustBeTheIssuersAndOfAListedAlgorithm(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	good := strings.Split(k.response(t, nil), ".")
	foreign := &keyed{Server: k.Server, signer: jwks.NewSigner(t, "k1")}
	unknown := &keyed{Server: k.Server, signer: jwks.NewSigner(t, "k2")}
	unkept(t, k, i, "a foreign's signature", signedContent, foreign.response(t, nil), authz.Misconfigured)
	unkept(t, k, i, "a key that is not known yet", signedContent, unknown.response(t, nil), authz.Unavailable)
	unkept(t, k, i, "no signature", signedContent, good[0]+"."+good[1]+".", authz.Misconfigured)
	unkept(t, k, i, "none", signedContent,
		"eyJhbGciOiJub25lIiwidHlwIjoidG9rZW4taW50cm9zcGVjdGlvbitqd3QifQ."+good[1]+".", authz.Misconfigured)
	unkept(t, k, i, "rubbish", signedContent, "rubbish", authz.Unavailable)
	unkept(t, k, i, "a line end", signedContent, k.response(t, nil)+"\n", authz.Unavailable)
	other, _ := open(t, "", signedOnly(k, func(c *Config) { c.SignedResponse.Algorithms = []string{"RS256"} }))
	unkept(t, k, other, "an algorithm that is not listed", signedContent, k.response(t, nil), authz.Misconfigured)
}

func TestJWI5_ANewKeyOfTheServerIsFound(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k, func(c *Config) { c.Cache.TTL = 0 }))
	k.says(testkit.Reply(http.StatusOK, signedContent, k.response(t, nil)))
	ask(t, i)
	next := &keyed{Server: k.Server, signer: jwks.NewSigner(t, "k2")}
	k.holds(string(next.signer.Public()))
	k.says(testkit.Reply(http.StatusOK, signedContent, next.response(t, nil)))
	if c := ask(t, i); !c.Active || k.fetched.Load() != 2 {
		t.Errorf("active %t after %d fetches", c.Active, k.fetched.Load())
	}
}

func TestJWI5_WithoutKeysThereIsNoAnswer(t *testing.T) {
	k := newKeyed(t)
	k.goDown()
	i, _ := open(t, "", signedOnly(k))
	unkept(t, k, i, "no keys", signedContent, k.response(t, nil), authz.Unavailable)
}

func TestJWI6_Trap17_AResponseForAnotherClientIsNoAnswer(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	for name, c := range map[string]change{
		"other client": {"aud": "rs:2"}, "list without it": {"aud": []string{"a",
			"b"}}, "no audience": {"aud": nil}, "empty list": {"aud": []string{}},
		"audience of the token": {"aud": api}, "other issuer": {"iss": k.URL + "/"}, "no issuer": {"iss": nil},
	} {
		unkept(t, k, i, name, signedContent, k.response(t, c), authz.Misconfigured)
	}
	k.says(testkit.Reply(http.StatusOK, signedContent, k.response(t, change{"aud": []string{"x", "rs:1"}})))
	if !ask(t, i).Active {
		t.Error("a list with the client in it is refused")
	}
	named, _ := open(t, "", signedOnly(k, func(c *Config) { c.SignedResponse.Audience = "orders" }))
	unkept(t, k, named, "client id where a name is configured", signedContent, k.response(t, nil), authz.Misconfigured)
	k.says(testkit.Reply(http.StatusOK, signedContent, k.response(t, change{"aud": "orders"})))
	if !ask(t, named).Active {
		t.Error("the configured name is refused")
	}
}

func TestJWI6_AResponseOutsideItsWindowIsNoAnswer(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	now := time.Now().Unix()
	for name, iat := range map[string]any{"old": now - 62, "of tomorrow": now + 30, "absent": nil,
		"text": fmt.Sprint(now), "null": (*int)(nil)} {
		unkept(t, k, i, name, signedContent, k.response(t, change{"iat": iat}), authz.Misconfigured)
	}
	for _, iat := range []any{now - 55, now + 5, float64(now) - 1.403285, jsontext.Value(fmt.Sprint(now) + ".5e0")} {
		i, _ := open(t, "", signedOnly(k))
		k.says(testkit.Reply(http.StatusOK, signedContent, k.response(t, change{"iat": iat})))
		if !ask(t, i).Active {
			t.Errorf("iat %v at %d is refused", iat, now)
		}
	}
}

func TestJWI7_RefusalsOfOurCredentialsStayPlain(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized} {
		k.says(testkit.Reply(status, "application/json", `{"error":"invalid_client"}`))
		if err := noAnswer(t, i, secret.New(testToken), "", authz.Misconfigured); !strings.Contains(err.Error(),
			"invalid_client") {
			t.Error(err)
		}
	}
}

func TestJWI9_AResponseIsNoAccessTokenAndAnAccessTokenNoResponse(t *testing.T) {
	k := newKeyed(t)
	local, _ := open(t, "", k.in(authz.ModeJWT))
	if c := look(t, local, secret.New(k.response(t,
		change{"aud": api, "sub": "alice", "exp": time.Now().Unix() + 60, "client_id": "web",
			"jti": "1"}))); c.Active {
		t.Error("a response passes as an access token")
	}
	i, _ := open(t, "", signedOnly(k))
	token := k.token(t, change{"aud": "rs:1", "token_introspection": map[string]any{"active": true}})
	unkept(t, k, i, "access token", signedContent, token.Reveal(), authz.Misconfigured)
}

func TestJWI10_Trap19_APlainAnswerWhereASignedOneIsRequiredIsNone(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	for _, body := range []string{`{"active":true}`, `{"active":false}`} {
		unkept(t, k, i, body, "application/json", body, authz.Misconfigured)
	}
	unkept(t, k, i, "signed, but called JSON", "application/json", k.response(t, nil), authz.Misconfigured)
	unkept(t, k, i, "signed, but another thing", "application/jwt", k.response(t, nil), authz.Misconfigured)
	unkept(t, k, i, "JSON, but called signed", signedContent, `{"active":true}`, authz.Unavailable)
	unkept(t, k, i, "a page", "text/html", "<p>log in", authz.Unavailable)
	unkept(t, k, i, "nothing", "", "", authz.Unavailable)
}

func TestJWI_LargeSignedAnswersAreReadUpToTheLimitOfAnswers(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	k.says(testkit.Reply(http.StatusOK, signedContent,
		k.response(t, change{"token_introspection": map[string]any{"active": true,
			"x": strings.Repeat("y", 300_000)}})))
	if !ask(t, i).Active {
		t.Error("a large one is refused")
	}
}

func TestJWI_AskTellsWhatWasVerified(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", signedOnly(k))
	body := k.response(t, nil)
	k.says(testkit.Reply(http.StatusOK, signedContent, body))
	a, err := i.Ask(t.Context(), secret.New(testToken))
	if err != nil || string(a.Body) != body || !bytes.HasPrefix(a.Verified, []byte(`{"active":true`)) &&
		!bytes.Contains(a.Verified, []byte(`"active":true`)) {
		t.Errorf("verified %s: %v", a.Verified, err)
	}
	k.says(testkit.Reply(http.StatusOK, signedContent, k.response(t, change{"aud": "x"})))
	if a, err = i.Ask(t.Context(), secret.New(testToken)); err == nil || a.Verified != nil || len(a.Body) == 0 {
		t.Errorf("verified %s: %v", a.Verified, err)
	}
}

func TestJWI5_ADecryptionKeyThatCannotBeReadStopsTheStart(t *testing.T) {
	k := newKeyed(t)
	c := testConfig(t, k.URL)
	signedOnly(k)(&c)
	c.SignedResponse.EncryptionAlgorithms, c.SignedResponse.EncryptionEncodings = []string{"ECDH-ES"},
		[]string{"A128GCM"}
	for _, s := range []secret.Source{{File: "/nowhere"}, testkit.SecretFile(t, "no key")} {
		c.SignedResponse.DecryptionKey = s
		if _, err := New(c, Deps{Fingerprints: secret.NewFingerprinter()}); err == nil ||
			!strings.Contains(err.Error(), "decryption_key") {
			t.Errorf("error %v", err)
		}
	}
}

func TestJWI5_AKeySetOfSecretsIsNone(t *testing.T) {
	// A server that shows its secret would let every client sign: package jose leaves such keys out.
	k := newKeyed(t)
	k.holds(`{"kty":"oct","kid":"k1","k":"c2VjcmV0"}`)
	i, _ := open(t, "", signedOnly(k))
	unkept(t, k, i, "no usable key", signedContent, k.response(t, nil), authz.Unavailable)
}
