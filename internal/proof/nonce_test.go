package proof_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

func TestDPOP10_NonceWasIssuedWithTheSecret(t *testing.T) {
	h := newHolder(t)
	demanding := func(c *proof.Config) { c.DPoP.Nonce = proof.NonceRequired }
	p, another := proofs(t, accepting(demanding)), proofs(t, accepting(demanding))
	good := nonce(t, p, aTime)
	for name, n := range map[string]any{
		"of another server": nonce(t, another, aTime), "made up": strings.Repeat("A", len(good)), "cut": good[1:],
		"longer":  good + "A",
		"changed": flipped(good, 3), "changed in its proof": flipped(good, 20),
		"with a line break": good[:8] + "\n" + good[8:],
	} {
		wantRefusal(t, name, shown(p, h.bound(), h.proof(t, claim("nonce", n))), proof.CodeUseNonce)
	}
	wantPass(t, "ours", shown(p, h.bound(), h.proof(t, claim("nonce", good))))
	wantPass(t, "ours again, with another proof", shown(p, h.bound(), h.proof(t, claim("nonce", good))))
}

func flipped(s string, at int) string {
	c := "A"
	if s[at] == 'A' {
		c = "B"
	}
	return s[:at] + c + s[at+1:]
}

func nonce(t testing.TB, p *proof.Verifier, at time.Time) string {
	t.Helper()
	for _, h := range p.ResponseHeaders(at) {
		if h.Name == "DPoP-Nonce" && len(h.Values) == 1 {
			return h.Values[0]
		}
	}
	t.Fatal("no nonce")
	return ""
}

func TestDPOP11_AgeByNonceWhereThereIsOne(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting(func(c *proof.Config) { c.DPoP.Nonce = proof.NonceRequired }))
	old := func(d time.Duration) error {
		return shown(p, h.bound(), h.proof(t, claim("nonce", nonce(t, p, aTime.Add(-d))), claim("iat", 17)))
	}
	wantPass(t, "fresh, by a client whose clock is wrong", old(0))
	wantPass(t, "two minutes old", old(2*time.Minute))
	wantRefusal(t, "a second older", old(121*time.Second), proof.CodeUseNonce)
	wantPass(t, "of a replica whose clock is ahead", old(-10*time.Second))
	wantRefusal(t, "of the far future", old(-11*time.Second), proof.CodeUseNonce)
}

func TestDPOP16_NonceIsUnpredictableTextAndUncacheable(t *testing.T) {
	p := proofs(t, accepting(func(c *proof.Config) { c.DPoP.Nonce = proof.NonceRequired }))
	seen := map[string]bool{}
	for i := range 100 {
		n := nonce(t, p, aTime.Add(time.Duration(i)*time.Second))
		// NQCHAR
		if seen[n] || strings.ContainsFunc(n, func(r rune) bool {
			return r < '!' || r > '~' || r == '"' ||
				r == '\\'
		}) {
			t.Errorf("nonce %q", n)
		}
		seen[n] = true
	}
	if fields := p.ResponseHeaders(aTime); len(fields) != 2 || fields[1].Name != "Cache-Control" ||
		fields[1].Values[0] != "no-store" {
		t.Errorf("fields %v", fields)
	}
	if nonce(t, p, aTime)[11:] == nonce(t,
		proofs(t, accepting(func(c *proof.Config) { c.DPoP.Nonce = proof.NonceRequired })), aTime)[11:] {
		t.Error("two servers make the same nonces")
	}
}

func TestDPOP17_AProofWithoutNonceIsRefusedOnceOneIsDemanded(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting(func(c *proof.Config) { c.DPoP.Nonce = proof.NonceRequired }))
	for name, n := range map[string]any{"none": nil, "empty": ""} {
		wantRefusal(t, name, shown(p, h.bound(), h.proof(t, claim("nonce", n))), proof.CodeUseNonce)
	}
	wantRefusal(t, "no text", shown(p, h.bound(), h.proof(t, claim("nonce", 1))), proof.CodeInvalidProof)
}

func TestDPOP17_TwoEpochsOfKeysAreGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHolder(t), proofs(t, accepting(func(c *proof.Config) { c.DPoP.Nonce = proof.NonceRequired }))
		for range 40 { // across several epochs, whatever the phase
			n := nonce(t, p, time.Now())
			time.Sleep(119 * time.Second)
			shownAt(p, h, t, claim("nonce", n))
			time.Sleep(2 * time.Second)
			err := verify(p, h.bound(), as(token.DPoP), asked(h.proof(t, claim("nonce", n))), time.Now())
			wantRefusal(t, "past its lifetime", err, proof.CodeUseNonce)
		}
	})
}

func TestDPOP17_ReplicasWithOneSecretAcceptEachOthersNonces(t *testing.T) {
	t.Setenv("NONCE_SECRET", strings.Repeat("s", 32))
	t.Setenv("SHORT_SECRET", "short")
	with := func(env string) proof.Config {
		return accepting(func(c *proof.Config) {
			c.DPoP.Nonce, c.DPoP.NonceSecret = proof.NonceRequired, secret.Source{Env: env}
		})
	}
	h, a, b := newHolder(t), proofs(t, with("NONCE_SECRET")), proofs(t, with("NONCE_SECRET"))
	wantPass(t, "the other's", shown(b, h.bound(), h.proof(t, claim("nonce", nonce(t, a, aTime)))))
	for _, env := range []string{"SHORT_SECRET", "NO_SECRET"} {
		if _, err := proof.New(with(env), nil); err == nil || strings.Contains(err.Error(), "short\"") {
			t.Errorf("%s: %v", env, err)
		}
	}
}

func TestDPOP20_HeadersAreExposedToBrowsersWhenAsked(t *testing.T) {
	p := proofs(t, accepting(func(c *proof.Config) { c.DPoP.ExposeHeaders = true }))
	if f := p.ResponseHeaders(aTime); len(f) != 1 || f[0].Name != "Access-Control-Expose-Headers" ||
		f[0].Values[0] != "WWW-Authenticate, DPoP-Nonce" {
		t.Errorf("fields %v", f)
	}
	if f := proofs(t, accepting()).ResponseHeaders(aTime); f != nil {
		t.Errorf("fields by default: %v", f)
	}
}
