//go:build real

package realtest

import (
	"cmp"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// sidecars is what the sidecar makes of Keycloak.
func (k *keycloak) sidecars(t *testing.T) {
	t.Run("CA each way to authenticate", k.sidecarAuthenticates)
	t.Run("JAT tokens in all modes", k.sidecarModes)
	t.Run("a token that does not name the sidecar", k.sidecarAudience)
	t.Run("DPOP tokens bound to a key", k.sidecarDPoP)
	t.Run("MTLS tokens bound to a certificate", k.sidecarCertificates)
	t.Run("tokens that end without an event", k.sidecarEnds)
	t.Run("BCL back-channel logout under load", k.sidecarBackchannelLogout)
	t.Run("k_logout and k_push_not_before", k.sidecarAdminURL)
	t.Run("PUSH Shared Signals pushed, under load", k.sidecarPush)
	t.Run("POLL Shared Signals polled, under load", k.sidecarPoll)
	t.Run("a secret is rotated under load", k.sidecarRotation)
	t.Run("a canary and its audience mapper", k.sidecarCanary)
	t.Run("init, check and serve", k.sidecarInit)
}

// tell writes one line of what came of it, to be found in the output of all tests.
func tell(t *testing.T, what, format string, values ...any) {
	t.Helper()
	t.Logf("KEYCLOAK TABLE: %s: %s", what, fmt.Sprintf(format, values...))
}

// keycloakSidecar is how one sidecar is configured. What is left out is the usual: orders-api, with its secret.
type keycloakSidecar struct {
	client, secret string // the client's part of the configuration, and what it finds as CLIENT_SECRET
	ttl            string
	issuer         string // further members of the issuer, indented by four
	more           string // further sections
	admin          int    // port of the admin listener
}

const (
	allowed = "allow 200"
	refused = "unauthenticated 401 invalid_token"
	unasked = "misconfigured 503 misconfigured" // Keycloak does not tell the sidecar
)

// sidecar starts one that asks this realm.
func (r *keycloakRealm) sidecar(t *testing.T, s keycloakSidecar) *sidecar {
	t.Helper()
	sc, cmd := r.sidecarCommand(t, s)
	sc.run(t, r.server.vault, cmd)
	return sc
}

// sidecarCommand writes the configuration of a sidecar and says how to start it.
func (r *keycloakRealm) sidecarCommand(t *testing.T, s keycloakSidecar) (*sidecar, *exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	sc := &sidecar{decisions: filepath.Join(dir, "decisions.jsonl")}
	client := cmp.Or(s.client, fmt.Sprintf("id: %q, secret: {env: CLIENT_SECRET}", r.api.id))
	if !strings.Contains(s.issuer, "audience:") {
		s.issuer += "\n    audience: [orders-api]"
	}
	issuer := strings.Replace(r.issuerBy(client, s.issuer), "ttl: 1s", "ttl: "+cmp.Or(s.ttl, "0s"), 1)
	file := testkit.WriteFile(t, filepath.Join(dir, "sidecar.yaml"), fmt.Sprintf(`
listen:
  api: {address: "127.0.0.1:0"}
  admin: {address: "127.0.0.1:%d"}
issuers:
%s
policies: {paths: [%q]}
engine: {deadline: 2s}
decision: {realm: acme}
decision_log: {stdout: true, file: %q}
telemetry: {log: {level: debug, format: json}}
%s
`, s.admin, issuer, absolute(t, "../../policies"), sc.decisions, s.more))
	cmd := exec.Command(binary, "serve", "--config", file)
	cmd.Env = []string{"CLIENT_SECRET=" + cmp.Or(s.secret, r.api.secret),
		"STREAM_AUTHORIZATION=" + streamAuthorization}
	return sc, cmd
}

// presented is what a client presents beside a token.
type presented struct{ scheme, proof, certificate string }

// asked is the body of a call about a client that presents a token.
func (p presented) asked(t *testing.T, token string) string {
	t.Helper()
	q := get(token)
	headers := map[string][]string{"x-tenant": {q.tenant},
		"authorization": {cmp.Or(p.scheme, "Bearer") + " " + q.token}}
	if p.proof != "" {
		headers["dpop"] = []string{p.proof}
	}
	request := map[string]any{"method": q.method, "url": ordersURL, "headers": headers}
	if p.certificate != "" {
		request["client_certificate"] = p.certificate
	}
	body, err := json.Marshal(map[string]any{"request": request})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// ordersURL is what is asked for in get.
const ordersURL = "https://orders.acme.example/orders/42"

// present asks the sidecar about a client that presents more than a token.
func (sc *sidecar) present(t *testing.T, token string, p presented) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sc.api+"/v1/decisions",
		strings.NewReader(p.asked(t, token)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	got := send(t, nil, req)
	if got.status != http.StatusOK {
		t.Fatalf("ask the sidecar: status %d: %s", got.status, got.body)
	}
	sc.answers.Write(got.body)
	return decode[answer](t, got.body)
}

// expectOf asks about a token, and compares the answer.
func (sc *sidecar) expectOf(t *testing.T, what, token, want string) {
	t.Helper()
	if a := sc.decide(t, get(token)); a.String() != want {
		t.Errorf("%s: %s, want %s", what, a, want)
	}
}

// evict tells the sidecar that tokens are over, and returns how long that took.
func (sc *sidecar) evict(t *testing.T, what map[string]any) time.Duration {
	t.Helper()
	begun := time.Now()
	jsonCall{method: http.MethodPost, url: sc.admin + "/v1/evict", body: what}.want(t, http.StatusOK)
	return time.Since(begun)
}

// streamState is what the status says of a stream of events.
type streamState struct {
	State    string    `json:"state"`
	ID       string    `json:"id"`
	Status   string    `json:"status"`
	Problem  string    `json:"problem"`
	Verified time.Time `json:"verified"`
}

// stream is that of the only issuer.
func (sc *sidecar) stream(t *testing.T) streamState {
	t.Helper()
	body, err := fetch(sc.admin + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	got := decode[struct {
		Events []struct {
			Kind   string      `json:"kind"`
			Stream streamState `json:"stream"`
		} `json:"events"`
	}](t, body)
	for _, e := range got.Events {
		if e.Kind == "shared_signals" {
			return e.Stream
		}
	}
	t.Fatalf("the status tells of no stream: %s", body)
	return streamState{}
}

// command runs another command of the sidecar, and returns how it ended and all that it said.
func (r *keycloakRealm) command(t *testing.T, stdin string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdin, cmd.Env = strings.NewReader(stdin), []string{"CLIENT_SECRET=" + r.api.secret}
	said, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if names := r.server.vault.found(said); len(names) > 0 {
		t.Errorf("sidecar %s shows: %s", args[0], strings.Join(names, ", "))
	}
	return cmd.ProcessState.ExitCode(), string(said)
}
