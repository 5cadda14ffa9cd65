package proof_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Whatever passes is signed by the key whose thumbprint the token is bound to: found out without the code under test.
func FuzzWhatPassesIsSignedByTheBoundKey(f *testing.F) {
	h, other := newHolder(f), newHolder(f)
	good := h.proof(f)
	for _, s := range []string{
		good, other.proof(f), other.proof(f, head("jwk", h.jwk)), h.proof(f, head("alg", "none")),
		h.proof(f, head("alg", "HS256")),
		strings.TrimRight(good, good[len(good)-1:]), good + "=", good + "," + good, "..", "",
	} {
		f.Add(s)
	}
	p := proofs(f, accepting(func(c *proof.Config) { c.DPoP.Replay = proof.ReplayOff }))
	f.Fuzz(func(t *testing.T, s string) {
		if shown(p, h.bound(), s) != nil {
			return
		}
		parts := strings.Split(s, ".")
		if len(parts) != 3 {
			t.Fatalf("%d parts passed", len(parts))
		}
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if err != nil || len(signature) != 64 ||
			!ecdsa.Verify(&h.key.PublicKey, sum[:], new(big.Int).SetBytes(signature[:32]),
				new(big.Int).SetBytes(signature[32:])) {
			t.Fatal("passed without a signature of the key")
		}
	})
}

// A certificate passes only if its digest is somewhere in what was sent, in one of the forms that are read.
func FuzzCertificateHeaders(f *testing.F) {
	c := theCertificate(f)
	sources := []proof.CertificateSource{proof.FromEnvoy, proof.FromRFC9440, proof.FromNginx, proof.FromTraefik}
	headers := []string{"x-forwarded-client-cert", "client-cert", "ssl-client-cert", "x-forwarded-tls-client-cert"}
	var all []*proof.Verifier
	for _, s := range sources {
		all = append(all, proofs(f, accepting(from(s))))
	}
	for _, s := range []string{"Hash=" + c.hex, `Cert="` + c.escaped + `"`, ":" + c.base64 + ":", c.escaped, c.base64,
		`Subject="a\"`, "=", `a="`, "%", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain := strings.NewReplacer("%2B", "+", "%2b", "+", "%2F", "/", "%2f", "/", "%3D", "=", "%3d", "=", "%0A", "",
			"%0a", "", "\n", "", "\r", "").Replace(s)
		for i, p := range all {
			if seen(t, p, headers[i], s) != nil {
				continue
			}
			if !strings.Contains(strings.ToLower(s), c.hex) && !strings.Contains(plain, c.base64[:40]) &&
				!strings.Contains(s, "%") && !strings.Contains(s, `\`) {
				t.Fatalf("%s passed: %q", sources[i], s)
			}
		}
	})
}

// Two URIs are equal in one way only: what is equal to itself stays so however it is spelt, and the query never
// matters.
func FuzzTheQueryOfAURINeverMatters(f *testing.F) {
	h := newHolder(f)
	p := proofs(f, accepting(func(c *proof.Config) { c.DPoP.Replay = proof.ReplayOff }))
	for _, s := range []string{"https://api.example/a", "https://api.example", "http://[::1]:80/../a%2e",
		"https://a/%", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "?#") {
			return
		}
		ask := func(url, htu string) bool {
			q := asked(h.proof(t, claim("htu", htu)))
			q.Request.URL = url
			return verify(p, h.bound(), as(token.DPoP), q, aTime) == nil
		}
		if ask(s, s) != ask(s+"?x=1", s) || ask(s, s) != ask(s, s+"?y#z") {
			t.Fatalf("the query of %q matters", s)
		}
	})
}
