package decision_test

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// holder is a client with a key.
type holder struct{ testkit.ProofKey }

func newHolder(t testing.TB) holder { return holder{testkit.NewProofKey(t)} }

// prove makes a proof for GET https://api.example/<path> with a token, now.
func (h holder) prove(t testing.TB, tok, path, nonce string) string {
	return h.Proof(t, "GET", "https://api.example/"+path, tok, map[string]any{"nonce": nonce})
}

func (h holder) grant() devissuer.Grant {
	return devissuer.Grant{Claims: map[string]any{
		"token_type": "DPoP", "cnf": map[string]any{"jkt": h.Thumbprint, "kc-jkt-type": "DPoP"},
	}}
}

// accepting takes proofs.
func accepting(changes ...func(*proof.Config)) proof.Config {
	cfg := proof.Config{
		DPoP: proof.DPoPConfig{
			Mode: proof.Accept, Algorithms: []string{"ES256", "PS256"}, MaxAge: time.Minute,
			FutureSkew: 10 * time.Second,
			Replay:     proof.ReplayEnforce, ReplayMaxEntries: 10_000, NonceLifetime: time.Minute,
		},
		MTLS: proof.MTLSConfig{From: proof.FromRequest, TrustedProxies: []string{"127.0.0.0/8"}},
	}
	for _, c := range changes {
		c(&cfg)
	}
	return cfg
}

func demanding(c *proof.Config) { c.DPoP.Nonce = proof.NonceRequired }
func required(c *proof.Config)  { c.DPoP.Mode = proof.Required }

func proven(path, tok string, proofs ...string) authz.Query {
	q := question(path, "DPoP "+tok)
	q.Request.Headers["dpop"] = proofs
	return q
}

const (
	dpopAlgs = `algs="ES256 PS256"`
	dpopBare = `DPoP realm="acme", ` + dpopAlgs
)

func dpopError(code string) string { return `DPoP realm="acme", error="` + code + `", ` + dpopAlgs }

func expectChallenges(t *testing.T, d authz.Decision, want ...string) {
	t.Helper()
	if got := challenges(d); !slices.Equal(got, want) {
		t.Errorf("challenges %q, want %q", got, want)
	}
}

// tellsBinding passes on what the document says about the binding.
const tellsBinding = `package authz

# METADATA
# entrypoint: true
decision := {"allow": input.request.path == "/open", "context": {"scheme": input.token.scheme, "binding": input.token.binding}}
`

func TestDPOP_ABoundTokenPassesWithItsProof(t *testing.T) {
	w, h := build(t, plan{rego: tellsBinding, proof: accepting(), ttl: time.Minute}), newHolder(t)
	tok := w.grant(t, h.grant())
	d := w.point.Decide(t.Context(), proven("open", tok, h.prove(t, tok, "open", "")))
	w.expect(t, d, authz.Allow, http.StatusOK)
	if string(d.Context) != `{"binding":{"method":"dpop","verified":true},"scheme":"dpop"}` || d.Headers != nil {
		t.Errorf("the policy saw %s; headers %v", d.Context, d.Headers)
	}
	d = w.ask(t, "open", "Bearer "+w.grant(t, devissuer.Grant{}))
	if string(d.Context) != `{"binding":{"method":"none","verified":false},"scheme":"bearer"}` {
		t.Errorf("of an unbound token the policy saw %s", d.Context)
	}
}

func TestDPOP14_WhatDoesNotFitIsRefusedUnderTheRightScheme(t *testing.T) {
	w, h := build(t, plan{answers: pass, proof: accepting(), ttl: time.Minute}), newHolder(t)
	bound, unbound := w.grant(t, h.grant()), w.grant(t, devissuer.Grant{})
	beside := question("open")
	beside.Token = secret.New(bound)
	asBearer := question("open", "Bearer "+bound)
	asBearer.Request.Headers["dpop"] = []string{h.prove(t, bound, "open", "")}
	for name, c := range map[string]struct {
		query      authz.Query
		code       string
		challenges []string
	}{
		"bound, as Bearer with a proof": {asBearer, "invalid_token", []string{invalidToken, dpopBare}},
		"bound, beside the request":     {beside, "invalid_token", []string{invalidToken, dpopBare}},
		"unbound, as DPoP": {proven("open", unbound, h.prove(t, unbound, "open", "")), "invalid_token",
			[]string{dpopError("invalid_token")}},
		"unknown, as DPoP": {proven("open", "unknown-token"), "invalid_token",
			[]string{dpopError("invalid_token")}},
		"bound, without a proof": {proven("open", bound), "invalid_dpop_proof",
			[]string{dpopError("invalid_dpop_proof")}},
		"bound, with another's proof": {proven("open", bound, newHolder(t).prove(t, bound, "open", "")),
			"invalid_token", []string{dpopError("invalid_token")}},
		"bound, with another URL's": {proven("open", bound, h.prove(t, bound, "closed", "")), "invalid_dpop_proof",
			[]string{dpopError("invalid_dpop_proof")}},
	} {
		t.Run(name, func(t *testing.T) {
			d := w.point.Decide(t.Context(), c.query)
			w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, c.code)
			expectChallenges(t, d, c.challenges...)
			if w.event(t, d.ID).Input != nil {
				t.Error("a policy was asked")
			}
		})
	}
}

func TestDPOP19_ARequestWithoutATokenIsOfferedBothSchemes(t *testing.T) {
	w := build(t, plan{answers: pass, proof: accepting()})
	d := w.ask(t, "open")
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "no_credential")
	expectChallenges(t, d, bare, dpopBare)

	w = build(t, plan{answers: pass, proof: accepting(required)})
	expectChallenges(t, w.ask(t, "open"), dpopBare)
	d = w.ask(t, "open", "Bearer "+w.grant(t, devissuer.Grant{}))
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
	expectChallenges(t, d, dpopError("invalid_token"))
}

func TestDPOP19_BothSchemesInOneRequestAreMalformed(t *testing.T) {
	w, h := build(t, plan{answers: pass, proof: accepting()}), newHolder(t)
	tok := w.grant(t, h.grant())
	q := question("open", "Bearer "+tok, "DPoP "+tok)
	q.Request.Headers["dpop"] = []string{h.prove(t, tok, "open", "")}
	d := w.point.Decide(t.Context(), q)
	w.expect(t, d, authz.Malformed, http.StatusBadRequest, "invalid_request")
	expectChallenges(t, d, invalidRequest)
	d = w.ask(t, "open", "DPoP a b")
	w.expect(t, d, authz.Malformed, http.StatusBadRequest, "invalid_request")
	expectChallenges(t, d, dpopError("invalid_request"))
}

func TestDPOP16_NonceIsDemandedAndGivenWithEveryAnswer(t *testing.T) {
	w, h := build(t, plan{answers: map[string]any{"open": true,
		"closed": map[string]any{"allow": false, "response_headers": map[string]any{
			"cache-control": "max-age=60"}}}, proof: accepting(demanding), ttl: time.Minute}), newHolder(t)
	tok := w.grant(t, h.grant())
	d := w.point.Decide(t.Context(), proven("open", tok, h.prove(t, tok, "open", "")))
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "use_dpop_nonce")
	expectChallenges(t, d,
		`DPoP realm="acme", error="use_dpop_nonce", error_description="the proof needs a nonce of this server", `+
			dpopAlgs)
	nonce := expectNonce(t, d)
	d = w.point.Decide(t.Context(), proven("open", tok, h.prove(t, tok, "open", nonce)))
	w.expect(t, d, authz.Allow, http.StatusOK)
	expectNonce(t, d)
	d = w.point.Decide(t.Context(), proven("closed", tok, h.prove(t, tok, "closed", nonce)))
	w.expect(t, d, authz.Deny, http.StatusForbidden)
	expectNonce(t, d)
	expectNonce(t, w.point.Decide(t.Context(), proven("open", tok, "rubbish")))
	expectNonce(t, w.ask(t, "open"))
	if d = w.ask(t, "open", "Bearer "+w.grant(t, devissuer.Grant{})); d.Headers != nil {
		t.Errorf("a bearer token was answered with %v", d.Headers)
	}
}

// expectNonce asserts that an answer has exactly one nonce and may not be kept, and returns it.
func expectNonce(t *testing.T, d authz.Decision) string {
	t.Helper()
	values := map[string][]string{}
	for _, h := range d.Headers {
		name := strings.ToLower(h.Name)
		values[name] = append(values[name], h.Values...)
	}
	if len(values["dpop-nonce"]) != 1 || !slices.Equal(values["cache-control"], []string{"no-store"}) {
		t.Fatalf("headers %v of %s", d.Headers, d.Kind)
	}
	return values["dpop-nonce"][0]
}

func TestDPOP18_PoliciesChallengeUnderThePresentedScheme(t *testing.T) {
	w, h := build(t, plan{proof: accepting(), ttl: time.Minute, answers: map[string]any{
		"scope": map[string]any{"allow": false, "challenge": map[string]any{"scope": []string{"a"}}},
		"stepup": map[string]any{"allow": false, "challenge": map[string]any{"acr_values": []string{"mfa"},
			"max_age": 300}},
	}}), newHolder(t)
	tok, bearer := w.grant(t, h.grant()), w.grant(t, devissuer.Grant{})
	for path, c := range map[string]struct {
		status     int
		parameters string
	}{
		"scope": {http.StatusForbidden, `realm="acme", error="insufficient_scope", scope="a"`},
		// SU-1
		"stepup": {http.StatusUnauthorized,
			`realm="acme", error="insufficient_user_authentication", acr_values="mfa", max_age="300"`},
	} {
		d := w.point.Decide(t.Context(), proven(path, tok, h.prove(t, tok, path, "")))
		w.expect(t, d, authz.Deny, c.status)
		expectChallenges(t, d, "DPoP "+c.parameters+", "+dpopAlgs)
		d = w.ask(t, path, "Bearer "+bearer)
		w.expect(t, d, authz.Deny, c.status)
		expectChallenges(t, d, "Bearer "+c.parameters)
	}
}

func TestDPOP15_AReplayInsideABatchIsAReplay(t *testing.T) {
	w, h := build(t, plan{answers: pass, proof: accepting()}), newHolder(t)
	tok := w.grant(t, h.grant())
	same := h.prove(t, tok, "open", "")
	queries := []authz.Query{proven("open", tok, h.prove(t, tok, "open", ""))}
	for range 30 {
		queries = append(queries, proven("open", tok, same))
	}
	allowed := 0
	for i, d := range w.point.DecideAll(t.Context(), queries) {
		switch {
		case d.Kind == authz.Allow:
			allowed++
		case i == 0 || codesOf(d.Reasons)[0] != "invalid_dpop_proof":
			t.Errorf("item %d: %s %v", i, d.Kind, d.Cause)
		}
	}
	if allowed != 2 {
		t.Errorf("%d were allowed, want 2", allowed)
	}
}

func TestDPOP15_OfAHundredIdenticalRequestsOneIsAllowed(t *testing.T) {
	w, h := build(t, plan{answers: pass, proof: accepting(), ttl: time.Minute}), newHolder(t)
	tok := w.grant(t, h.grant())
	q := proven("open", tok, h.prove(t, tok, "open", ""))
	kinds := make([]authz.Kind, 100)
	var all sync.WaitGroup
	for i := range kinds {
		all.Go(func() { kinds[i] = w.point.Decide(t.Context(), q).Kind })
	}
	all.Wait()
	slices.Sort(kinds)
	if want := append([]authz.Kind{authz.Allow}, slices.Repeat([]authz.Kind{authz.Unauthenticated},
		99)...); !slices.Equal(kinds, want) {
		t.Errorf("kinds %v", kinds)
	}
}

func TestDPOP23_EveryRequestNeedsItsProofWhileTheTokenIsCached(t *testing.T) {
	w, h := build(t, plan{answers: pass, proof: accepting(), ttl: time.Minute}), newHolder(t)
	tok := w.grant(t, h.grant())
	for range 3 {
		w.expect(t, w.point.Decide(t.Context(), proven("open", tok, h.prove(t, tok, "open", ""))), authz.Allow,
			http.StatusOK)
		w.expect(t, w.point.Decide(t.Context(), proven("open", tok)), authz.Unauthenticated, http.StatusUnauthorized,
			"invalid_dpop_proof")
	}
	if n := w.issuer.Calls(); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}

func TestAProofIsNotLookedAtForATokenThatIsNotUsable(t *testing.T) {
	w, h := build(t, plan{answers: pass, proof: accepting()}), newHolder(t)
	g := h.grant()
	g.Claims["exp"] = 1_000_000
	tok := w.grant(t, g)
	d := w.point.Decide(t.Context(), proven("open", tok, "rubbish"))
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
}

func TestDPOP21_ARequestWithoutAHostIsMisconfigured(t *testing.T) {
	w, h := build(t, plan{answers: pass, proof: accepting()}), newHolder(t)
	tok := w.grant(t, h.grant())
	q := proven("open", tok, h.prove(t, tok, "open", ""))
	q.Request.URL = "/open"
	w.expect(t, w.point.Decide(t.Context(), q), authz.Misconfigured, http.StatusInternalServerError, "misconfigured")
}

func TestMTLS4_ABoundTokenPassesWithItsCertificateOnly(t *testing.T) {
	var v struct {
		PEM string            `json:"certificate_pem"`
		CNF map[string]string `json:"cnf"`
	}
	raw, err := os.ReadFile("../proof/testdata/mtls-rfc8705-vector.json")
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := build(t, plan{rego: tellsBinding, proof: accepting(), ttl: time.Minute})
	q := question("open", "Bearer "+w.grant(t, devissuer.Grant{Claims: map[string]any{"cnf": v.CNF}}))
	d := w.point.Decide(t.Context(), q)
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
	expectChallenges(t, d, invalidToken, dpopBare)
	q.Request.ClientCertificate = v.PEM
	d = w.point.Decide(t.Context(), q)
	w.expect(t, d, authz.Allow, http.StatusOK)
	if string(d.Context) != `{"binding":{"method":"mtls","verified":true},"scheme":"bearer"}` {
		t.Errorf("the policy saw %s", d.Context)
	}
}

func TestProofsAreNeverWritten(t *testing.T) {
	w, h := build(t, plan{answers: pass, proof: accepting()}), newHolder(t)
	tok := w.grant(t, h.grant())
	one := h.prove(t, tok, "open", "")
	for _, q := range []authz.Query{proven("open", tok, one), proven("open", tok, one), proven("open", tok, one, one),
		proven("open", tok, one+"x"), proven("closed", tok, one)} {
		w.point.Decide(t.Context(), q)
	}
	signature := one[strings.LastIndexByte(one, '.')+1:]
	mustNotHold(t, "decision log", w.close(t), signature)
	mustNotHold(t, "logger", w.logger.String(), signature)
}
