package jose_test

import (
	"strings"
	"testing"

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
		if err != nil || string(got.Claims) != `{"sub":"alice"}` || got.Header != (jose.Header{Type: "JWT", Algorithm: alg, KeyID: "k1"}) {
			t.Errorf("%s: %+v, %v", alg, got, err)
		}
		if _, err := jose.Verify(t.Context(), tok+"A", plain(alg), keys); err == nil {
			t.Errorf("%s: longer signature verifies", alg)
		}
	}
}

func TestTheUsualAlgorithmFollowsFromTheKey(t *testing.T) {
	for key, alg := range map[string]string{"rsa": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512", "ed25519": "EdDSA"} {
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
