package jose_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestPinPublic_ReadsEachFormOfAKey(t *testing.T) {
	key := testkit.FixedKey(t, "ES256")
	signer, err := jose.NewSigner(secret.New(testkit.KeyPEM(t, key)), "", "own")
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign("JWT", map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	jwk := string(signer.Public())
	for name, text := range map[string]string{
		"PEM": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "JWK": jwk,
		"JWK Set": `{"keys": [` + jwk + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := jose.PinPublic([]byte(text), "release", "")
			if err != nil || len(keys) != 1 || keys[0].ID() != "release" || keys[0].Algorithm() != "ES256" {
				t.Fatalf("keys %v, error %v", keys, err)
			}
			if _, err := keys[0].Verify(token.Reveal(), 0, "JWT"); err != nil {
				t.Errorf("the kid of the token is compared: %v", err)
			}
			if _, err := keys[0].Verify(token.Reveal(), 0, "other"); err == nil {
				t.Error("a token of another type is accepted")
			}
		})
	}
	certified := testkit.SelfSigned(t)
	if keys, err := jose.PinPublic([]byte(certified.PEM()), "c", ""); err != nil || len(keys) != 1 {
		t.Errorf("certificate: keys %v, error %v", keys, err)
	}
	if _, err := jose.PinPublic([]byte(jwk), "release", "ES384"); err == nil {
		t.Error("a key of P-256 is pinned to ES384")
	}
}

// TestPinSecret_RefusesAKeyPair: all who know the public key could sign with it.
func TestPinSecret_RefusesAKeyPair(t *testing.T) {
	text := secret.New(testkit.SelfSigned(t).PEM())
	if _, err := jose.PinSecret(text, "a", "HS256"); err == nil {
		t.Error("a certificate is taken for a secret")
	}
	if _, err := jose.NewSigner(text, "HS256", "a"); err == nil {
		t.Error("a certificate signs as a secret")
	}
}

func TestPinned_IsToldApartByItsMaterial(t *testing.T) {
	one, err := jose.PinSecret(secret.New("a secret of at least 32 characters"), "a", "HS256")
	if err != nil {
		t.Fatal(err)
	}
	same, err := jose.PinSecret(secret.New("a secret of at least 32 characters"), "b", "HS256")
	if err != nil {
		t.Fatal(err)
	}
	other, err := jose.PinSecret(secret.New("b secret of at least 32 characters"), "a", "HS256")
	if err != nil {
		t.Fatal(err)
	}
	if one.Print() != same.Print() || one.Print() == other.Print() {
		t.Error("the prints do not tell the secrets apart")
	}
}
