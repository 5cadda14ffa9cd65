package decision_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// byEntities is a policy with two entrypoints: one for questions about HTTP requests, and one for those without.
const byEntities = `package authz

# METADATA
# entrypoint: true
default decision := true

# The request is read behind another rule and behind "not", so that the decision is true where it is undefined.
decision := false if forbidden

forbidden if input.request.method != "GET"

# METADATA
# entrypoint: true
default entities := false

entities if {
	input.action.name == "read"
	input.resource.type == "order"
	input.subject.id == input.token.subject.id
	input.resource.properties.tenant == input.context.tenant
}
`

// readOrder asks whether alice may read order 42.
func readOrder(tok string) authz.Query {
	return authz.Query{
		Entrypoint: "authz/entities", Caller: "127.0.0.1:9", Token: secret.New(tok),
		Subject:  &authz.Entity{Type: "user", ID: "alice"},
		Action:   &authz.Action{Name: "read"},
		Resource: &authz.Entity{Type: "order", ID: "42", Properties: []byte(`{"tenant":"acme"}`)},
		Context:  []byte(`{"tenant":"acme"}`),
	}
}

func TestAQuestionWithoutAnHTTPRequestIsDecided(t *testing.T) {
	w := build(t, plan{rego: byEntities})
	tok := w.grant(t, devissuer.Grant{})

	d := w.point.Decide(t.Context(), readOrder(tok))
	w.expect(t, d, authz.Allow, http.StatusOK)
	logged, _ := w.event(t, d.ID).Input.(map[string]any)
	if _, has := logged["request"]; has || logged["resource"] == nil || logged["action"] == nil ||
		logged["subject"] == nil {
		t.Errorf("the event has the input %v", logged)
	}

	other := readOrder(tok)
	other.Subject = &authz.Entity{Type: "user", ID: "mallory"}
	w.expect(t, w.point.Decide(t.Context(), other), authz.Deny, http.StatusForbidden)
}

func TestAPolicyThatReadsTheRequestIsNotAskedWithoutOne(t *testing.T) {
	w := build(t, plan{rego: byEntities})
	q := readOrder(w.grant(t, devissuer.Grant{}))
	q.Entrypoint = "authz/decision"
	d := w.point.Decide(t.Context(), q)
	w.expect(t, d, authz.Misconfigured, http.StatusInternalServerError, "misconfigured")
	if d.Cause == nil || !strings.Contains(d.Cause.Error(), "data.authz.decision: it reads input.request") {
		t.Errorf("the cause is %v", d.Cause)
	}
}

func TestAQuestionWithoutAnHTTPRequestNeedsAUsableToken(t *testing.T) {
	w := build(t, plan{rego: byEntities})
	q := readOrder("")
	w.expect(t, w.point.Decide(t.Context(), q), authz.Unauthenticated, http.StatusUnauthorized, "no_credential")
	w.expect(t, w.point.Decide(t.Context(), readOrder("unknown")), authz.Unauthenticated, http.StatusUnauthorized,
		"invalid_token")
}

// TestATokenBoundToAKeyIsRefusedWithoutAnHTTPRequest: a DPoP proof is made for a method and a URL (RFC 9449 section
// 4.2), so that none can be shown.
func TestATokenBoundToAKeyIsRefusedWithoutAnHTTPRequest(t *testing.T) {
	w := build(t, plan{rego: byEntities, proof: accepting()})
	tok := w.grant(t, newHolder(t).grant())
	w.expect(t, w.point.Decide(t.Context(), readOrder(tok)), authz.Unauthenticated, http.StatusUnauthorized,
		"invalid_token")
}

func TestTheTokenIsInNoEntityOfTheEvent(t *testing.T) {
	w := build(t, plan{rego: byEntities})
	tok := w.grant(t, devissuer.Grant{})
	q := readOrder(tok)
	q.Resource = &authz.Entity{Type: "order", ID: tok, Properties: []byte(`{"t":"` + tok + `"}`)}
	w.expect(t, w.point.Decide(t.Context(), q), authz.Deny, http.StatusForbidden)
	if log := w.close(t); strings.Contains(log, tok) {
		t.Error("the decision log has the token")
	}
}

func TestHalfARequestIsNoQuestionWithoutARequest(t *testing.T) {
	w := build(t, plan{rego: byEntities})
	tok := w.grant(t, devissuer.Grant{})
	for name, r := range map[string]authz.Request{
		"without a URL":    {Method: "GET"},
		"without a method": {URL: "https://api.example/orders/42"},
	} {
		q := readOrder(tok)
		q.Request = r
		if d := w.point.Decide(t.Context(), q); d.Kind != authz.Malformed {
			t.Errorf("%s: %s", name, d.Kind)
		}
	}
}
