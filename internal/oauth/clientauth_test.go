package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// methods are clients of every method that needs no token endpoint.
func methods(t *testing.T) map[string]oauth.Client {
	p := testkit.SelfSigned(t)
	certificate, key := testkit.TempFile(t, "client.pem", p.PEM()), testkit.SecretFile(t, p.KeyPEM(t))
	return map[string]oauth.Client{
		"client_secret_basic": {ID: testID, Secret: testkit.SecretFile(t, testSecret)},
		"client_secret_post":  {ID: testID, Secret: testkit.SecretFile(t, testSecret)},
		"client_secret_jwt":   {ID: testID, Secret: testkit.SecretFile(t, testSecret)},
		"private_key_jwt": {ID: testID, Key: testkit.SecretFile(t,
			testkit.KeyPEM(t, testkit.FixedKey(t, "ES256"))), KeyID: "k1"},
		"tls_client_auth":             {ID: testID, CertificateFile: certificate, CertificateKey: key},
		"self_signed_tls_client_auth": {ID: testID, CertificateFile: certificate, CertificateKey: key},
		"bearer":                      {Secret: testkit.SecretFile(t, "rs-token.~+/=")},
		"none":                        {},
	}
}

func TestCA1_EveryRequestShowsExactlyOneMethod(t *testing.T) {
	u := serve(t, active)
	for auth, client := range methods(t) {
		client.Auth = auth
		cfg := u.config(t)
		cfg.Client = client
		q := u.observed(t, cfg)
		got := map[string]bool{
			"Authorization": q.Header.Get("Authorization") != "", "client_secret": q.form.Has("client_secret"),
			"client_assertion": q.form.Has("client_assertion"), "certificate": len(q.TLS.PeerCertificates) > 0,
		}
		want := map[string]string{
			"client_secret_basic": "Authorization", "client_secret_post": "client_secret",
			"client_secret_jwt": "client_assertion",
			"private_key_jwt":   "client_assertion", "tls_client_auth": "certificate",
			"self_signed_tls_client_auth": "certificate", "bearer": "Authorization",
		}[auth]
		for place, shown := range got {
			if shown != (place == want) {
				t.Errorf("%s: %s %t", auth, place, shown)
			}
		}
		if len(q.Header.Values("Authorization")) > 1 || q.URL.RawQuery != "" || q.form.Get("token") != "t" {
			t.Errorf("%s: %v %v", auth, q.URL, q.form)
		}
	}
}

func TestCA2_BasicEncodesIDAndSecretSeparately(t *testing.T) {
	u := serve(t, active)
	cfg := u.config(t)
	cfg.Client.Secret = testkit.SecretFile(t, "s3cr:t+ %/ü")
	q := u.observed(t, cfg)
	scheme, credentials, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	b, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil || scheme != "Basic" {
		t.Fatal(scheme, err)
	}
	if want := "rs%3A1:s3cr%3At%2B+%25%2F%C3%BC"; string(b) != want {
		t.Errorf("credentials %q, want %q", b, want)
	}
	if len(q.form) != 1 {
		t.Errorf("something in the body: %v", q.form)
	}
}

func TestCA2_RawEncodesNothing(t *testing.T) {
	u := serve(t, active)
	cfg := u.config(t)
	cfg.Client.ID, cfg.Client.BasicEncoding = "rs 1", "raw"
	if id, password, _ := u.observed(t, cfg).BasicAuth(); id != "rs 1" || password != testSecret {
		t.Errorf("id %q", id)
	}
}

func TestCA3_PostSendsBothInTheBodyAndNowhereElse(t *testing.T) {
	u := serve(t, active)
	cfg := u.config(t)
	cfg.Client.Auth = "client_secret_post"
	q := u.observed(t, cfg)
	if q.form.Get("client_id") != testID || q.form.Get("client_secret") != testSecret {
		t.Errorf("form %v", q.form)
	}
	if q.Header.Get("Authorization") != "" || q.URL.RawQuery != "" {
		t.Error("a second method")
	}
}

func TestCA4_ARefusalIsAReply(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, _ seen) { says(w, 401, `{"error":"invalid_client"}`) })
	r, err := ask(t.Context(), open(t, u.config(t)))
	if err != nil || r.Status != 401 || r.OAuthError() != "invalid_client" {
		t.Errorf("%d %q, %v", r.Status, r.OAuthError(), err)
	}
	if len(u.requests()) != 1 {
		t.Errorf("asked %d times", len(u.requests()))
	}
}

func signing(t *testing.T, u *idp) oauth.Config {
	cfg := u.config(t)
	cfg.Client = methods(t)["private_key_jwt"]
	cfg.Client.Auth = "private_key_jwt"
	return cfg
}

func TestCA5_AnAssertionComesWithItsTypeAndTheSameClient(t *testing.T) {
	u := serve(t, active)
	q := u.observed(t, signing(t, u))
	if got := q.form.Get("client_assertion_type"); got != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("type %q", got)
	}
	claims, _ := claimsOf(t, q.form.Get("client_assertion"), testkit.FixedKey(t, "ES256").Public())
	if q.form.Get("client_id") != claims["sub"] {
		t.Errorf("client_id %q", q.form.Get("client_id"))
	}
}

func TestCA6_AnAssertionIsShortLivedAndNamesTheClient(t *testing.T) {
	u := serve(t, active)
	claims, _ := claimsOf(t, u.observed(t, signing(t, u)).form.Get("client_assertion"),
		testkit.FixedKey(t, "ES256").Public())
	if claims["iss"] != testID || claims["sub"] != testID || len(claims) != 6 {
		t.Errorf("claims %v", claims)
	}
	iat, exp, now := claims["iat"].(float64), claims["exp"].(float64), float64(time.Now().Unix())
	if exp-iat > 60 || exp <= now || iat > now || iat < now-5 {
		t.Errorf("iat %v, exp %v, now %v", iat, exp, now)
	}
	if jti, _ := claims["jti"].(string); len(jti) < 20 {
		t.Errorf("jti %q", jti)
	}
}

func TestCA7_TheAudienceIsTheIssuerAlone(t *testing.T) {
	u := serve(t, active)
	claims, header := claimsOf(t, u.observed(t, signing(t, u)).form.Get("client_assertion"),
		testkit.FixedKey(t, "ES256").Public())
	if claims["aud"] != u.URL || header.ExtraHeaders["typ"] != "client-authentication+jwt" {
		t.Errorf("aud %v, typ %v", claims["aud"], header.ExtraHeaders)
	}
}

func TestCA7_OldServersGetWhatTheyWant(t *testing.T) {
	u := serve(t, active)
	cfg := signing(t, u)
	cfg.Issuer, cfg.Client.AssertionAudience, cfg.Client.AssertionType = "", "https://as.example/token", "JWT"
	claims, header := claimsOf(t, u.observed(t, cfg).form.Get("client_assertion"),
		testkit.FixedKey(t, "ES256").Public())
	if claims["aud"] != "https://as.example/token" || header.ExtraHeaders["typ"] != "JWT" {
		t.Errorf("aud %v, typ %v", claims["aud"], header.ExtraHeaders)
	}
}

func TestCA8_KeysSignByTheirUsualAlgorithmAndNameThemselves(t *testing.T) {
	u := serve(t, active)
	for _, alg := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
		key := testkit.FixedKey(t, alg)
		cfg := signing(t, u)
		cfg.Client.Key, cfg.Client.SigningAlg = testkit.SecretFile(t, testkit.KeyPEM(t, key)), "auto"
		_, header := claimsOf(t, u.observed(t, cfg).form.Get("client_assertion"), key.Public())
		if header.Algorithm != alg || header.KeyID != "k1" {
			t.Errorf("%s: alg %q, kid %q", alg, header.Algorithm, header.KeyID)
		}
	}
	cfg := signing(t, u)
	cfg.Client.Key, cfg.Client.SigningAlg, cfg.Client.KeyID =
		testkit.SecretFile(t, testkit.KeyPEM(t, testkit.FixedKey(t, "RS256"))), "PS512", ""
	_, header := claimsOf(t, u.observed(t, cfg).form.Get("client_assertion"), testkit.FixedKey(t, "RS256").Public())
	if header.Algorithm != "PS512" || header.KeyID != "" {
		t.Errorf("alg %q, kid %q", header.Algorithm, header.KeyID)
	}
}

func TestCA8_SecretsSignByHMAC(t *testing.T) {
	u := serve(t, active)
	for setting, alg := range map[string]string{"": "HS256", "auto": "HS256", "HS384": "HS384", "HS512": "HS512"} {
		cfg := u.config(t)
		cfg.Client.Auth, cfg.Client.SigningAlg = "client_secret_jwt", setting
		q := u.observed(t, cfg)
		claims, header := claimsOf(t, q.form.Get("client_assertion"), []byte(testSecret))
		if header.Algorithm != alg || claims["aud"] != u.URL || claims["sub"] != testID {
			t.Errorf("%q: alg %q, claims %v", setting, header.Algorithm, claims)
		}
	}
}

func TestCA8_ASecretShorterThanTheHashIsRefused(t *testing.T) {
	u := serve(t, active)
	for alg, bytes := range map[string]int{"auto": 32, "HS384": 48, "HS512": 64} {
		for _, short := range []int{0, 1} {
			cfg := u.config(t)
			cfg.Client.Auth, cfg.Client.SigningAlg, cfg.Client.Secret =
				"client_secret_jwt", alg, testkit.SecretFile(t, strings.Repeat("x", bytes-short))
			s, err := oauth.New(cfg, oauth.Deps{})
			if (err != nil) != (short == 1) {
				t.Errorf("%s with %d bytes: %v", alg, bytes-short, err)
			}
			if err == nil {
				s.Close()
			}
		}
	}
}

func TestCA8_NoAssertionIsSentTwice(t *testing.T) {
	u := serve(t, active)
	s := open(t, signing(t, u))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if r, err := ask(t.Context(), s); err != nil || r.Status != 200 {
				t.Errorf("status %d, %v", r.Status, err)
			}
		})
	}
	all.Wait()
	known := map[any]bool{}
	for _, q := range u.requests() {
		claims, _ := claimsOf(t, q.form.Get("client_assertion"), testkit.FixedKey(t, "ES256").Public())
		known[claims["jti"]] = true
	}
	if len(known) != 50 {
		t.Errorf("%d identifiers in 50 assertions", len(known))
	}
}

func TestTheFormOfTheCallerIsLeftAlone(t *testing.T) {
	u := serve(t, active)
	for auth, client := range methods(t) {
		client.Auth = auth
		cfg := u.config(t)
		cfg.Client = client
		form := url.Values{"token": {"t"}}
		if _, err := open(t, cfg).Post(t.Context(), u.URL, form, "application/json"); err != nil || len(form) != 1 {
			t.Errorf("%s: %d members, %v", auth, len(form), err)
		}
	}
}

func TestINT3_BearerIsSentAsItIs(t *testing.T) {
	u := serve(t, active)
	cfg := u.config(t)
	cfg.Client = oauth.Client{Auth: "bearer", Secret: testkit.SecretFile(t, "rs-token.~+/=")}
	q := u.observed(t, cfg)
	if got := q.Header.Get("Authorization"); got != "Bearer rs-token.~+/=" || q.form.Has("client_id") {
		t.Errorf("Authorization %q, form %v", got, q.form)
	}
	t.Setenv("RS_TOKEN", "of-the-environment")
	cfg.Client.Secret = secret.Source{Env: "RS_TOKEN"}
	if got := u.observed(t, cfg).Header.Get("Authorization"); got != "Bearer of-the-environment" {
		t.Errorf("Authorization %q", got)
	}
}
