//go:build real

package realtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// sign makes a compact JWS of claims.
func sign(t *testing.T, key jose.SigningKey, options *jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// dpopProof proves that whoever sends a request has key: RFC 9449 section 4.2. token is empty where none is sent. more
// adds claims, or replaces them.
func dpopProof(t *testing.T, key *ecdsa.PrivateKey, method, target, token string, more map[string]any) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": target, "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	maps.Copy(claims, more)
	return sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"), claims)
}

// thumbprint is that of the public half of key: RFC 7638.
func thumbprint(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: &key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// clientAssertion is how a client authenticates by a signature: RFC 7523 section 2.2, with the type that its successor asks for.
func clientAssertion(t *testing.T, id string, key jose.SigningKey, audience string) url.Values {
	t.Helper()
	now := time.Now()
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion": {sign(t, key, (&jose.SignerOptions{}).WithType("client-authentication+jwt"), map[string]any{
			"iss": id, "sub": id, "aud": audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		})},
	}
}

// verified checks the type and, by one of keys, the signature of a compact JWS, and returns its payload.
func verified(t *testing.T, keys jose.JSONWebKeySet, compact, wantType string, algorithm jose.SignatureAlgorithm) []byte {
	t.Helper()
	jws, err := jose.ParseSigned(compact, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		t.Fatal(err)
	}
	header := jws.Signatures[0].Protected
	if got := header.ExtraHeaders[jose.HeaderType]; got != wantType {
		t.Errorf("the type is %v, want %s", got, wantType)
	}
	found := keys.Key(header.KeyID)
	if len(found) != 1 {
		t.Fatalf("%d keys of the server have the id in the header", len(found))
	}
	payload, err := jws.Verify(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return payload
}
