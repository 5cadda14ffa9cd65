package transmitter

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

// rsaKeys are slow to make, so they are made once: that of the transmitter, and another one.
var rsaKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

// Key is the key of the transmitter.
func Key() *rsa.PrivateKey { return rsaKeys()[0] }

// OtherKey is another key. Its signer uses the kid of the transmitter's.
func OtherKey() *rsa.PrivateKey { return rsaKeys()[1] }

// Signer signs with the key of the transmitter.
func Signer(t testing.TB, alg string) *jose.Signer { return jwks.SignerOf(t, Key(), alg, "key-1") }

// OtherSigner signs with the other key.
func OtherSigner(t testing.TB, alg string) *jose.Signer {
	return jwks.SignerOf(t, OtherKey(), alg, "key-1")
}

// With changes claims; nil removes one.
func With(claims map[string]any, changes map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range claims {
		out[k] = v
	}
	for k, v := range changes {
		if out[k] = v; v == nil {
			delete(out, k)
		}
	}
	return out
}

// Issuer is the configuration of the issuer with an identifier.
func Issuer(t testing.TB, identifier string) oauth.Config {
	return oauth.Config{
		Name: Name, Issuer: identifier, AllowInsecureHTTP: true, Timeout: time.Minute, MaxResponseBytes: 1 << 20,
		Client: oauth.Client{
			ID: "orders-api", Auth: "client_secret_basic", BasicEncoding: "form", TokenAuth: "client_secret_basic",
			Secret: testkit.SecretFile(t, ClientSecret),
		},
	}
}
