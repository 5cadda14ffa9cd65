//go:build real

package realtest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// pageFiles are the files that a page of docs shows, by the names after their fences: ```nginx app.conf.
func pageFiles(t *testing.T, page string) map[string]string {
	t.Helper()
	files := map[string]string{}
	fence := regexp.MustCompile("(?ms)^```\\w+ ([\\w./-]+\\.[\\w]+|Caddyfile)\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(testkit.ReadFile(t, "../../docs/gateways/"+page), -1) {
		if files[m[1]] != "" {
			t.Fatalf("%s shows %s twice", page, m[1])
		}
		files[m[1]] = m[2]
	}
	if files["sidecar.yaml"] == "" {
		t.Fatalf("%s shows no sidecar.yaml", page)
	}
	return files
}

// guard is a sidecar behind a gateway, with the configuration of the gateway's page, and its authorization server.
type guard struct {
	*sidecar
	door   string // address of the listener for the gateway
	issuer *devissuer.Server
	tokens map[gatewayToken]string
	vault  vault
	// proof is a DPoP proof for GET /things, made once: its second use is a replay.
	proof string
}

// startGuard serves a configuration of a page. Only addresses and files are others than there.
func startGuard(t *testing.T, configuration string) *guard {
	t.Helper()
	v := vault{}
	password := v.secret("secret of orders-api")
	g := &guard{sidecar: &sidecar{}, vault: v, door: testkit.HoldPort(t).Addr(),
		issuer: authserver.Start(t, devissuer.Config{
			ResourceServers: []devissuer.ResourceServer{{ID: "orders-api", Secret: secret.New(password)}}})}
	g.issue(t, v)
	dir := t.TempDir()
	g.decisions = filepath.Join(dir, "decisions.jsonl")
	file := testkit.WriteFile(t, filepath.Join(dir, "sidecar.yaml"), strings.ReplaceAll(configuration,
		"/run/secrets/introspection", strconv.Quote(testkit.WriteFile(t, filepath.Join(dir, "secret"), password))))
	cmd := exec.Command(binary, "serve", "--config", file)
	for name, value := range map[string]string{
		"LISTEN_API_ADDRESS": "127.0.0.1:0", "LISTEN_ADMIN_ADDRESS": "127.0.0.1:0",
		"ISSUERS_0_ISSUER": g.issuer.Issuer(), "ISSUERS_0_ALLOW_INSECURE_HTTP": "true",
		"POLICIES_PATHS": absolute(t, "../../policies") + "," + absolute(t, "testdata/gateways"),
		"DECISION_REALM": "acme", "DECISION_TOKEN": "optional", "ISSUERS_0_TENANT": "/tenant",
		"DECISION_LOG_FILE": g.decisions, "DECISION_LOG_STDOUT": "true",
		"TELEMETRY_LOG_FORMAT": "json", "TELEMETRY_LOG_LEVEL": "debug",
		"RESOURCES_0_RESOURCE":              "https://app.example.test/notes",
		"RESOURCES_0_AUTHORIZATION_SERVERS": "https://login.acme.example",
		"INPUT_HEADERS":                     "x-tenant,x-case",
	} {
		cmd.Env = append(cmd.Env, "SIDECAR_"+name+"="+value)
	}
	door := "LISTEN_FORWARD_AUTH_0_ADDRESS"
	if strings.Contains(configuration, "\n  grpc:") {
		door = "LISTEN_GRPC_ADDRESS"
	}
	if !strings.Contains(configuration, "address: unix:") {
		cmd.Env = append(cmd.Env, "SIDECAR_"+door+"="+g.door)
	}
	g.answers.WriteString("clients of the gateway read them")
	g.process = start(t, "sidecar", cmd)
	g.await(t, 30*time.Second, g.findAddresses)
	g.await(t, 30*time.Second, func() bool { return responds(g.api + "/readyz") })
	return g
}

// end stops the sidecar, and looks for tokens and secrets in all that it said.
func (g *guard) end(t *testing.T) {
	t.Helper()
	g.finish(t, g.vault)
}

// hang stops the process without ending it, until the returned function is called: connections to it open, and no
// answer comes.
func (g *guard) hang(t *testing.T) (resume func()) {
	t.Helper()
	signal := func(s syscall.Signal) {
		if err := g.cmd.Process.Signal(s); err != nil {
			t.Error(err)
		}
	}
	signal(syscall.SIGSTOP)
	state := fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid)
	testkit.Within(t, 10*time.Second, "stop the sidecar", func() bool {
		return strings.Contains(testkit.ReadFile(t, state), "State:\tT")
	})
	return func() { signal(syscall.SIGCONT) }
}

// issue makes the tokens of the cases.
func (g *guard) issue(t *testing.T, v vault) {
	t.Helper()
	grant := devissuer.Grant{ClientID: "web", Subject: gatewaySubject, Tenant: gatewayTenant,
		Audience: []string{"orders-api"}, Scopes: []string{"things:read"}}
	strong, admin := grant, grant
	strong.Claims = map[string]any{"acr": "mfa", "auth_time": time.Now().Unix()}
	admin.Scopes = []string{"things:read", "things:admin"}
	key := testkit.NewProofKey(t)
	bound := grant
	bound.Claims = map[string]any{"cnf": map[string]any{"jkt": key.Thumbprint}}
	g.tokens = map[gatewayToken]string{unknownToken: v.keep("unknown token", strings.Repeat("unknown-", 4))}
	for name, grant := range map[gatewayToken]devissuer.Grant{
		readerToken: grant, strongToken: strong, adminToken: admin, freshToken: grant, boundToken: bound,
	} {
		g.tokens[name] = v.keep("token "+string(name), authserver.Issue(t, g.issuer, grant))
	}
	g.proof = key.Proof(t, "GET", "http://app.example.test/things", g.tokens[boundToken], nil)
}

// credentials are the lines that present a token.
func (g *guard) credentials(token gatewayToken) []field {
	switch token {
	case noToken:
		return nil
	case twoTokens:
		return append(g.credentials(readerToken), g.credentials(adminToken)...)
	case boundToken:
		return []field{{"Authorization", "DPoP " + g.tokens[token]}, {"DPoP", g.proof}}
	}
	return []field{{"Authorization", "Bearer " + g.tokens[token]}}
}

// guardDecision is what the decision log says about one request.
type guardDecision struct {
	Input struct {
		Request struct {
			Method  string              `json:"method"`
			Host    string              `json:"host"`
			RawPath string              `json:"raw_path"`
			Headers map[string][]string `json:"headers"`
		} `json:"request"`
	} `json:"input"`
	Custom struct {
		Kind string `json:"kind"`
	} `json:"custom"`
}

// decided reads the decisions about a case.
func (g *guard) decided(t *testing.T, id string) []guardDecision {
	t.Helper()
	var all []guardDecision
	written := lines(g.decisions)
	for _, line := range written[:max(0, len(written)-1)] { // what follows the last line end is not yet written
		var d guardDecision
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if slices.Contains(d.Input.Request.Headers["x-case"], id) {
			all = append(all, d)
		}
	}
	return all
}

func (d guardDecision) String() string {
	return fmt.Sprintf("%s %s on %s: %s", d.Input.Request.Method, d.Input.Request.RawPath, d.Input.Request.Host,
		d.Custom.Kind)
}
