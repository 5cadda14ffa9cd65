package jose_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"os"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

// proof allows more than a DPoP proof may be, so that the key itself must refuse the rest.
var proof = jose.Expect{Types: []string{"dpop+jwt"},
	Algorithms: []string{"ES256", "ES384", "RS256", "EdDSA", "Ed25519", "HS256", "none"}}

func TestDPOP6_TheProofOfRFC9449Verifies(t *testing.T) {
	var v struct {
		Proof  string          `json:"dpop_proof"`
		JKT    string          `json:"jkt"`
		Claims json.RawMessage `json:"decoded_claims"`
	}
	raw, err := os.ReadFile("testdata/dpop-rfc9449-vector.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	got, jkt, err := jose.VerifyEmbedded(v.Proof, proof)
	if err != nil || jkt != v.JKT {
		t.Fatalf("thumbprint %q, want %q: %v", jkt, v.JKT, err)
	}
	want := jsontext.Value(v.Claims)
	if err := want.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	if err := got.Claims.Canonicalize(); err != nil || string(got.Claims) != string(want) {
		t.Errorf("claims %s", got.Claims)
	}
	tampered := v.Proof[:len(v.Proof)-4] + "AAAA"
	if _, jkt, err := jose.VerifyEmbedded(tampered, proof); !errors.Is(err, jose.ErrSignature) || jkt != "" {
		t.Errorf("tampered: %q, %v", jkt, err)
	}
}

// jwk is the public key of the tests as a DPoP client shows it.
func jwk(t testing.TB, key string) string {
	t.Helper()
	return with(t, string(signer(t, key, "", "").Public()), map[string]any{"alg": nil, "use": nil})
}

func proofBy(t testing.TB, key, alg, jwk string) string {
	t.Helper()
	return handmade(t, key, alg, `{"typ":"dpop+jwt","alg":"`+alg+`","jwk":`+jwk+`}`, `{"jti":"1"}`)
}

func TestDPOP6_TheKeyInTheHeaderSigned(t *testing.T) {
	for key, alg := range map[string]string{"rsa": "RS256", "p256": "ES256", "p384": "ES384", "ed25519": "EdDSA"} {
		got, jkt, err := jose.VerifyEmbedded(proofBy(t, key, alg, jwk(t, key)), proof)
		want, err2 := jose.Thumbprint(jsontext.Value(jwk(t, key)))
		if err != nil || err2 != nil || jkt != want || jkt == "" || string(got.Claims) != `{"jti":"1"}` {
			t.Errorf("%s: %q, want %q: %v, %v", key, jkt, want, err, err2)
		}
	}
	if _, _, err := jose.VerifyEmbedded(proofBy(t, "ed25519", "Ed25519", jwk(t, "ed25519")), proof); err != nil {
		t.Error(err)
	}
	other := with(t, jwk(t, "p256"), nil)
	if _, _, err := jose.VerifyEmbedded(proofBy(t, "p384", "ES256", other), proof); err == nil {
		t.Error("another key signed")
	}
}

func TestDPOP7_AKeyWithPrivateMembersIsRefused(t *testing.T) {
	for _, key := range []string{"rsa", "p256"} {
		alg := map[string]string{"rsa": "RS256", "p256": "ES256"}[key]
		for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
			for _, value := range []any{"AAAA", "", []any{}, 0} {
				if _, _, err := jose.VerifyEmbedded(proofBy(t, key, alg,
					with(t, jwk(t, key), map[string]any{member: value})), proof); !errors.Is(err, jose.ErrMalformed) {
					t.Errorf("%s with %s=%v: %v", key, member, value, err)
				}
			}
		}
		null := jwk(t, key)
		if _, _, err := jose.VerifyEmbedded(proofBy(t, key, alg, null[:len(null)-1]+`,"d":null}`), proof); err != nil {
			t.Errorf("%s with d=null, which is no d: %v", key, err)
		}
		full, err := json.Marshal(gojose.JSONWebKey{Key: privates()[key]})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := jose.VerifyEmbedded(proofBy(t, key, alg, string(full)), proof); err == nil {
			t.Errorf("%s: a whole private key passes", key)
		}
	}
}

func TestDPOP5_OnlyAsymmetricKeysProveAnything(t *testing.T) {
	symmetric, err := jose.NewSigner(longSecret, "HS256", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := jose.VerifyEmbedded(sign(t, symmetric, "dpop+jwt", struct{}{}), proof); err == nil {
		t.Error("HS256 without a key")
	}
	for name, header := range map[string]string{
		"none":  `{"typ":"dpop+jwt","alg":"none","jwk":` + jwk(t, "p256") + `}`,
		"HS256": `{"typ":"dpop+jwt","alg":"HS256","jwk":` + jwk(t, "p256") + `}`,
	} {
		if _, _, err := jose.VerifyEmbedded(handmade(t, "p256", "ES256", header, `{}`), proof); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestDPOP6_KeysThatAreNoGoodAreRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakJWK, err := json.Marshal(gojose.JSONWebKey{Key: &weak.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	ec := jwk(t, "p256")
	for name, k := range map[string]string{
		"RSA of 1024 bits": string(weakJWK), "off the curve": with(t, ec,
			map[string]any{"y": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}),
		"curve unknown": with(t, ec, map[string]any{"crv": "secp256k1"}),
		"no kty":        with(t, ec, map[string]any{"kty": nil}), "no x": with(t, ec, map[string]any{"x": nil}),
		"short x": with(t, ec, map[string]any{"x": "AA"}), "x of another type": with(t, ec, map[string]any{"x": 1}),
		"for encryption":        with(t, ec, map[string]any{"use": "enc"}),
		"for another operation": with(t, ec, map[string]any{"key_ops": []string{"deriveKey"}}),
		"for another algorithm": with(t, ec, map[string]any{"alg": "ES384"}),
		"null":                  "null", "text": `"k"`, "a list": "[" + ec + "]", "nothing in it": "{}",
		"short Ed25519":     `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`,
		"X25519":            `{"kty":"OKP","crv":"X25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"RSA without e":     with(t, jwk(t, "rsa"), map[string]any{"e": nil}),
		"RSA with e=1":      with(t, jwk(t, "rsa"), map[string]any{"e": "AQ"}),
		"RSA with a vast e": with(t, jwk(t, "rsa"), map[string]any{"e": "AQAAAAAAAAAAAAAAAAAAAQ"}),
	} {
		for _, c := range []struct{ key, alg string }{{"p256", "ES256"}, {"rsa", "RS256"}, {"ed25519", "EdDSA"}} {
			if _, _, err := jose.VerifyEmbedded(proofBy(t, c.key, c.alg, k), proof); err == nil {
				t.Errorf("%s: passes as %s", name, c.alg)
			}
		}
		if _, err := jose.Thumbprint(jsontext.Value(k)); err == nil && name != "RSA with e=1" {
			t.Errorf("%s: has a thumbprint", name)
		}
	}
	if _, _, err := jose.VerifyEmbedded(handmade(t, "p256", "ES256", `{"typ":"dpop+jwt","alg":"ES256"}`, `{}`),
		proof); err == nil {
		t.Error("no key passes")
	}
}

// The key of RFC 7638 section 3.1.
func TestThumbprintIsThatOfRFC7638(t *testing.T) {
	const key = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	if got, err := jose.Thumbprint(jsontext.Value(key)); err != nil ||
		got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("%q, %v", got, err)
	}
}
