package decision_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
)

func TestEveryAllowSetsTheConfiguredUpstreamHeadersOnce(t *testing.T) {
	w := build(t, plan{token: "optional", identity: []string{"X-Subject", "X-Tenant"}, answers: map[string]any{
		"none":   true,
		"some":   map[string]any{"allow": true, "upstream_headers": map[string]any{"x-tenant": "acme", "X-Role": "a"}},
		"empty":  map[string]any{"allow": true, "upstream_headers": map[string]any{"X-Subject": ""}},
		"twice":  map[string]any{"allow": true, "upstream_headers": map[string]any{"X_Subject": "ada"}},
		"denied": map[string]any{"allow": false, "upstream_headers": map[string]any{"X-Tenant": "acme"}},
	}})
	for path, want := range map[string][]authz.Header{
		"none": {{Name: "X-Subject", Values: []string{""}}, {Name: "X-Tenant", Values: []string{""}}},
		"some": {{Name: "X-Role", Values: []string{"a"}}, {Name: "x-tenant", Values: []string{"acme"}},
			{Name: "X-Subject", Values: []string{""}}},
		"empty": {{Name: "X-Subject", Values: []string{""}}, {Name: "X-Tenant", Values: []string{""}}},
	} {
		for range 2 { // what was answered before is not added to
			if d := w.ask(t, path); d.Kind != authz.Allow || !reflect.DeepEqual(d.UpstreamHeaders, want) {
				t.Errorf("%s: %s %v, want %v", path, d.Kind, d.UpstreamHeaders, want)
			}
		}
	}
	if d := w.ask(t, "twice"); d.Kind != authz.Misconfigured || d.UpstreamHeaders != nil {
		t.Errorf("another spelling: %s %v", d.Kind, d.UpstreamHeaders)
	}
	if d := w.ask(t, "denied"); d.UpstreamHeaders != nil {
		t.Errorf("a deny has %v", d.UpstreamHeaders)
	}
}

func TestARequestThatWouldLoseOrShadowAnUpstreamHeaderIsMalformed(t *testing.T) {
	w := build(t, plan{token: "optional", identity: []string{"X-Subject"}, answers: map[string]any{"none": true}})
	for name, value := range map[string]string{
		"connection": "close, X-Subject", "x_subject": "mallory",
	} {
		q := question("none")
		q.Request.Headers[name] = []string{value}
		w.expect(t, w.point.Decide(t.Context(), q), authz.Malformed, http.StatusBadRequest, "invalid_request")
	}
	q := question("none")
	q.Request.Headers["connection"], q.Request.Headers["x-subject"] = []string{"keep-alive"}, []string{"mallory"}
	w.expect(t, w.point.Decide(t.Context(), q), authz.Allow, http.StatusOK)
}

func TestUpstreamHeadersThatCannotBeSentOnceAreFaults(t *testing.T) {
	var all []string
	decision.Config{UpstreamHeaders: []string{"X-A", "X B", "Connection", "x_a", "X-C"}}.Check(
		func(key, cause, _ string) { all = append(all, key+": "+cause) })
	want := `upstream_headers: "X B" is not a header name
upstream_headers: "Connection" cannot be set by a policy
upstream_headers: "X-A" and "x_a" are one name for some upstreams`
	if got := strings.Join(all, "\n"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
