package jose_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestWhatASignerMadeVerifies(t *testing.T) {
	for alg, key := range map[string]string{
		"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
		"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519", "Ed25519": "ed25519",
	} {
		s := signer(t, key, alg, "k1")
		tok := sign(t, s, "JWT", map[string]any{"sub": "alice"})
		keys := static(t, string(s.Public()))
		got, err := jose.Verify(t.Context(), tok, plain(alg), keys)
		if err != nil || string(got.Claims) != `{"sub":"alice"}` ||
			got.Header != (jose.Header{Type: "JWT", Algorithm: alg, KeyID: "k1"}) {
			t.Errorf("%s: %+v, %v", alg, got, err)
		}
		if _, err := jose.Verify(t.Context(), tok+"A", plain(alg), keys); err == nil {
			t.Errorf("%s: longer signature verifies", alg)
		}
	}
}

func TestTheUsualAlgorithmFollowsFromTheKey(t *testing.T) {
	for key, alg := range map[string]string{"rsa": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512",
		"ed25519": "EdDSA"} {
		h, err := jose.Peek(sign(t, signer(t, key, "", ""), "", struct{}{}))
		if err != nil || h != (jose.Header{Algorithm: alg}) {
			t.Errorf("%s: %+v, %v", key, h, err)
		}
	}
}

func TestCA8_ASecretIsAtLeastAsLongAsTheHash(t *testing.T) {
	for alg, n := range map[string]int{"HS256": 32, "HS384": 48, "HS512": 64} {
		if _, err := jose.NewSigner(secret.New(strings.Repeat("s", n-1)), alg, ""); err == nil {
			t.Errorf("%s: %d bytes are enough", alg, n-1)
		}
		long := secret.New(strings.Repeat("s", n))
		s, err := jose.NewSigner(long, alg, "")
		if err != nil {
			t.Fatal(err)
		}
		tok := sign(t, s, "JWT", struct{}{})
		if _, err := jose.Verify(t.Context(), tok, plain(alg), jose.SharedSecret(long)); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if s.Public() != nil {
			t.Errorf("%s: the secret has a public form", alg)
		}
	}
}

func TestKeysAreReadInTheFormsTheyComeIn(t *testing.T) {
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	jwkOf := func(k gojose.JSONWebKey) string {
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	rsaKey, ecKey := privates()["rsa"].(*rsa.PrivateKey), privates()["p384"].(*ecdsa.PrivateKey)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	for name, c := range map[string]struct{ text, alg, kid string }{
		"PKCS #1": {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil), "RS256", ""},
		"SEC 1":   {block("EC PRIVATE KEY", sec1, err), "ES384", ""},
		"SEC 1 with parameters": {block("EC PARAMETERS", []byte{6, 5, 43, 129, 4, 0, 34}, nil) +
			block("EC PRIVATE KEY", sec1, err), "ES384", ""},
		"after a certificate": {block("CERTIFICATE", []byte("x"), nil) + pemOf(t, "rsa").Reveal(), "RS256", ""},
		"JWK":                 {jwkOf(gojose.JSONWebKey{Key: ecKey}), "ES384", ""},
		"JWK that says something": {" " + jwkOf(gojose.JSONWebKey{Key: rsaKey, KeyID: "k", Algorithm: "PS384",
			Use: "sig"}) + "\n", "PS384", "k"},
		"JWK, Ed25519": {jwkOf(gojose.JSONWebKey{Key: privates()["ed25519"], Algorithm: "Ed25519"}),
			"Ed25519", ""},
	} {
		s, err := jose.NewSigner(secret.New(c.text), "", "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tok := sign(t, s, "JWT", struct{}{})
		if h, err := jose.Peek(tok); err != nil || h.Algorithm != c.alg || h.KeyID != c.kid {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
		if _, err := jose.Verify(t.Context(), tok, anything, static(t, string(s.Public()))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysThatCannotSignAreRefusedWithoutQuotingThem(t *testing.T) {
	good := pemOf(t, "rsa").Reveal()
	ec, err := json.Marshal(gojose.JSONWebKey{Key: privates()["p256"]})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, alg string }{
		"nothing": {"", ""}, "rubbish": {"hunter2 hunter2", ""}, "public": {jwk(t, "rsa"), ""},
		"encrypted": {"-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVudGVyMg==\n-----END ENCRYPTED PRIVATE KEY-----\n",
			""},
		"damaged PEM":        {"-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n", ""},
		"damaged JWK":        {`{"kty":"RSA","d":"hunter2"}`, ""},
		"JWK of a secret":    {`{"kty":"oct","k":"aHVudGVyMg"}`, ""},
		"a secret for RS256": {"hunter2hunter2hunter2hunter2hunter2hunter2", "RS256"},
		"of another family":  {good, "ES256"}, "of another curve": {string(ec), "ES384"}, "none": {good, "none"},
		"unknown alg": {good, "XX1"}, "encryption": {good, "RSA-OAEP"},
		"JWK for another alg": {with(t, string(ec), map[string]any{"alg": "ES384"}), "ES256"},
		"JWK for encryption":  {with(t, string(ec), map[string]any{"use": "enc"}), "ES256"},
		"a member twice":      {string(ec[:len(ec)-1]) + `,"kid":"a","kid":"b"}`, ""},
	} {
		if _, err := jose.NewSigner(secret.New(c.text), c.alg, ""); err == nil ||
			strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVyMg") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClaimsAreAnObject(t *testing.T) {
	s := signer(t, "p256", "", "")
	for _, v := range []any{nil, "x", 1, []int{1}, func() {}} {
		if _, err := s.Sign("", v); err == nil {
			t.Errorf("%T is signed", v)
		}
	}
}
