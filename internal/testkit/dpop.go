package testkit

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"
)

// ProofKey is the key of a client that proves that it holds it: RFC 9449. Proofs are made by the standard library
// alone, so that the code that verifies them is not checked against itself.
type ProofKey struct {
	Key *ecdsa.PrivateKey
	// JWK is the public key, and Thumbprint its SHA-256 thumbprint (RFC 7638), as "cnf" holds it.
	JWK, Thumbprint string
}

// NewProofKey makes a key for ES256.
func NewProofKey(t testing.TB) ProofKey {
	t.Helper()
	return ProofKeyOf(t, NewKey(t))
}

// ProofKeyOf makes proofs with a key for ES256.
func ProofKeyOf(t testing.TB, key *ecdsa.PrivateKey) ProofKey {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	// The members are in the order of RFC 7638 section 3.2, so that this text is what the thumbprint is made of.
	jwk := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, Base64URL(point[1:33]), Base64URL(point[33:]))
	return ProofKey{key, jwk, sha256URL(jwk)}
}

// Proof is a good proof for a request with an access token, which may be empty, made now. Members of changes are added
// to the claims, or replace them; nil removes one.
func (k ProofKey) Proof(t testing.TB, method, uri, token string, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": uri, "iat": time.Now().Unix()}
	if token != "" {
		claims["ath"] = sha256URL(token)
	}
	maps.Copy(claims, changes)
	return k.Sign(t, map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": json.RawMessage(k.JWK)}, claims)
}

// Sign makes a compact JWS by ES256, whatever the header says. Members that are nil are left out.
func (k ProofKey) Sign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	text := part(t, header) + "." + part(t, claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.Key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + Base64URL(signature)
}

// Base64URL encodes without padding: RFC 7515 section 2.
func Base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func sha256URL(s string) string {
	sum := sha256.Sum256([]byte(s))
	return Base64URL(sum[:])
}

func part(t testing.TB, members map[string]any) string {
	t.Helper()
	present := maps.Clone(members)
	maps.DeleteFunc(present, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(present)
	if err != nil {
		t.Fatal(err)
	}
	return Base64URL(b)
}
