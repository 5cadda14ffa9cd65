package jose_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

var proof = jose.Expect{Types: []string{"dpop+jwt"}, Algorithms: []string{"ES256", "RS256", "EdDSA", "Ed25519", "HS256"}}

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
}
