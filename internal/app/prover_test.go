package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// prover is a client with a key of its own: RFC 9449.
type prover struct {
	key *ecdsa.PrivateKey
	jwk string
}

func newProver(t *testing.T) prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return prover{key, fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, b64(point[1:33]), b64(point[33:]))}
}

// binds makes g the grant of a token that is bound to the key.
func (p prover) binds(g devissuer.Grant) devissuer.Grant {
	thumbprint := sha256.Sum256([]byte(p.jwk))
	g.Claims = map[string]any{"cnf": map[string]any{"jkt": b64(thumbprint[:])}}
	return g
}

// prove makes a proof for GET /orders/42 with a token; more are further members of its claims.
func (p prover) prove(t *testing.T, tok, more string) string {
	t.Helper()
	hash := sha256.Sum256([]byte(tok))
	claims := fmt.Sprintf(`{"jti":%q,"htm":"GET","htu":"https://api.example/orders/42","iat":%d,"ath":%q%s}`, rand.Text(), time.Now().Unix(), b64(hash[:]), more)
	text := b64([]byte(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+p.jwk+`}`)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + b64(signature)
}

// proven is a call with a token and its proof.
func proven(tok, proof string) string {
	body := strings.Replace(call(tok), `["Bearer `, `["DPoP `, 1)
	return strings.Replace(body, `"headers":{`, `"headers":{"DPoP":["`+proof+`"],`, 1)
}
