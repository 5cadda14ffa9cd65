package decision_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
)

type object = map[string]any

// answer asks a policy whose answer is verdict, with a good token.
func answer(t *testing.T, verdict any) (*world, authz.Decision) {
	t.Helper()
	w := build(t, plan{answers: object{"asked": verdict}})
	return w, w.ask(t, "asked", "Bearer "+w.grant(t, devissuer.Grant{}))
}

func TestPlainDenyIsForbiddenWithoutChallenge(t *testing.T) {
	for name, verdict := range map[string]any{"false": false, "an object": object{"allow": false}} {
		t.Run(name, func(t *testing.T) {
			w, d := answer(t, verdict)
			w.expect(t, d, authz.Deny, http.StatusForbidden)
			if d.Headers != nil || d.UpstreamHeaders != nil {
				t.Errorf("headers %v, upstream %v", d.Headers, d.UpstreamHeaders)
			}
		})
	}
}

func TestReasonsAreThePolicysOwn(t *testing.T) {
	w, d := answer(t,
		object{"allow": false, "reasons": []any{object{"code": "wrong_tenant", "message": "not yours", "extra": 1},
			"by hand"}})
	w.expect(t, d, authz.Deny, http.StatusForbidden, "wrong_tenant", "denied")
	if d.Reasons[0].Message != "not yours" ||
		string(d.Reasons[0].Object) != `{"code":"wrong_tenant","extra":1,"message":"not yours"}` ||
		d.Reasons[1].Message != "by hand" {
		t.Errorf("reasons %+v", d.Reasons)
	}
}

// TestChallenges is every challenge that a policy can ask for, word for word.
func TestChallenges(t *testing.T) {
	for name, c := range map[string]struct {
		verdict object
		status  int
		want    string
	}{
		"BR4 insufficient_scope is 403 and names the scope": {
			object{"challenge": object{"error": "insufficient_scope",
				"scope": []string{"orders:write", "orders:read"}}},
			403, `Bearer realm="acme", error="insufficient_scope", scope="orders:write orders:read"`},
		"a scope alone means insufficient_scope": {
			object{"challenge": object{"scope": []string{"a"}}},
			403, `Bearer realm="acme", error="insufficient_scope", scope="a"`},
		"BR4 invalid_token is 401": {
			object{"challenge": object{"error": "invalid_token"}},
			401, invalidToken},
		"BR4 invalid_request is 400": {
			object{"challenge": object{"error": "invalid_request"}},
			400, invalidRequest},
		"SU1 step-up is 401 with all that is asked for": {
			object{"challenge": object{"error": "insufficient_user_authentication",
				"error_description": "log in again", "acr_values": []string{"mfa", "hwk"}, "max_age": 300}},
			401,
			`Bearer realm="acme", error="insufficient_user_authentication", error_description="log in again", acr_values="mfa hwk", max_age="300"`},
		"SU1 a maximal age alone means step-up, and may be 0": {
			object{"challenge": object{"max_age": 0}},
			401, `Bearer realm="acme", error="insufficient_user_authentication", max_age="0"`},
		"SU1 an acr alone means step-up": {
			object{"challenge": object{"acr_values": []string{"mfa"}, "scope": []string{"a"}}},
			401, `Bearer realm="acme", error="insufficient_user_authentication", scope="a", acr_values="mfa"`},
		"BR5 a description is put into its alphabet": {
			object{"challenge": object{"error": "invalid_token",
				"error_description": "no \"é\\\"\r\nSet-Cookie: x\x7f"}},
			401, `Bearer realm="acme", error="invalid_token", error_description="no ??????Set-Cookie: x?"`},
		"the status of the policy wins": {
			object{"status": 404, "challenge": object{"scope": []string{"a"}}},
			404, `Bearer realm="acme", error="insufficient_scope", scope="a"`},
		"a 401 always has a challenge": {
			object{"status": 401},
			401, bare},
	} {
		t.Run(name, func(t *testing.T) {
			c.verdict["allow"] = false
			w, d := answer(t, c.verdict)
			w.expect(t, d, authz.Deny, c.status)
			expectChallenge(t, d, c.want)
		})
	}
}

func TestBR3_AnonymousDenyNamesNoError(t *testing.T) {
	w := build(t, plan{token: "optional", answers: object{"asked": object{
		"allow": false, "challenge": object{"error": "insufficient_scope", "error_description": "more is needed",
			"scope": []string{"a"}},
	}}})
	d := w.ask(t, "asked")
	w.expect(t, d, authz.Deny, http.StatusUnauthorized)
	expectChallenge(t, d, `Bearer realm="acme", scope="a"`)
}

func TestBR5_RealmIsPutIntoItsAlphabet(t *testing.T) {
	w := build(t, plan{realm: "a\"b\\c\nd"})
	expectChallenge(t, w.ask(t, "open"), `Bearer realm="a?b?c?d"`)
}

func TestStatusOfThePolicyIsKept(t *testing.T) {
	w, d := answer(t, object{"allow": false, "status": 451})
	w.expect(t, d, authz.Deny, 451)
}

func TestUpstreamAndResponseHeadersAreKeptApart(t *testing.T) {
	verdict := object{"upstream_headers": object{"X-Tenant": "acme", "X-Empty": ""},
		"response_headers": object{"X-Why": []string{"a", "b"}}}
	verdict["allow"] = true
	_, d := answer(t, verdict)
	if d.Headers != nil || len(d.UpstreamHeaders) != 2 {
		t.Errorf("allowed: headers %v, upstream %v", d.Headers, d.UpstreamHeaders)
	}
	verdict["allow"] = false
	_, d = answer(t, verdict)
	if d.UpstreamHeaders != nil || !slices.Equal(header(d, "X-Why"), []string{"a", "b"}) {
		t.Errorf("denied: headers %v, upstream %v", d.Headers, d.UpstreamHeaders)
	}
}

func TestRefusalCarriesNothingOfAnAllowedRequest(t *testing.T) {
	w :=
		build(t, plan{answers: object{"asked": object{"allow": true, "upstream_headers": object{"X-Tenant": "acme"}}}})
	if d := w.ask(t, "asked"); d.UpstreamHeaders != nil || d.Context != nil {
		t.Errorf("upstream %v, context %s", d.UpstreamHeaders, d.Context)
	}
}

func TestObligationsStandApartFromTheContextUntilADoorJoinsThem(t *testing.T) {
	mask := []any{object{"id": "mask"}}
	for name, c := range map[string]struct {
		verdict                      object
		obligations, context, joined string
	}{
		"obligations alone": {object{"obligations": mask}, `[{"id":"mask"}]`, "", `{"obligations":[{"id":"mask"}]}`},
		"both": {object{"obligations": mask, "context": object{"a": 1}},
			`[{"id":"mask"}]`, `{"a":1}`, `{"obligations":[{"id":"mask"}],"a":1}`},
		"obligations beside an empty context": {object{"obligations": mask, "context": object{}},
			`[{"id":"mask"}]`, "", `{"obligations":[{"id":"mask"}]}`},
		"a context alone": {object{"context": object{"a": 1}}, "", `{"a":1}`, `{"a":1}`},
		"empty ones":      {object{"context": object{}, "obligations": []any{}}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.verdict["allow"] = true
			w, d := answer(t, c.verdict)
			w.expect(t, d, authz.Allow, http.StatusOK)
			got := [...]string{string(d.Obligations), string(d.Context), string(d.JoinedContext())}
			if want := [...]string{c.obligations, c.context, c.joined}; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestIllShapedAnswerIsMisconfigured: whatever is not exactly what product.md section 5 lists is refused.
func TestIllShapedAnswerIsMisconfigured(t *testing.T) {
	for name, verdict := range map[string]any{
		"text":                   "true",
		"null":                   nil,
		"no allow":               object{},
		"allow is text":          object{"allow": "true"},
		"an unknown member":      object{"allow": true, "alow": true},
		"a bad header name":      object{"allow": true, "upstream_headers": object{"X Y": "a"}},
		"an injected header":     object{"allow": true, "upstream_headers": object{"X-A": "a\r\nX-B: b"}},
		"a challenge of its own": object{"allow": false, "response_headers": object{"WWW-Authenticate": "Basic"}},
		"status 200":             object{"allow": false, "status": 200},
		"status 500":             object{"allow": false, "status": 500},
		"a quote in a scope":     object{"allow": false, "challenge": object{"scope": []string{"a\"b"}}},
		"obligations twice": object{"allow": true, "obligations": []any{object{"id": "a"}},
			"context": object{"obligations": []any{}}},
		"an obligation is no text": object{"allow": true, "obligations": []any{"mask"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, d := answer(t, verdict)
			w.expect(t, d, authz.Misconfigured, http.StatusInternalServerError, "misconfigured")
			if d.Headers != nil || d.UpstreamHeaders != nil || d.Context != nil {
				t.Errorf("something of the answer got through: %v %v %s", d.Headers, d.UpstreamHeaders, d.Context)
			}
			if !w.logger.Has("data.authz.decision") {
				t.Errorf("the operator is told %s", w.logger)
			}
			if verdict != nil && w.event(t, d.ID).Result == nil {
				t.Error("the event does not show what the policy said")
			}
		})
	}
}

func TestUndefinedIsMisconfigured(t *testing.T) {
	w := build(t, plan{answers: pass})
	w.expect(t, w.ask(t, "unheard-of", "Bearer "+w.grant(t, devissuer.Grant{})), authz.Misconfigured,
		http.StatusInternalServerError, "misconfigured")
}

func TestFailedBuiltinIsMisconfigured(t *testing.T) {
	const rego = `package authz

# METADATA
# entrypoint: true
decision := {"allow": false} if {
	refused
} else := {"allow": true}

refused if {
	input.request.path != "/"
	to_number(input.request.method) == 1
}
`
	w := build(t, plan{rego: rego})
	d := w.ask(t, "orders", "Bearer "+w.grant(t, devissuer.Grant{}))
	w.expect(t, d, authz.Misconfigured, http.StatusInternalServerError, "misconfigured")
}

func TestUnknownEntrypointIsMisconfigured(t *testing.T) {
	w := build(t, plan{answers: pass})
	if w.point.Callable("authz/unheard_of") || !w.point.Callable("") || !w.point.Callable("authz/decision") {
		t.Error("Callable does not tell entrypoints")
	}
	q := question("open", "Bearer "+w.grant(t, devissuer.Grant{}))
	q.Entrypoint = "authz/unheard_of"
	d := w.point.Decide(t.Context(), q)
	w.expect(t, d, authz.Misconfigured, http.StatusInternalServerError, "misconfigured")
}
