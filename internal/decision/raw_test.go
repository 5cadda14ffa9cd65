package decision_test

import (
	"net/http"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestTheRawResultIsWhatThePolicyReturned(t *testing.T) {
	w := build(t, plan{rego: byEntities})
	q := readOrder(w.grant(t, devissuer.Grant{}))
	d, raw := w.point.DecideRaw(t.Context(), q)
	if w.expect(t, d, authz.Allow, http.StatusOK); string(raw) != "true" {
		t.Errorf("allow: %s", raw)
	}
	q.Context = []byte(`{"tenant":"globex"}`)
	if d, raw := w.point.DecideRaw(t.Context(), q); d.Kind != authz.Deny || string(raw) != "false" {
		t.Errorf("deny: %s %s", d.Kind, raw)
	}
}

func TestADecisionThatNoPolicyMadeHasNoRawResult(t *testing.T) {
	w := build(t, plan{answers: map[string]any{
		"shape":  map[string]any{"allow": "yes"},
		"shadow": map[string]any{"allow": true, "upstream_headers": map[string]any{"x-tenant": "acme"}},
	}})
	tok := secret.New(w.grant(t, devissuer.Grant{}))
	for _, q := range []authz.Query{
		{Token: secret.New("unknown"), Request: authz.Request{Method: "GET", URL: "/orders/42"}},
		{Request: authz.Request{Method: "GET", URL: "/orders/42"}},
		{Token: tok, Request: authz.Request{Method: "GET", URL: "/shape"}},
		{Token: tok, Request: authz.Request{Method: "GET", URL: "/undefined"}},
		{Token: tok, Request: authz.Request{Method: "GET", URL: "/shadow",
			Headers: map[string][]string{"x_tenant": {"globex"}}}},
	} {
		if d, raw := w.point.DecideRaw(t.Context(), q); d.Cause == nil || raw != nil {
			t.Errorf("%s: %s %v %s", q.Request.URL, d.Kind, d.Cause, raw)
		}
	}
}
