package replay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/replay"
)

// TestTokensThatPoliciesSignAreComparedWithoutRandomSignatures: ECDSA signs the same text differently each time.
func TestTokensThatPoliciesSignAreComparedWithoutRandomSignatures(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	private, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk := fmt.Sprintf(`{"kty": "EC", "crv": "P-256", "x": %q, "y": %q, "d": %q}`, text(point[1:33]), text(point[33:]),
		text(private))
	signing := func(alg, payload, key string) replay.Side {
		return small(t, `package authz

# METADATA
# entrypoint: true
decision := {"allow": true, "upstream_headers": {
	"X-Token": io.jwt.encode_sign({"alg": "`+alg+`", "typ": "JWT"}, `+payload+`, `+key+`),
}}
`)
	}
	mac := `{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}`
	otherMAC := `{"kty": "oct", "k": "bmV3c2VjcmV0bmV3c2VjcmV0bmV3c2VjcmV0bmV3c2VjcmV0"}`
	payload := `{"sub": input.token.client_id}`
	for name, is := range map[string]struct {
		was, now replay.Side
		want     replay.Class
	}{
		"the same": {signing("ES256", payload, jwk), signing("ES256", payload, jwk), replay.Unchanged},
		"another payload": {signing("ES256", payload, jwk), signing("ES256", `{"sub": "root"}`, jwk),
			replay.AnswerChanged},
		"the same key": {signing("HS256", payload, mac), signing("HS256", payload, mac), replay.Unchanged},
		"another key":  {signing("HS256", payload, mac), signing("HS256", payload, otherMAC), replay.AnswerChanged},
	} {
		log := record(t, is.was, "authz/decision", workload(10))
		r := replayed(t, log, replay.Options{Candidate: is.now})
		if r.Changes.Of(is.want) != r.Totals.Replayed || r.Totals.Replayed == 0 {
			t.Errorf("%s: %+v, examples %+v", name, r.Changes, r.Examples)
		}
	}
}
