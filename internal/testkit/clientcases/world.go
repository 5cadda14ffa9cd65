package clientcases

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

const (
	// publicURL is how clients of the application write its URLs; host is what they send as Host.
	publicURL = "https://" + host
	host      = "api.acme.example"
	// patience is the timeout of an application whose calls must succeed; hurry that of one whose calls must not.
	patience = 30 * time.Second
	hurry    = 300 * time.Millisecond
)

// World is a sidecar, the authorization server that it asks, and a front between it and the applications.
type World struct {
	front  *front
	key    testkit.ProofKey
	reader string // token with orders:read
	poor   string // token without it
	bound  string // token with orders:read, bound to key
	seen   *table
}

// Sidecar starts a sidecar from a configuration file, until the end of t, and returns the base URL of its api
// listener.
type Sidecar func(t *testing.T, configuration string) string

// NewWorld starts all that applications need around them.
func NewWorld(t *testing.T, start Sidecar) *World {
	t.Helper()
	const clientSecret = "the-secret-of-the-cases-7d02"
	issuer := authserver.Start(t, devissuer.Config{ResourceServers: []devissuer.ResourceServer{{ID: "sidecar",
		Secret: secret.New(clientSecret)}}})
	dir := t.TempDir()
	testkit.WriteFiles(t, dir, map[string]string{
		"secret":              clientSecret + "\n",
		"policies/cases.rego": policy,
		"sidecar.yaml":        fmt.Sprintf(configuration, issuer.Issuer(), dir, publicURL),
	})
	w := &World{
		front: newFront(t, start(t, filepath.Join(dir, "sidecar.yaml"))), key: testkit.NewProofKey(t),
		seen: &table{cells: map[[2]string]string{}},
	}
	grant := devissuer.Grant{ClientID: "web", Subject: "alice", Scopes: []string{"orders:read"}}
	w.reader = authserver.Issue(t, issuer, grant)
	w.poor = authserver.Issue(t, issuer, devissuer.Grant{ClientID: "web", Subject: "alice"})
	grant.Claims = map[string]any{"cnf": map[string]any{"jkt": w.key.Thumbprint}}
	w.bound = authserver.Issue(t, issuer, grant)
	return w
}

// Drive runs all cases against an application, as subtests of t, and fills its column.
func (w *World) Drive(t *testing.T, app App) {
	t.Helper()
	w.seen.add(app.Name)
	d := &driver{World: w, addr: app.Start(t, Settings{SidecarURL: w.front.url(), Timeout: patience})}
	d.hurried = app.Start(t, Settings{SidecarURL: w.front.url(), Timeout: hurry})
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			w.seen.set(c.name, app.Name, "FAILED")
			defer w.front.pass(t)
			c.run(t, d)
			if !t.Failed() {
				w.seen.set(c.name, app.Name, "ok")
			}
		})
	}
}

// Table is what was seen so far, in Markdown: a row a case, a column an application.
func (w *World) Table() string { return w.seen.String() }

const configuration = `
listen:
  api:
    address: "127.0.0.1:0"
    limits: {timeout: 1m, read_timeout: 1m}
  admin: {address: "127.0.0.1:0"}
issuers:
  - name: dev
    issuer: %[1]s
    allow_insecure_http: true
    client: {id: sidecar, secret: {file: %[2]s/secret}}
    timeout: 30s
policies: {paths: [%[2]s/policies]}
engine: {deadline: 30s, compile_timeout: 5m}
decision: {realm: acme}
proof: {dpop: {nonce: required, public_base_url: %[3]s}}
decision_log: {file: %[2]s/decisions.jsonl}
telemetry: {log: {level: debug, format: json}}
`

// policy lets two paths pass. Whatever is read as one of them without being it, is told by the answer.
const policy = `# METADATA
# title: Cases
# description: The decisions that the cases of clients need.
package authz

# METADATA
# title: Decision
# entrypoint: true
decision := {
	"allow": true,
	"upstream_headers": {"X-Subject": input.token.subject.id, "X-Client-Id": input.token.client_id, "X-Tenant": "",
		"X-Name": "Zoë Ω"},
	"context": {"route": "order", "query": input.request.query},
} if {
	input.request.segments == ["orders", "42"]
	"orders:read" in input.token.scopes
} else := {"allow": true, "obligations": [{"type": "unheard-of", "id": "o1"}]} if {
	input.request.segments == ["obliged"]
	"orders:read" in input.token.scopes
} else := {
	"allow": false,
	"status": 418,
	"reasons": [{"code": "teapot", "message": "it is short and stout"}],
	"response_headers": {"X-Hint": "tea", "X-Menu": "thé Ω"},
} if {
	input.request.segments == ["coffee"]
} else := {
	"allow": false,
	"reasons": [{"code": "insufficient_scope", "message": "orders:read is needed"}],
	"challenge": {"error": "insufficient_scope", "scope": ["orders:read"]},
} if {
	input.request.segments == ["orders", "42"]
} else := {"allow": false, "reasons": [{"code": "no_route", "message": "there is no such route"}]}
`
