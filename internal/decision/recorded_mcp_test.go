package decision_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/resource"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// recordedRequest is a line of requests.jsonl: see ../mcp/testdata/README.md.
type recordedRequest struct {
	Recordings   []string
	Method, Path string
	Headers      map[string]string
	Body         *string
}

func (r recordedRequest) query(authorization string) authz.Query {
	q := authz.Query{Caller: "127.0.0.1:9", Entrypoint: "notes/decision", Request: authz.Request{Method: r.Method,
		URL: r.Path, Headers: map[string][]string{}}}
	for name, value := range r.Headers {
		q.Request.Headers[name] = []string{value}
	}
	delete(q.Request.Headers, "authorization")
	if authorization != "" {
		q.Request.Headers["authorization"] = []string{authorization}
	}
	if r.Body != nil {
		q.Request.Body, q.Request.HasBody = *r.Body, true
	}
	return q
}

// What the official clients in TypeScript look for, in the first line that begins with Bearer.
var (
	metadataIn = regexp.MustCompile(`resource_metadata="([^"]*)"`)
	scopeIn    = regexp.MustCompile(`scope="([^"]*)"`)
)

// TestEveryRecordedRequestIsDecided: by the example policy, what a client was seen to send is answered so that it
// finds the authorization server without a token, passes the frame with one, and is let through or told by tool.
func TestEveryRecordedRequestIsDecided(t *testing.T) {
	of := notes()
	of.Resource = "http://127.0.0.1:9870/mcp"
	w := build(t, plan{resources: []resource.Config{of}})
	w.point.Swap(&decision.Snapshot{Introspector: w.asker, Policy: exampleForMCP(t)})
	token := "Bearer " + w.grant(t, devissuer.Grant{Scopes: []string{"notes:read"}})
	for line := range strings.Lines(testkit.ReadFile(t, "../mcp/testdata/requests.jsonl")) {
		var r recordedRequest
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Path != "/mcp" {
			continue
		}
		batch := r.Body != nil && strings.HasPrefix(*r.Body, "[")
		anonymous := w.point.Decide(t.Context(), r.query(""))
		if said := challenges(anonymous); !batch && (anonymous.Status != 401 || len(said) == 0 || !readable(said[0])) {
			t.Errorf("%s without a token: %d %q", line, anonymous.Status, said)
		}
		d := w.point.Decide(t.Context(), r.query(token))
		if want := statusFor(t, r, batch); d.Status != want {
			t.Errorf("%s with a token: %d, want %d: %v", line, d.Status, want, d.Cause)
		}
	}
}

// readable reports whether the clients find what they need in a challenge.
func readable(challenge string) bool {
	metadata, scope := metadataIn.FindStringSubmatch(challenge), scopeIn.FindStringSubmatch(challenge)
	return strings.HasPrefix(challenge, "Bearer ") && metadata != nil && scope != nil && scope[1] == "notes:read" &&
		metadata[1] == "http://127.0.0.1:9870/.well-known/oauth-protected-resource/mcp"
}

// statusFor is what the example policy answers to a token with notes:read.
func statusFor(t *testing.T, r recordedRequest, batch bool) int {
	t.Helper()
	switch {
	case batch:
		return 400
	case r.Method != "POST":
		return 200
	}
	var m struct {
		Method string
		Params struct{ Name string }
	}
	if err := json.Unmarshal([]byte(*r.Body), &m); err != nil {
		t.Fatal(err)
	}
	frame := []string{"", "initialize", "ping", "server/discover", "tools/list", "resources/list", "prompts/list"}
	if slices.Contains(frame, m.Method) || strings.HasPrefix(m.Method, "notifications/") ||
		m.Method == "tools/call" && m.Params.Name == "list_notes" {
		return 200
	}
	return 403
}

func exampleForMCP(t *testing.T) *engine.Policy {
	t.Helper()
	folder := t.TempDir()
	testkit.WriteFiles(t, folder, map[string]string{
		"decision.rego": testkit.ReadFile(t, "../../bundles/mcp/decision.rego"),
		"data.json":     testkit.ReadFile(t, "../../bundles/mcp/data.json"),
	})
	set, err := dir.Load(dir.Config{Paths: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := engine.Compile(t.Context(), set, engine.Config{Deadline: 5 * time.Second}, "notes/decision")
	if err != nil {
		t.Fatal(err)
	}
	return policy
}
