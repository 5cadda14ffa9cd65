//go:build real

package realtest

import (
	"crypto/rand"
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

// clientAssertion is how a client authenticates by a signature: RFC 7523 section 2.2, with the type that its successor
// asks for.
func clientAssertion(t *testing.T, id string, key jose.SigningKey, audience string) url.Values {
	t.Helper()
	now := time.Now()
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion": {sign(t, key, (&jose.SignerOptions{}).WithType("client-authentication+jwt"),
			map[string]any{
				"iss": id, "sub": id, "aud": audience, "jti": rand.Text(), "iat": now.Unix(),
				"exp": now.Add(time.Minute).Unix(),
			})},
	}
}

// verified checks the type and, by one of keys, the signature of a compact JWS, and returns its payload.
func verified(
	t *testing.T, keys jose.JSONWebKeySet, compact, wantType string, algorithm jose.SignatureAlgorithm,
) []byte {
	t.Helper()
	jws, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{algorithm})
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
