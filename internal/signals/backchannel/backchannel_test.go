package backchannel

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

func logoutClaimsOf(p *transmitter.Server) map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"iss": p.URL, "aud": testClient, "iat": now, "exp": now + 120, "jti": "logout-1", "sub": "alice",
		"sid":    "session-1",
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
}

func TestBCL1_ALogoutTokenEndsTheSessionAndTheOtherTokensOfTheUser(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	w := postLogout(t, rs, jwks.Sign(t, p.Signer, "logout+jwt", logoutClaimsOf(p)))
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
	transmitter.Wants(t, l, authz.Revocation{SessionID: "session-1"}, authz.Revocation{Subject: "alice"})
	if of := l.All()[1].OfSession; of != "session-1" {
		t.Errorf("the tokens of the user are over because of session %q", of)
	}
	if l.Of(signals.Evicted) != 1 {
		t.Errorf("outcomes %v", l.Outcomes())
	}
}

func TestBCL2_WhatIsNotAValidLogoutTokenIsRefused(t *testing.T) {
	p := transmitter.New(t)
	otherSigner := transmitter.OtherSigner(t, "RS256")
	now := time.Now().Unix()
	other := func(name string, v any) string {
		return jwks.Sign(t, p.Signer, "logout+jwt", transmitter.With(logoutClaimsOf(p), map[string]any{name: v}))
	}
	for name, tok := range map[string]string{
		"typ of an access token":   jwks.Sign(t, p.Signer, "at+jwt", logoutClaimsOf(p)),
		"typ of a security event":  jwks.Sign(t, p.Signer, "secevent+jwt", logoutClaimsOf(p)),
		"another key":              jwks.Sign(t, otherSigner, "logout+jwt", logoutClaimsOf(p)),
		"alg that is not accepted": jwks.Sign(t, transmitter.Signer(t, "PS256"), "logout+jwt", logoutClaimsOf(p)),
		"alg none":                 "eyJhbGciOiJub25lIiwidHlwIjoibG9nb3V0K2p3dCJ9.e30.",
		"garbage":                  "garbage",
		"empty":                    "",
		"another issuer":           other("iss", p.URL+"/"),
		"no issuer":                other("iss", nil),
		"another audience":         other("aud", "another-client"),
		"no audience":              other("aud", nil),
		"audience of a number":     other("aud", 7),
		"no iat":                   other("iat", nil),
		"iat in the future":        other("iat", now+3600),
		"iat of last week":         other("iat", now-7*24*3600),
		"iat that is no number":    other("iat", "now"),
		"an exp that is no number": other("exp", "soon"),
		"expired":                  other("exp", now-3600),
		"a nonce":                  other("nonce", "n-1"),
		"an empty nonce":           other("nonce", ""),
		"no events":                other("events", nil),
		"events of another kind": other("events", map[string]any{
			"https://schemas.openid.net/secevent/caep/event-type/session-revoked": map[string]any{}}),
		"an event that is no object":  other("events", map[string]any{logoutEvent: true}),
		"events that are a list":      other("events", []string{logoutEvent}),
		"no jti":                      other("jti", nil),
		"a jti of control characters": other("jti", "a\nb"),
		"neither sub nor sid": jwks.Sign(t, p.Signer, "logout+jwt",
			transmitter.With(logoutClaimsOf(p), map[string]any{"sub": nil, "sid": nil})),
		"a sub that is too long":   other("sub", strings.Repeat("x", 2000)),
		"a sid that is a fraction": other("sid", 5.5),
		"a sid that is a list":     other("sid", []string{"s"}),
		"a sub that is an object":  other("sub", map[string]any{"id": "alice"}),
	} {
		t.Run(name, func(t *testing.T) {
			rs, l := openFor(t, p, nil)
			w := postLogout(t, rs, tok)
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"error":"invalid_request"`) {
				t.Errorf("status %d, body %s", w.Code, w.Body)
			}
			transmitter.Wants(t, l)
			if l.Of(signals.Refused) != 1 {
				t.Errorf("outcomes %v", l.Outcomes())
			}
		})
	}
}

func TestBCL2_AnEncryptedTokenIsDecryptedFirst(t *testing.T) {
	p := transmitter.New(t)
	der, err := x509.MarshalPKCS8PrivateKey(transmitter.OtherKey())
	if err != nil {
		t.Fatal(err)
	}
	key := testkit.SecretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	encrypted := encrypt(t, &transmitter.OtherKey().PublicKey, jwks.Sign(t, p.Signer, "logout+jwt", logoutClaimsOf(p)))
	alien := encrypt(t, &transmitter.OtherKey().PublicKey,
		jwks.Sign(t, transmitter.OtherSigner(t, "RS256"), "logout+jwt", logoutClaimsOf(p)))
	with := func(c *Config) {
		c.DecryptionKey = key
		c.EncryptionAlgorithms, c.EncryptionEncodings = []string{"RSA-OAEP-256", "ECDH-ES"}, []string{"A256GCM"}
	}
	rs, l := openFor(t, p, with)
	if w := postLogout(t, rs, alien); w.Code != http.StatusBadRequest || len(l.All()) != 0 {
		t.Errorf("signed with another key: status %d", w.Code)
	}
	if w := postLogout(t, rs, encrypted); w.Code != http.StatusOK || len(l.All()) != 2 {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	rs, l = openFor(t, p, nil)
	if w := postLogout(t, rs, encrypted); w.Code != http.StatusBadRequest || len(l.All()) != 0 {
		t.Errorf("without a key: status %d", w.Code)
	}
	cfg := testConfig()
	with(&cfg)
	cfg.EncryptionAlgorithms = []string{"ECDH-ES"} // which the key does not fit
	if _, _, err := openWith(t, transmitter.Issuer(t, p.URL), cfg, "unknown", signals.Deps{}); err == nil ||
		!strings.Contains(err.Error(), "decryption_key") {
		t.Errorf("error %v", err)
	}
}

// encrypt makes a compact JWE by RSA-OAEP-256 and A256GCM with the standard library (RFC 7516 section 5.1).
func encrypt(t *testing.T, to *rsa.PublicKey, inner string) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	key, iv := make([]byte, 32), make([]byte, 12)
	_, _ = rand.Read(key)
	_, _ = rand.Read(iv)
	header := b64([]byte(`{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}`))
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, to, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	sealed := gcm.Seal(nil, iv, []byte(inner), []byte(header))
	n := len(sealed) - gcm.Overhead()
	return header + "." + b64(wrapped) + "." + b64(iv) + "." + b64(sealed[:n]) + "." + b64(sealed[n:])
}

func TestBCL2_AClaimThatIsNullIsAbsent(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	claims := logoutClaimsOf(p)
	for _, name := range []string{"nonce", "exp", "sid"} {
		claims[name] = (*string)(nil)
	}
	if w := postLogout(t, rs, jwks.Sign(t, p.Signer, "logout+jwt", claims)); w.Code != http.StatusOK {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
}

// Hydra, Keycloak before 23.0.4 and authentik before 2025.8.2 leave exp out.
func TestBCL2_WithoutExpTheIatBoundsALogoutToken(t *testing.T) {
	p := transmitter.New(t)
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		iat  any
		code int
	}{
		"of now": {now, http.StatusOK}, "of a moment ago, with a fraction": {float64(now) - 5.25, http.StatusOK},
		"of an hour ago": {now - 3600, http.StatusOK},
		"of last week":   {now - 7*24*3600, http.StatusBadRequest},
		"of tomorrow":    {now + 24*3600, http.StatusBadRequest}, "no iat": {nil, http.StatusBadRequest},
	} {
		rs, l := openFor(t, p, nil)
		// As Hydra makes it: no typ, aud a list, sub or sid alone.
		tok := jwks.Sign(t, p.Signer, "", transmitter.With(logoutClaimsOf(p),
			map[string]any{"exp": nil, "sid": nil, "aud": []string{testClient}, "iat": c.iat}))
		for range 2 { // the second is a repetition
			if w := postLogout(t, rs, tok); w.Code != c.code {
				t.Errorf("%s: status %d, %s", name, w.Code, w.Body)
			}
		}
		if evicted := l.Of(signals.Evicted); evicted != map[int]int{http.StatusOK: 1}[c.code] {
			t.Errorf("%s: %d evictions, outcomes %v", name, evicted, l.Outcomes())
		}
	}
}

func TestBCL2_IdentifiersThatAreNumbersAreTheirDigits(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	tok := jwks.Sign(t, p.Signer, "logout+jwt", transmitter.With(logoutClaimsOf(p),
		map[string]any{"sub": 42, "sid": 5, "jti": 7}))
	if w := postLogout(t, rs, tok); w.Code != http.StatusOK {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	transmitter.Wants(t, l, authz.Revocation{SessionID: "5"}, authz.Revocation{Subject: "42"})
}

func TestBCL2_TheTypesOfOlderServersAreTaken(t *testing.T) {
	p := transmitter.New(t)
	for _, typ := range []string{"logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", "jwt", ""} {
		rs, l := openFor(t, p, nil)
		if w := postLogout(t, rs, jwks.Sign(t, p.Signer, typ, logoutClaimsOf(p))); w.Code != http.StatusOK {
			t.Errorf("typ %q: status %d, %s", typ, w.Code, w.Body)
		}
		if len(l.All()) != 2 {
			t.Errorf("typ %q: evicted %v", typ, l.All())
		}
	}
}

func TestBCL2_ARepetitionIsAnsweredAlikeAndDoesNothing(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	tok := jwks.Sign(t, p.Signer, "logout+jwt", logoutClaimsOf(p))
	for range 3 {
		if w := postLogout(t, rs, tok); w.Code != http.StatusOK {
			t.Errorf("status %d", w.Code)
		}
	}
	if len(l.All()) != 2 || l.Of(signals.Duplicate) != 2 {
		t.Errorf("evicted %v, outcomes %v", l.All(), l.Outcomes())
	}
}

func TestBCL2_OneOfSeveralAudiencesIsEnough(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	w := postLogout(t, rs, jwks.Sign(t, p.Signer, "logout+jwt",
		transmitter.With(logoutClaimsOf(p), map[string]any{"aud": []string{"another", testClient}, "sid": nil})))
	if w.Code != http.StatusOK {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestBCL4_WhereSessionsAreKnownOtherSessionsStay(t *testing.T) {
	p := transmitter.New(t)
	rs, l, err := openWith(t, transmitter.Issuer(t, p.URL), testConfig(), signals.SessionsKnown, signals.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	postLogout(t, rs, jwks.Sign(t, p.Signer, "logout+jwt", logoutClaimsOf(p)))
	transmitter.Wants(t, l, authz.Revocation{SessionID: "session-1"})
	postLogout(t, rs, jwks.Sign(t, p.Signer, "logout+jwt",
		transmitter.With(logoutClaimsOf(p), map[string]any{"jti": "logout-2", "sid": nil})))
	transmitter.Wants(t, l, authz.Revocation{SessionID: "session-1"}, authz.Revocation{Subject: "alice"})
}

func TestBCL3_EveryFailureIsA400ThatIsNotCached(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	good := jwks.Sign(t, p.Signer, "logout+jwt", logoutClaimsOf(p))
	const form = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct{ contentType, body string }{
		"JSON":            {"application/json", `{"logout_token":"` + good + `"}`},
		"no content type": {"", "logout_token=" + good},
		"two tokens":      {form, "logout_token=" + good + "&logout_token=" + good},
		"none":            {form, "token=" + good},
		"broken escape":   {form, "logout_token=%zz"},
		"too large":       {form, "logout_token=" + strings.Repeat("a", maxFormBytes)},
	} {
		w := post(t, rs, c.contentType, c.body)
		if w.Code != http.StatusBadRequest || w.Header().Get("Cache-Control") != "no-store" ||
			w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: status %d, header %v", name, w.Code, w.Header())
		}
	}
	l.FailEvictions()
	if w := postLogout(t, rs, good); w.Code != http.StatusBadRequest ||
		!strings.Contains(w.Body.String(), "temporarily_unavailable") {
		t.Errorf("not put in force: status %d, %s", w.Code, w.Body)
	}
	l.AllowEvictions()
	w := postLogout(t, rs, good) // what was not put in force does not count as seen
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	if len(l.All()) != 2 {
		t.Errorf("evicted %v", l.All())
	}
}

func TestBCL3_KeysThatCannotBeHadAreAFailureToo(t *testing.T) {
	p := transmitter.New(t)
	p.Override["GET /jwks"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	rs, l := openFor(t, p, nil)
	if w := postLogout(t, rs, jwks.Sign(t, p.Signer, "logout+jwt",
		logoutClaimsOf(p))); w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
	transmitter.Wants(t, l)
	if l.Of(signals.Unavailable) != 1 {
		t.Errorf("outcomes %v", l.Outcomes())
	}
}

func TestTheLogNamesTheEventAndNoSubject(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	good := jwks.Sign(t, p.Signer, "logout+jwt", logoutClaimsOf(p))
	postLogout(t, rs, good)
	postLogout(t, rs, good+"x")
	text := l.Log()
	for _, never := range []string{"alice", "session-1", good, "the-stream-shows-this"} {
		if strings.Contains(text, never) {
			t.Errorf("the log holds %q:\n%s", never, text)
		}
	}
	if !strings.Contains(text, "jti=logout-1") || !strings.Contains(text, "event was not taken") {
		t.Errorf("log:\n%s", text)
	}
}

func TestRefusalsDoNotFloodTheLog(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	for range 100 {
		postLogout(t, rs, "garbage")
	}
	if n := strings.Count(l.Log(), "event was not taken"); n != 1 || l.Of(signals.Refused) != 100 {
		t.Errorf("%d lines, outcomes %v", n, l.Outcomes())
	}
}
