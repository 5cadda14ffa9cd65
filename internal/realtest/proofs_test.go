//go:build real

package realtest

import (
	"crypto/ecdsa"
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// Challenges to a client that uses DPoP: DPOP-18.
const (
	dpopInvalidToken = `DPoP realm="acme", error="invalid_token", ` + dpopAlgorithms
	dpopInvalidProof = `DPoP realm="acme", error="invalid_dpop_proof", ` + dpopAlgorithms
)

// drillDPoP shows tokens that are bound to a key with all kinds of proofs. issue gets one for orders:read.
func drillDPoP(t *testing.T, v vault, s setup, issue func(t *testing.T, key *ecdsa.PrivateKey) string) answer {
	t.Helper()
	sc := startSidecar(t, v, s)
	key := testkit.NewKey(t)
	token := issue(t, key)
	q := get(token)
	prove := func(by *ecdsa.PrivateKey, method, path string, more map[string]any) holder {
		return holder{scheme: "DPoP", proofs: []string{testkit.ProofKeyOf(t, by).Proof(t, method, publicURL+path,
			token, more)}}
	}
	good := func() holder { return prove(key, q.method, q.path, nil) }
	used := good()
	allowed := sc.shown(t, q, used)
	if allowed.String() != "allow 200" {
		t.Fatalf("with its proof: %s, want allow 200", allowed)
	}
	if got := sc.logged(t, allowed.ID).Binding; got != (binding{"dpop", true}) {
		t.Errorf("the policy read the binding %+v", got)
	}
	const refusedToken, refusedProof = "unauthenticated 401 invalid_token", "unauthenticated 401 invalid_dpop_proof"
	for _, c := range []struct {
		name            string
		shown           holder
		want, challenge string
	}{
		{"a proof that was used", used, refusedProof, dpopInvalidProof},
		{"as a bearer token", holder{}, refusedToken, invalidToken},
		{"as a bearer token, with a proof", holder{proofs: good().proofs}, refusedToken, invalidToken},
		{"no proof", holder{scheme: "DPoP"}, refusedProof, dpopInvalidProof},
		{"two proofs", holder{scheme: "DPoP", proofs: append(good().proofs, good().proofs...)}, refusedProof,
			dpopInvalidProof},
		{"a proof by another key", prove(testkit.NewKey(t), q.method, q.path, nil), refusedToken, dpopInvalidToken},
		{"a proof for another URL", prove(key, q.method, "/orders/43", nil), refusedProof, dpopInvalidProof},
		{"a proof for another host", prove(key, q.method, "",
			map[string]any{"htu": "https://shipping.acme.example" + q.path}), refusedProof, dpopInvalidProof},
		{"a proof for another method", prove(key, http.MethodPost, q.path, nil), refusedProof, dpopInvalidProof},
		{"a proof for another token", prove(key, q.method, q.path,
			map[string]any{"ath": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}), refusedProof, dpopInvalidProof},
		{"an old proof", prove(key, q.method, q.path, map[string]any{"iat": time.Now().Add(-time.Hour).Unix()}),
			refusedProof, dpopInvalidProof},
	} {
		a := sc.shown(t, q, c.shown)
		if a.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, a, c.want)
		}
		checkChallenge(t, a, c.challenge)
	}
	if a := sc.shown(t, q, good()); a.String() != "allow 200" {
		t.Errorf("with another proof of its own: %s, want allow 200", a)
	}
	return allowed
}

// drillNonces is a client that is told to use a nonce, and does: DPOP-16.
func drillNonces(t *testing.T, v vault, s setup, issue func(t *testing.T, key *ecdsa.PrivateKey) string) {
	t.Helper()
	s.more = "proof: {dpop: {nonce: required}}"
	sc := startSidecar(t, v, s)
	key := testkit.NewKey(t)
	q := get(issue(t, key))
	prove := func(more map[string]any) holder {
		return holder{scheme: "DPoP", proofs: []string{testkit.ProofKeyOf(t, key).Proof(t, q.method, publicURL+q.path,
			q.token, more)}}
	}
	a := sc.shown(t, q, prove(nil))
	if a.String() != "unauthenticated 401 use_dpop_nonce" || a.header("DPoP-Nonce") == "" {
		t.Fatalf("without a nonce: %s, and the next one is %q", a, a.header("DPoP-Nonce"))
	}
	a = sc.shown(t, q, prove(map[string]any{"nonce": a.header("DPoP-Nonce")}))
	if a.String() != "allow 200" || a.header("DPoP-Nonce") == "" {
		t.Errorf("with the nonce: %s, and the next one is %q", a, a.header("DPoP-Nonce"))
	}
	if a := sc.shown(t, q, prove(map[string]any{"nonce": "made-up"})); a.String() != "unauthenticated 401 "+
		"use_dpop_nonce" {
		t.Errorf("with a made-up nonce: %s", a)
	}
}

// drillCertificates shows tokens that are bound to certificate with it, with another and with none. issue gets one for
// orders:read.
func drillCertificates(t *testing.T, v vault, s setup, certificate, other testkit.Certificate,
	issue func(t *testing.T, certificate testkit.Certificate) string) answer {
	t.Helper()
	s.more = "proof: {mtls: {from: request}}"
	sc := startSidecar(t, v, s)
	q := get(issue(t, certificate))
	right := certificate.PEM()
	wrong := other.PEM()
	allowed := sc.shown(t, q, holder{certificate: right})
	if allowed.String() != "allow 200" {
		t.Fatalf("with its certificate: %s, want allow 200", allowed)
	}
	if got := sc.logged(t, allowed.ID).Binding; got != (binding{"mtls", true}) {
		t.Errorf("the policy read the binding %+v", got)
	}
	for name, shown := range map[string]holder{
		"another certificate": {certificate: wrong},
		"no certificate":      {},
		"the scheme DPoP":     {scheme: "DPoP", certificate: right},
	} {
		if a := sc.shown(t, q, shown); a.String() != "unauthenticated 401 invalid_token" {
			t.Errorf("%s: %s, want unauthenticated 401 invalid_token", name, a)
		}
	}
	s.more = ""
	if a := startSidecar(t, v, s).shown(t, q,
		holder{certificate: right}); a.String() != "unauthenticated 401 invalid_token" {
		t.Errorf("where no certificate is requested: %s, want unauthenticated 401 invalid_token", a)
	}
	return allowed
}
