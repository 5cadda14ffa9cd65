//go:build bench

package bench

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// world is what the servers have in common.
type world struct {
	// issuer is an authorization server in this process, and token one of its tokens.
	issuer *devissuer.Server
	token  string
	// small is one policy that looks at scope, audience and tenant and at nothing else; shipped is a copy of the
	// shipped ones: an edit of the originals during a run would change some servers.
	small, shipped policy
	// native leaves out what other builds may not have: the listeners of gateways, and settings of the memo.
	native bool
}

// setup is how a sidecar differs from the usual one, which remembers verdicts and writes its decision log to a file.
type setup struct {
	policy policy
	full   bool // it remembers no verdict
	silent bool // it writes no decision log
	jwt    bool // its tokens are JWTs that it validates itself
	// change has the last word about the configuration; it may be nil.
	change func(all map[string]any)
}

// policy is a directory of policies.
type policy struct{ name, dir string }

// smallPolicy is the least that does the job of the comparison: a scope, an audience and a tenant.
const smallPolicy = `package authz

default decision := {"allow": false}

# METADATA
# entrypoint: true
decision := {"allow": true} if {
	input.request.method == "GET"
	input.request.segments[0] == "orders"
	"orders:read" in input.token.scopes
	"orders-api" in input.token.audiences
	input.request.headers["x-tenant"][0] == input.token.tenant
}
`

// resourceServer is the sidecar to the issuer, and secretVariable where it finds its secret.
const (
	resourceServer = "orders-api"
	secretVariable = "BENCH_CLIENT_SECRET"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	key := rand.Text() // the sidecar's, as a client of the issuer
	issuer := authserver.Start(t, devissuer.Config{
		ResourceServers: []devissuer.ResourceServer{{ID: resourceServer, Secret: secret.New(key)}},
	})
	t.Setenv(secretVariable, key) // for the sidecars too, which inherit it
	w := &world{issuer: issuer, small: policy{"small policy", t.TempDir()},
		shipped: policy{"shipped policies", t.TempDir()}}
	testkit.WriteFile(t, filepath.Join(w.small.dir, "authz.rego"), smallPolicy)
	if err := os.CopyFS(w.shipped.dir, os.DirFS("../../policies")); err != nil {
		t.Fatal(err)
	}
	w.token = w.issue(t, nil)
	return w
}

// issue makes a token that may read orders; claims are further members of what the issuer says about it.
func (w *world) issue(t testing.TB, claims map[string]any) string {
	t.Helper()
	return w.issueAs(t, devissuer.Opaque, claims)
}

func (w *world) issueAs(t testing.TB, form devissuer.Format, claims map[string]any) string {
	t.Helper()
	return authserver.Issue(t, w.issuer, devissuer.Grant{
		TokenFormat: form, ClientID: "web-shop", Subject: "alice", Username: "alice@acme.example",
		Scopes:   []string{"orders:read", "profile"},
		Audience: []string{"orders-api"}, Tenant: "acme", Roles: []string{"clerk"}, Claims: claims,
	})
}

// The question of every run, which the shipped policies allow: they look for the scope, the audience and the tenant.
const (
	asksMethod = "GET"
	asksURL    = "https://api.acme.example/orders/42"
	asksTenant = "acme"
)

// question is the body of a call to the sidecar.
func question(t testing.TB, token string) []byte {
	t.Helper()
	return marshal(t, map[string]any{"request": map[string]any{
		"method": asksMethod, "url": asksURL,
		"headers": map[string][]string{"authorization": {"Bearer " + token}, "x-tenant": {asksTenant}},
	}})
}

// introspect asks the issuer about a token, as the sidecar does.
func (w *world) introspect(t testing.TB, token string) *authz.Claims {
	t.Helper()
	cfg := load(t, w.configuration(t, t.TempDir(), setup{policy: w.shipped}))
	issuer, err := issuer.New(cfg.Issuers[0], issuer.Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Close()
	claims, err := issuer.Introspect(t.Context(), introspect.Question{Token: secret.New(token)})
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// document is the body of a call to OPA: the very document that the sidecar makes of the question and of what the
// issuer says about its token.
func (w *world) document(t testing.TB) []byte {
	t.Helper()
	req, err := input.NewRules(config.Default().Input).Request(&authz.Request{
		Method: asksMethod, URL: asksURL, Headers: map[string][]string{"x-tenant": {asksTenant}},
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := input.Build(input.Query{Request: req}, w.introspect(t, w.token), input.Presented{Scheme: "bearer"},
		time.Now())
	body, err := doc.AppendJSON([]byte(`{"input":`))
	if err != nil {
		t.Fatal(err)
	}
	return append(body, '}')
}

// configuration writes a file for "sidecar serve" to dir and returns its name. What it does not say is the default.
func (w *world) configuration(t testing.TB, dir string, s setup) string {
	t.Helper()
	listen := map[string]any{
		"api": map[string]any{"address": freeAddress(t)}, "admin": map[string]any{"address": freeAddress(t)},
	}
	if !w.native {
		listen["grpc"] = map[string]any{"address": freeAddress(t)}
		listen["forward_auth"] = []any{
			map[string]any{"name": "nginx", "profile": "nginx", "address": freeAddress(t)},
		}
	}
	issuer := map[string]any{
		"name": "bench", "issuer": w.issuer.Issuer(), "allow_insecure_http": true, "tenant": []string{"/tenant"},
		"client": map[string]any{"id": resourceServer, "secret": map[string]any{"env": secretVariable}},
		"cache":  map[string]any{"ttl": "1h"}, // five rounds of five seconds take a quarter of an hour
	}
	if s.jwt {
		issuer["mode"], issuer["audience"] = "jwt", []string{resourceServer}
	}
	// Ten times the usual: on a machine that is busy with other things, 32 callers at once may wait for a processor
	// longer than the usual deadline, and a refusal would end the run. OPA's server has no deadline at all.
	engine := map[string]any{"deadline": "1s"}
	if s.full {
		engine["memo"] = map[string]any{"max_entries": 0}
	}
	all := map[string]any{"listen": listen, "issuers": []any{issuer}, "engine": engine,
		"policies": map[string]any{"paths": []string{s.policy.dir}}}
	if !s.silent {
		all["decision_log"] = map[string]any{"file": filepath.Join(dir, "decisions.jsonl")}
	}
	if s.change != nil {
		s.change(all)
	}
	src, err := yaml.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "sidecar.yaml")
	testkit.WriteFile(t, name, string(src))
	return name
}

// load reads a configuration in the environment that the sidecar is given.
func load(t testing.TB, file string) *config.Config {
	t.Helper()
	cfg, err := config.Load(file, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// fat are claims that make the issuer's answer about 1 KiB long.
func fat() map[string]any {
	groups := make([]string, 0, 12)
	for range cap(groups) {
		groups = append(groups, "department-"+strings.ToLower(rand.Text()))
	}
	return map[string]any{"name": "Alice Example", "email": "alice@acme.example", "email_verified": true,
		"groups": groups, "sid": rand.Text()}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
