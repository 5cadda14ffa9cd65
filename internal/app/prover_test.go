package app

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// boundTo makes g the grant of a token that is bound to a key.
func boundTo(key testkit.ProofKey, g devissuer.Grant) devissuer.Grant {
	g.Claims = map[string]any{"cnf": map[string]any{"jkt": key.Thumbprint}}
	return g
}

// prove makes a proof for GET /orders/42 with a token; changes are members of its claims.
func prove(t *testing.T, key testkit.ProofKey, tok string, changes map[string]any) string {
	t.Helper()
	return key.Proof(t, "GET", "https://api.example/orders/42", tok, changes)
}

// proven is a call with a token and its proof.
func proven(tok, proof string) string {
	body := strings.Replace(call(tok), `["Bearer `, `["DPoP `, 1)
	return strings.Replace(body, `"headers":{`, `"headers":{"DPoP":["`+proof+`"],`, 1)
}
