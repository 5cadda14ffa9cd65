package app

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// jws is a compact JWS of a header, and of claims and a signature that are encoded already.
func jws(header, claims, signature string) string {
	return testkit.Base64URL([]byte(header)) + "." + claims + "." + signature
}

// TestOddProofsAreNoReasonToAllowOrToFail: whatever stands in the DPoP header, the answer is that of a bad proof.
func TestOddProofsAreNoReasonToAllowOrToFail(t *testing.T) {
	w := start(t, nil)
	p := testkit.NewProofKey(t)
	tok := w.token(t, boundTo(p, good()))
	one := prove(t, p, tok, nil)
	parts := strings.Split(one, ".")
	many := strings.TrimSuffix(strings.Repeat(`"`+one+`",`, 200), ",")
	nested := testkit.Base64URL([]byte(strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500)))
	for what, header := range map[string]string{
		"none":               `[]`,
		"empty":              `[""]`,
		"two hundred":        `[` + many + `]`,
		"two in one":         `["` + one + `,` + one + `"]`,
		"a megabyte, nearly": `["` + strings.Repeat("A", 900<<10) + `"]`,
		"dots":               `["` + strings.Repeat(".", 100_000) + `"]`,
		"a large proof":      `["` + prove(t, p, tok, map[string]any{"x": strings.Repeat("j", 3<<10)}) + `"]`,
		"no signature":       `["` + parts[0] + "." + parts[1] + `."]`,
		"no algorithm":       `["` + jws(`{"typ":"dpop+jwt","alg":"none","jwk":`+p.JWK+`}`, parts[1], "") + `"]`,
		"a shared secret": `["` + jws(`{"typ":"dpop+jwt","alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`,
			parts[1], parts[2]) + `"]`,
		"a deep header":      `["` + nested + "." + parts[1] + "." + parts[2] + `"]`,
		"control characters": `["` + parts[0] + `\u0000.` + parts[1] + "." + parts[2] + `"]`,
		"blanks around":      `[" ` + one + ` x"]`,
		"the token":          `["` + tok + `"]`,
		"a key on a foreign curve": `["` +
			jws(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}}`, parts[1],
				parts[2]) + `"]`,
		"a jku": `["` + jws(`{"typ":"dpop+jwt","alg":"ES256","jku":"`+w.issuer.Issuer()+`/jwks"}`,
			parts[1], parts[2]) + `"]`,
	} {
		body := strings.Replace(strings.Replace(call(tok), `["Bearer `, `["DPoP `, 1), `"headers":{`,
			`"headers":{"dpop":`+header+`,`, 1)
		code, text, err := w.exchange(t.Context(), "POST", w.api+"/v1/decisions", body)
		if err != nil || code != 200 || strings.Contains(text, `"allow":true`) ||
			!strings.Contains(text, `"kind":"unauthenticated"`) && !strings.Contains(text, `"kind":"malformed"`) {
			t.Errorf("%s: %d %.300s %v", what, code, text, err)
		}
	}
	two := strings.Replace(proven(tok, one), `"headers":{`, `"headers":{"dpop":["`+one+`"],`, 1)
	if _, text, _ := w.exchange(t.Context(), "POST", w.api+"/v1/decisions", two); strings.Contains(text,
		`"allow":true`) {
		t.Error("two proofs under two spellings pass")
	}
	if _, text, err := w.exchange(t.Context(), "POST", w.api+"/v1/decisions", proven(tok, one)); err != nil ||
		!strings.Contains(text, `"allow":true`) {
		t.Errorf("in the end the proof does not pass: %s", text)
	}
}

// TestDPOP15_ProofsThatFillTheStoreReplayNone: a store that is full refuses as unavailable, and forgets nothing.
func TestDPOP15_ProofsThatFillTheStoreReplayNone(t *testing.T) {
	t.Parallel()
	const room, sent = 1_800, 2_000
	w := start(t, func(c *config.Config) { c.Proof.DPoP.ReplayMaxEntries, c.Proof.DPoP.MaxAge = room, 10*time.Minute })
	p := testkit.NewProofKey(t)
	tok := w.token(t, boundTo(p, good()))
	w.ask(t, tok)
	kinds := map[string]int{}
	var first []string
	for range sent / 100 {
		var bodies []string
		for range 100 {
			bodies = append(bodies, proven(tok, prove(t, p, tok, nil)))
		}
		if first == nil {
			first = slices.Clone(bodies)
		}
		for _, a := range w.batch(t, bodies...) {
			kinds[a.Kind]++
			if a.Kind == "unavailable" && len(a.Headers["Retry-After"]) != 1 {
				t.Fatalf("answered %v without Retry-After", a)
			}
		}
	}
	if kinds["allow"] != room || kinds["unavailable"] != sent-room {
		t.Errorf("answered %v", kinds)
	}
	for _, a := range w.batch(t, first...) {
		if a.Allow || a.Kind != "unauthenticated" {
			t.Fatalf("a replay is %v", a)
		}
	}
}
