package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
)

// asOPA asks at a path of the api listener as clients of OPA do.
func (w *world) asOPA(t *testing.T, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.api+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return w.do(t, r)
}

func openToOPA(c *config.Config) { c.OPA.Enabled = true }

// aboutOrder is an input: the request that good tokens may make.
func aboutOrder(token, more string) string {
	return `{"request":{"method":"GET","url":"https://api.acme.example/orders/42","headers":{"x-tenant":["acme"]}},` +
		`"token":"` + token + `"` + more + `}`
}

func enveloped(input string) string { return `{"input":` + input + `}` }

func TestClientsOfOPAGetWhatThePolicyReturned(t *testing.T) {
	w := start(t, openToOPA)
	for _, c := range []struct {
		token string
		allow bool
	}{
		{w.token(t, good()), true},
		{w.token(t, devissuer.Grant{}), false},
	} {
		status, body := w.asOPA(t, "/v1/data/authz/decision", enveloped(aboutOrder(c.token, "")))
		var v1 struct {
			DecisionID string `json:"decision_id"`
			Result     map[string]any
		}
		if err := json.Unmarshal([]byte(body), &v1); err != nil || status != 200 || v1.DecisionID == "" ||
			v1.Result["allow"] != c.allow {
			t.Errorf("v1: %d %s, want allow %t", status, body, c.allow)
		}
		status, body = w.asOPA(t, "/v0/data/authz/decision", aboutOrder(c.token, ""))
		var v0 map[string]any
		if err := json.Unmarshal([]byte(body), &v0); err != nil || status != 200 || v0["allow"] != c.allow {
			t.Errorf("v0: %d %s, want allow %t", status, body, c.allow)
		}
	}
}

func TestATokenThatCannotBeUsedLeavesTheResultUndefined(t *testing.T) {
	w := start(t, openToOPA)
	status, body := w.asOPA(t, "/v1/data/authz/decision", enveloped(aboutOrder("unknown", "")))
	if status != 200 || strings.Contains(body, `"result"`) || !strings.Contains(body, `"code":"invalid_token"`) {
		t.Errorf("v1: %d %s", status, body)
	}
	if status, body := w.asOPA(t, "/v0/data/authz/decision", aboutOrder("unknown", "")); status != 404 ||
		!strings.Contains(body, `"undefined_document"`) {
		t.Errorf("v0: %d %s", status, body)
	}
}

func TestAnOutageIsAnErrorForClientsOfOPA(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	defer down.Close()
	w := start(t, func(c *config.Config) {
		c.OPA.Enabled, c.Issuers[0].Endpoint.IntrospectionEndpoint = true, down.URL
	})
	tok := w.token(t, good())
	for path, body := range map[string]string{
		"/v1/data/authz/decision": enveloped(aboutOrder(tok, "")), "/v0/data/authz/decision": aboutOrder(tok, ""),
	} {
		if status, got := w.asOPA(t, path, body); status != 503 || !strings.Contains(got, `"internal_error"`) {
			t.Errorf("%s: %d %s", path, status, got)
		}
	}
}

func TestClientsOfOPACannotSayWhatATokenClaims(t *testing.T) {
	w := start(t, openToOPA)
	tok := w.token(t, devissuer.Grant{})
	const claims = `{"active":true,"scopes":["orders:read"],"tenant":"acme"}`
	for _, input := range []string{
		aboutOrder(tok, `,"claims":`+claims),
		strings.Replace(aboutOrder(tok, ""), `"`+tok+`"`, claims, 1),
		aboutOrder(tok, `,"token":`+claims),
		aboutOrder(tok, `,"Token":"`+w.token(t, good())+`"`),
	} {
		if status, body := w.asOPA(t, "/v1/data/authz/decision", enveloped(input)); status != 400 ||
			!strings.Contains(body, `"invalid_parameter"`) || strings.Contains(body, tok) {
			t.Errorf("%s: %d %s", input, status, body)
		}
	}
	status, body := w.asOPA(t, "/v1/data/authz/decision",
		enveloped(aboutOrder(tok, `,"context":{"token":`+claims+`}`)))
	if status != 200 || !strings.Contains(body, `"allow":false`) {
		t.Errorf("claims in the context: %d %s", status, body)
	}
}

func TestTheOPAAPIIsOffUnlessItIsConfigured(t *testing.T) {
	w := start(t, nil)
	status, body := w.asOPA(t, "/v1/data/authz/decision", enveloped(aboutOrder(w.token(t, good()), "")))
	if status != 404 || !strings.Contains(body, "opa.enabled") {
		t.Errorf("%d %s", status, body)
	}
}
