package opa_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/opa"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// told asks one of the operations that tell of the server.
func told(cfg opa.Config, now status.Report, operation, target string) *httptest.ResponseRecorder {
	m := opa.Mount(cfg, opa.Deps{Point: allows, Limits: listen.Limits{Timeout: time.Minute},
		Status: func() status.Report { return now },
		Modules: func() []bundle.File {
			return []bundle.File{{Path: "policies/a b.rego", Raw: []byte("package a\n")}}
		}})
	w := httptest.NewRecorder()
	m.Handlers[operation].ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

func TestHealthIsReadiness(t *testing.T) {
	for because, want := range map[string]string{
		"":                     `200 {}`,
		status.BecauseStarting: `500 {"error":"the sidecar is starting"}`,
		status.BecauseStopping: `500 {"error":"the sidecar is stopping"}`,
		status.BecauseCanary:   `500 {"error":"the canary`,
		status.BecauseStale:    `500 {"error":"policies were not confirmed`,
		"something new, maybe": `500 {"error":"the sidecar is not ready"}`,
	} {
		for _, parameters := range []string{"", "?bundles", "?plugins=true&exclude-plugin=status"} {
			w := told(opa.Config{Enabled: true}, status.Report{Ready: because == "", Because: because}, "opaHealth",
				"/health"+parameters)
			if got := w.Result().Status[:3] + " " + w.Body.String(); !strings.HasPrefix(got, want) {
				t.Errorf("%q%s: %s, want %s", because, parameters, got, want)
			}
		}
	}
	w := told(opa.Config{}, status.Report{Ready: true}, "opaHealth", "/health")
	if w.Code != 404 || !strings.Contains(w.Body.String(), "/readyz") {
		t.Errorf("while the API is off: %d %s", w.Code, w.Body)
	}
}

func TestSourcesAndConfigurationAreShownWhereTheyAreSwitchedOn(t *testing.T) {
	shown := opa.Config{Enabled: true, DefaultDecision: "authz/decision", Policies: true}
	now := status.Report{Version: "v1", Policy: status.Policy{Bundles: map[string]string{"policies": ""}}}
	for _, c := range []struct{ operation, target, want string }{
		{"opaPolicies", "/v1/policies", `200 {"result":[{"id":"policies/a b.rego","raw":"package a\n",` +
			`"ast":{"package":{"path":[{"type":"var","value":"data"},{"type":"string","value":"a"}]}}}]}`},
		{"opaPolicy", "/v1/policies/policies/a%20b.rego", `200 {"result":{"id":"policies/a b.rego","raw":"package a\n"`},
		{"opaPolicy", "/v1/policies/", `200 {"result":[{"id":`},
		{"opaPolicy", "/v1/policies/policies%2Fa%20b.rego", `200 {"result":{"id":`},
		{"opaPolicy", "/v1/policies/policies/", "404 {\n  \"code\": \"resource_not_found\""},
		{"opaPolicy", "/v1/policies/../policies/a%20b.rego", "404 "},
		{"opaConfig", "/v1/config", `200 {"result":{"labels":{"version":"v1"},"default_decision":"/authz/decision",` +
			`"bundles":{"policies":{}}}}`},
	} {
		w := told(shown, now, c.operation, c.target)
		if got := w.Result().Status[:3] + " " + w.Body.String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.target, got, c.want)
		}
		w = told(opa.Config{Enabled: true}, now, c.operation, c.target)
		if w.Code != 404 || !strings.Contains(w.Body.String(), "opa.policies") {
			t.Errorf("%s while it is off: %d %s", c.target, w.Code, w.Body)
		}
	}
}

func TestAWriteIsRefusedWithItsReason(t *testing.T) {
	m := opa.Mount(opa.Config{Enabled: true}, opa.Deps{})
	refused := door.NewCallError(http.StatusMethodNotAllowed, "method_not_allowed", "this path takes GET", "")
	for method, want := range map[string]string{"PUT": "files and bundles", "PATCH": "files and bundles",
		"DELETE": "files and bundles", "POST": "this path takes GET"} {
		w := httptest.NewRecorder()
		m.Refuse(w, httptest.NewRequest(method, "/v1/policies/a", nil), refused)
		if w.Code != 405 || !strings.Contains(w.Body.String(), want) ||
			!strings.Contains(w.Body.String(), `"code": "invalid_operation"`) {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
}
