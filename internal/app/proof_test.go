package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
)

// A bound token passes through the whole sidecar, as it is configured by default, once with each proof: as opaque text and
// as a JWT.
func TestABoundTokenPassesWithItsProofByDefault(t *testing.T) {
	w := start(t, nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	jwk := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, b64(point[1:33]), b64(point[33:]))
	thumbprint := sha256.Sum256([]byte(jwk))
	prove := func(tok string) string {
		hash := sha256.Sum256([]byte(tok))
		claims := fmt.Sprintf(`{"jti":%q,"htm":"GET","htu":"https://api.example/orders/42","iat":%d,"ath":%q}`, rand.Text(), time.Now().Unix(), b64(hash[:]))
		text := b64([]byte(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+jwk+`}`)) + "." + b64([]byte(claims))
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return text + "." + b64(signature)
	}
	ask := func(tok, proof string) answer {
		body := strings.Replace(call(tok), `["Bearer `, `["DPoP `, 1)
		body = strings.Replace(body, `"headers":{`, `"headers":{"DPoP":["`+proof+`"],`, 1)
		text, err := w.send(t.Context(), "POST", w.api+"/v1/decisions", body)
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, format := range []devissuer.Format{devissuer.Opaque, devissuer.JWT} {
		g := good()
		g.TokenFormat, g.Claims = format, map[string]any{"cnf": map[string]any{"jkt": b64(thumbprint[:])}}
		tok := w.token(t, g)
		one := prove(tok)
		for _, c := range []struct{ kind, code string }{{"allow", ""}, {"unauthenticated", "invalid_dpop_proof"}} {
			if a := ask(tok, one); a.Kind != c.kind || c.code != "" && a.Reasons[0].Code != c.code {
				t.Errorf("%s: got %v, want %s %s", format, a, c.kind, c.code)
			}
		}
	}
	if page := w.get(t, "/metrics"); !strings.Contains(page, `sidecar_token_proofs_total{method="dpop",outcome="replayed"} 2`) {
		t.Error("the replays were not counted")
	}
}
