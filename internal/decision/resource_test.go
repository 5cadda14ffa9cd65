package decision_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

// notes is an MCP server at https://api.example/mcp.
func notes() resource.Config {
	c := conf.Default[resource.Config]()
	c.Resource, c.AuthorizationServers = "https://api.example/mcp", []string{"https://as.example"}
	c.ScopesSupported, c.AudienceCheck = []string{"notes:read"}, "issuers"
	c.MCP.Eras, c.MCP.BodyBytes = []string{"sessions", "stateless"}, 1<<20
	return c
}

// byTool decides as data.answers says about the tool; the frame passes.
const byTool = `package authz

# METADATA
# entrypoint: true
decision := answer if answer := data.answers[input.mcp.tool]

else := true if input.mcp.method == "ping"

else := false if input.request.path in {"/", "/orders/42", "/mcp"}
`

func message(body string, authorization ...string) authz.Query {
	q := question("mcp", authorization...)
	q.Request.Method, q.Request.Body, q.Request.HasBody = "POST", body, true
	q.Request.Headers["content-type"] = []string{"application/json"}
	return q
}

func callOf(tool string) string {
	return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"` + tool + `"}}`
}

const metadataOfNotes = `Bearer resource_metadata="https://api.example/.well-known/oauth-protected-resource/mcp"`

func TestEveryChallengeOfAResourceSaysWhereAndWhatToAskFor(t *testing.T) {
	w := build(t, plan{rego: byTool, resources: []resource.Config{notes()}, realm: "scope=admin",
		answers: map[string]any{
			"list": true, "secret": false,
			"add": map[string]any{"allow": false, "challenge": map[string]any{"scope": []string{"notes:write"},
				"error_description": `needs scope="admin"`}},
			"pay": map[string]any{"allow": false, "challenge": map[string]any{"max_age": 60}},
		}})
	bearer := "Bearer " + w.grant(t, devissuer.Grant{Scopes: []string{"notes:read", "offline_access"}})
	for name, c := range map[string]struct {
		query  authz.Query
		status int
		want   string
	}{
		"no token": {message(callOf("list")), 401, `, scope="notes:read", realm="scope:admin"`},
		"bad token": {message(callOf("list"), "Bearer wrong"), 401,
			`, error="invalid_token", scope="notes:read", realm="scope:admin"`},
		"more scope": {message(callOf("add"), bearer), 403, `, error="insufficient_scope", ` +
			`scope="notes:read notes:write", realm="scope:admin", error_description="needs scope:?admin?"`},
		"fresher login": {message(callOf("pay"), bearer), 401, `, error="insufficient_user_authentication", ` +
			`scope="notes:read", max_age="60", realm="scope:admin"`},
		"below the endpoint": {question("mcp/x"), 401, `, scope="notes:read", realm="scope:admin"`},
		"forbidden":          {message(callOf("secret"), bearer), 403, ""},
		"unknown tool":       {message(callOf("other"), bearer), 403, ""},
		"allowed":            {message(callOf("list"), bearer), 200, ""},
		"frame":              {message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, bearer), 200, ""},
	} {
		d := w.point.Decide(t.Context(), c.query)
		if d.Status != c.status {
			t.Errorf("%s: %s %d, %v", name, d.Kind, d.Status, d.Cause)
		}
		switch got := challenges(d); {
		case c.want == "" && len(got) > 0, c.want != "" && !slices.Equal(got, []string{metadataOfNotes + c.want}):
			t.Errorf("%s: challenge %q", name, got)
		}
		inMessage := c.query.Request.Method == "POST" && c.status != 200
		if inMessage != strings.HasPrefix(string(d.Body), `{"jsonrpc":"2.0","id":7,"error":{"code":`) {
			t.Errorf("%s: body %s", name, d.Body)
		}
	}
}

func TestScopesOfAChallengeAreThoseThatAreMissingWhereItIsConfigured(t *testing.T) {
	of := notes()
	of.AccumulateScopes, of.ChallengeScopes = false, []string{"basic"}
	w := build(t, plan{rego: byTool, resources: []resource.Config{of}, answers: map[string]any{
		"add": map[string]any{"allow": false, "challenge": map[string]any{"scope": []string{"notes:write"}}}}})
	d := w.point.Decide(t.Context(), message(callOf("add"),
		"Bearer "+w.grant(t, devissuer.Grant{Scopes: []string{"a"}})))
	expectChallenge(t, d, metadataOfNotes+`, error="insufficient_scope", scope="notes:write", realm="acme"`)
	expectChallenge(t, w.point.Decide(t.Context(), message(callOf("add"))), metadataOfNotes+
		`, scope="basic", realm="acme"`)
}

func TestATokenForAnotherResourceIsRefused(t *testing.T) {
	of := notes()
	of.AudienceCheck = "resource"
	w := build(t, plan{rego: byTool, resources: []resource.Config{of}, answers: map[string]any{"list": true}})
	for _, c := range []struct {
		audience []string
		status   int
	}{{nil, 401}, {[]string{"https://api.example/mcp/"}, 401}, {[]string{"x", "https://api.example/mcp"}, 200}} {
		token := w.grant(t, devissuer.Grant{Audience: c.audience})
		if d := w.point.Decide(t.Context(), message(callOf("list"), "Bearer "+token)); d.Status != c.status {
			t.Errorf("%v: %d, %v", c.audience, d.Status, d.Cause)
		}
	}
}

func TestAChallengeForDPoPStandsBehindThatForBearer(t *testing.T) {
	w := build(t, plan{rego: byTool, resources: []resource.Config{notes()}, proof: conf.Default[proof.Config]()})
	got := challenges(w.point.Decide(t.Context(), message(callOf("list"))))
	if len(got) != 2 || !strings.HasPrefix(got[0], "Bearer resource_metadata=") ||
		!strings.HasPrefix(got[1], "DPoP resource_metadata=") || !strings.Contains(got[1], "algs=") {
		t.Errorf("got %q", got)
	}
}

func TestAMessageThatCannotBeReadIsNoQuestionForAPolicy(t *testing.T) {
	w := build(t, plan{rego: byTool, resources: []resource.Config{notes()}, answers: map[string]any{"list": true}})
	token := "Bearer " + w.grant(t, devissuer.Grant{})
	partial, text := message(callOf("list"), token), message(callOf("list"), token)
	partial.Request.BodyPartial = true
	text.Request.Headers["content-type"] = []string{"text/plain"}
	gone := question("mcp", token)
	gone.Request.Headers["mcp-protocol-version"] = []string{"2026-07-28"}
	for name, c := range map[string]struct {
		query  authz.Query
		status int
	}{
		"batch": {message("["+callOf("list")+"]", token), 400}, "partial": {partial, 413}, "text": {text, 415},
		"stream": {gone, 405},
	} {
		d := w.point.Decide(t.Context(), c.query)
		if d.Kind != authz.Malformed || d.Status != c.status || !strings.Contains(string(d.Body), `"jsonrpc"`) ||
			challenges(d) != nil {
			t.Errorf("%s: %s %d %s %q", name, d.Kind, d.Status, d.Body, challenges(d))
		}
		if allowed := header(d, "Allow"); (d.Status == http.StatusMethodNotAllowed) != (len(allowed) == 1) {
			t.Errorf("%s: Allow: %q", name, allowed)
		}
	}
}

func TestATokenInAMessageIsHiddenFromPolicyAndLog(t *testing.T) {
	w := build(t, plan{rego: byTool, resources: []resource.Config{notes()}, answers: map[string]any{"list": true}})
	token := w.grant(t, devissuer.Grant{})
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list","arguments":{"t":"` + token +
		`","q":"?access_token=abc"}}}`
	if d := w.point.Decide(t.Context(), message(body, "Bearer "+token)); d.Kind != authz.Allow {
		t.Errorf("%s, %v", d.Kind, d.Cause)
	}
	log := w.close(t)
	mustNotHold(t, "log", log, token)
	if !strings.Contains(log, `"tool":"list"`) {
		t.Errorf("the log lacks the message: %s", log)
	}
}
