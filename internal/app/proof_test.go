package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// A bound token passes through the whole sidecar, as it is configured by default, once with each proof: as opaque text
// and as a JWT.
func TestABoundTokenPassesWithItsProofByDefault(t *testing.T) {
	w := start(t, nil)
	p := testkit.NewProofKey(t)
	ask := func(tok, proof string) answer {
		text, err := w.send(t.Context(), "POST", w.api+"/v1/decisions", proven(tok, proof))
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
		g := boundTo(p, good())
		g.TokenFormat = format
		tok := w.token(t, g)
		one := prove(t, p, tok, nil)
		if why := w.explain(t, proven(tok, one)); !why.Decision.Allow { // it uses up nothing
			t.Errorf("%s: explained as %s", format, why.Text)
		}
		for _, c := range []struct{ kind, code string }{{"allow", ""}, {"unauthenticated", "invalid_dpop_proof"}} {
			if a := ask(tok, one); a.Kind != c.kind || c.code != "" && a.Reasons[0].Code != c.code {
				t.Errorf("%s: got %v, want %s %s", format, a, c.kind, c.code)
			}
		}
	}
	if page := w.get(t, "/metrics"); !strings.Contains(page,
		`sidecar_token_proofs_total{method="dpop",outcome="replayed"} 2`) {
		t.Error("the replays were not counted")
	}
}

// batch asks about many requests at once.
func (w *world) batch(t *testing.T, items ...string) []answer {
	t.Helper()
	text, err := w.send(t.Context(), "POST", w.api+"/v1/decisions/batch", `{"items":[`+strings.Join(items, ",")+`]}`)
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Items []answer }
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all.Items) != len(items) {
		t.Fatalf("%d answers to %d items: %v", len(all.Items), len(items), err)
	}
	return all.Items
}

// TestABatchHasTokensOfTwoIssuersAndProofsOfTheirClients: each item is asked about at its own issuer and proven with
// its own key; what one item has is worth nothing to another.
func TestABatchHasTokensOfTwoIssuersAndProofsOfTheirClients(t *testing.T) {
	w, second := two(t)
	one, other := testkit.NewProofKey(t), testkit.NewProofKey(t)
	globex := good()
	globex.Tenant = "globex"
	issue := func(as *devissuer.Server, g devissuer.Grant, f devissuer.Format) string {
		g.TokenFormat = f
		tok, err := as.Issue(g)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	plain, bound, jwt := issue(w.issuer, good(), ""), issue(w.issuer, boundTo(one, good()), ""),
		issue(w.issuer, boundTo(one, good()), devissuer.JWT)
	foreign, bound2 := issue(second, globex, ""), issue(second, boundTo(other, globex), "")
	at := func(body string) string { return strings.ReplaceAll(body, `"acme"`, `"globex"`) }
	items := []struct {
		what, body, want string
	}{
		{"plain, of the first", call(plain), "allow"},
		{"plain, of the second", at(call(foreign)), "allow"},
		{"the second's, at the first", call(foreign), "unauthenticated"},
		{"the first's, at the second", at(call(plain)), "unauthenticated"},
		{"bound, proven", proven(bound, prove(t, one, bound, nil)), "allow"},
		{"bound, proven once more", proven(bound, prove(t, one, bound, nil)), "allow"},
		{"a JWT, bound, proven", proven(jwt, prove(t, one, jwt, nil)), "allow"},
		{"bound, of the second, proven", at(proven(bound2, prove(t, other, bound2, nil))), "allow"},
		{"bound, with nothing", call(bound), "unauthenticated"},
		{"bound, with the key of another", proven(bound, prove(t, other, bound, nil)), "unauthenticated"},
		{"bound, with the proof of another token", proven(bound, prove(t, one, jwt, nil)), "unauthenticated"},
		{"plain, as if it were bound", proven(plain, prove(t, one, plain, nil)), "unauthenticated"},
	}
	var bodies []string
	for _, i := range items {
		bodies = append(bodies, i.body)
	}
	first, others := w.issuer.Calls(), second.Calls()
	for n, a := range w.batch(t, bodies...) {
		if a.Kind != items[n].want || a.Allow != (items[n].want == "allow") {
			t.Errorf("%s: %v", items[n].what, a)
		}
	}
	if a, b := w.issuer.Calls()-first, second.Calls()-others; a != 4 ||
		b != 3 { // each is asked about each of its tokens once
		t.Errorf("the servers were asked %d and %d times", a, b)
	}
}

// TestDPOP15_OneProofPassesOnceInABatch: items are decided at the same time, and all of them come from one client.
func TestDPOP15_OneProofPassesOnceInABatch(t *testing.T) {
	w := start(t, nil)
	p := testkit.NewProofKey(t)
	tok := w.token(t, boundTo(p, good()))
	for range 5 {
		proof := prove(t, p, tok, nil)
		var bodies []string
		for range 16 {
			bodies = append(bodies, proven(tok, proof))
		}
		allowed := 0
		for _, a := range w.batch(t, bodies...) {
			if a.Allow {
				allowed++
			} else if !a.is("unauthenticated", 401, "invalid_dpop_proof") {
				t.Errorf("answered %v", a)
			}
		}
		if allowed != 1 {
			t.Errorf("one proof passed %d times", allowed)
		}
	}
}
