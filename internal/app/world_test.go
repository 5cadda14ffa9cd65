package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

const (
	clientSecret = "the-client-secret-4f1c"
	callerKey    = "the-caller-key-0123456789"
)

// world is a whole sidecar with the shipped policies, on sockets of its own, and the authorization server that it
// asks.
type world struct {
	issuer  *devissuer.Server
	cfg     *config.Config
	app     *App
	client  *http.Client
	api     string // URL of the api listener
	admin   string // URL of the admin listener
	stdout  *testkit.LogBuffer
	logger  *testkit.LogBuffer
	stopped func(t *testing.T) error
	built   func(*App)  // called before the app runs; may be nil
	given   func(*Deps) // called before the app is built; may be nil
}

// start runs a sidecar until the end of the test.
func start(t *testing.T, change func(*config.Config)) *world {
	t.Helper()
	w := &world{}
	w.start(t, change)
	return w
}

func (w *world) start(t *testing.T, change func(*config.Config)) {
	t.Helper()
	w.issuer = authserver.Start(t, knowsTheSidecar())
	w.cfg = configuration(t, w.issuer.Issuer())
	if change != nil {
		change(w.cfg)
	}
	w.run(t)
}

func (w *world) run(t *testing.T) {
	t.Helper()
	w.stdout, w.logger = &testkit.LogBuffer{}, &testkit.LogBuffer{}
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	var err error
	w.app, err = New(t.Context(), w.cfg, w.deps())
	if err != nil {
		t.Fatal(err)
	}
	if w.built != nil {
		w.built(w.app)
	}
	w.api, w.admin = "http://"+w.app.APIAddr().String(), "http://"+w.app.AdminAddr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.app.Run(ctx) }()
	var once sync.Once
	w.stopped = func(t *testing.T) (err error) {
		t.Helper()
		once.Do(func() {
			stop()
			select {
			case err = <-ended:
			case <-time.After(2 * time.Minute):
				t.Error("the app does not stop")
			}
			w.client.CloseIdleConnections()
		})
		return err
	}
	t.Cleanup(func() { _ = w.stopped(t) })
}

func (w *world) deps() Deps {
	d := Deps{Version: "test", Stdout: w.stdout,
		Log: telemetry.NewLogger(telemetry.LogConfig{Level: "debug"}, w.logger)}
	if w.given != nil {
		w.given(&d)
	}
	return d
}

// knowsTheSidecar is an authorization server of which the sidecar is a client.
func knowsTheSidecar() devissuer.Config {
	return devissuer.Config{ResourceServers: []devissuer.ResourceServer{{ID: "sidecar",
		Secret: secret.New(clientSecret)}}}
}

// configuration is defaults with times that are long enough on a machine with other work: what must be good has time.
func configuration(t *testing.T, issuer string) *config.Config {
	t.Helper()
	cfg := defaults(t, issuer)
	cfg.Engine.Deadline, cfg.Engine.CompileTimeout, cfg.Issuers[0].Endpoint.Timeout = 30*time.Second, 5*time.Minute,
		30*time.Second
	cfg.Listen.API.Limits.Timeout, cfg.Listen.API.Limits.ReadTimeout, cfg.ShutdownTimeout = time.Minute, time.Minute,
		time.Minute
	return cfg
}

// defaults is a configuration that is read as any file is, so that every default is the shipped one.
func defaults(t *testing.T, issuer string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	testkit.WriteFile(t, filepath.Join(dir, "secret"), clientSecret+"\n")
	policies := filepath.Join(dir, "policies")
	if err := os.CopyFS(policies, os.DirFS("../../policies")); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("test.yaml", fmt.Appendf(nil, `
listen:
  api: {address: "127.0.0.1:0"}
  admin: {address: "127.0.0.1:0"}
issuers:
  - name: dev
    issuer: %s
    allow_insecure_http: true
    client: {id: sidecar, secret: {file: %q}}
    tenant: [/tenant]
policies: {paths: [%q]}
decision_log: {file: %q}
`, issuer, filepath.Join(dir, "secret"), policies, filepath.Join(dir, "decisions.jsonl")), nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// good is what a token needs for GET /orders/42 of the shipped routes.
func good() devissuer.Grant {
	return devissuer.Grant{ClientID: "web", Subject: "alice", Scopes: []string{"orders:read"},
		Audience: []string{"orders-api"}, Tenant: "acme"}
}

func (w *world) token(t *testing.T, g devissuer.Grant) string {
	t.Helper()
	tok, err := w.issuer.Issue(g)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// answer is what the tests read of a decision.
type answer struct {
	ID      string                  `json:"decision_id"`
	Allow   bool                    `json:"allow"`
	Kind    string                  `json:"kind"`
	Status  int                     `json:"status"`
	Reasons []struct{ Code string } `json:"reasons"`
	Headers map[string][]string     `json:"headers"`
	// UpstreamHeaders are those of an allow.
	UpstreamHeaders map[string][]string     `json:"upstream_headers"`
	Policy          struct{ Digest string } `json:"policy"`
}

func (a answer) String() string { return fmt.Sprintf("%s %d %v", a.Kind, a.Status, a.Reasons) }

func (a answer) is(kind string, status int, code string) bool {
	got := ""
	if len(a.Reasons) > 0 {
		got = a.Reasons[0].Code
	}
	return a.Kind == kind && a.Status == status && got == code && a.Allow == (kind == "allow")
}

// call is the body that asks about GET /orders/42.
func call(token string) string {
	authorization := ""
	if token != "" {
		authorization = fmt.Sprintf(`"authorization":["Bearer %s"],`, token)
	}
	return `{"request":{"method":"GET","url":"https://api.example/orders/42","headers":{` + authorization +
		`"x-tenant":["acme"]}}}`
}

// ask asks about GET /orders/42 with a token.
func (w *world) ask(t *testing.T, token string) answer {
	t.Helper()
	a, err := w.try(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is ask for other goroutines.
func (w *world) try(ctx context.Context, token string) (answer, error) {
	var a answer
	body, err := w.send(ctx, "POST", w.api+"/v1/decisions", call(token))
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal([]byte(body), &a)
}

// send returns the body of a 200.
func (w *world) send(ctx context.Context, method, url, body string) (string, error) {
	status, text, err := w.exchange(ctx, method, url, body)
	if err == nil && status != 200 {
		err = fmt.Errorf("%s %s: %d %s", method, url, status, text)
	}
	return text, err
}

func (w *world) exchange(ctx context.Context, method, url, body string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	return w.answered(r)
}

// answered sends r and returns the status and the body of the answer.
func (w *world) answered(r *http.Request) (int, string, error) {
	resp, err := w.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// do is answered for a test that cannot go on without.
func (w *world) do(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	status, body, err := w.answered(r)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

// get returns what the admin listener says at a path.
func (w *world) get(t *testing.T, path string) string {
	t.Helper()
	body, err := w.send(t.Context(), "GET", w.admin+path, "")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// status returns what GET /v1/status reports.
func (w *world) status(t *testing.T) status.Report {
	t.Helper()
	var s status.Report
	if err := json.Unmarshal([]byte(w.get(t, "/v1/status")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// policyFile is a file of the policies of this sidecar.
func (w *world) policyFile(name string) string { return filepath.Join(w.cfg.Policies.Paths[0], name) }

// logged returns the ids of the decisions that are in the file of the decision log.
func (w *world) logged(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile(w.cfg.DecisionLog.File)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range bytes.Lines(b) {
		var e struct {
			ID     string                `json:"decision_id"`
			Custom struct{ Kind string } `json:"custom"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if _, twice := out[e.ID]; twice {
			t.Errorf("decision %s is in the log twice", e.ID)
		}
		out[e.ID] = e.Custom.Kind
	}
	return out
}

// cause is the cause of a decision that is in the file of the decision log.
func (w *world) cause(t *testing.T, id string) string {
	t.Helper()
	testkit.Eventually(t, "the decision is logged", func() bool { return w.logged(t)[id] != "" })
	b, err := os.ReadFile(w.cfg.DecisionLog.File)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var e struct {
			ID    string                   `json:"decision_id"`
			Error struct{ Message string } `json:"error"`
		}
		if json.Unmarshal(line, &e) == nil && e.ID == id {
			return e.Error.Message
		}
	}
	return ""
}

// settled waits until no goroutine is left that runs code of the sidecar, apart from the authorization server's and
// the tests' own.
func settled(t *testing.T) {
	t.Helper()
	var left string
	deadline := time.Now().Add(time.Minute)
	for {
		left = ""
		buf := make([]byte, 4<<20)
		for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			ours := strings.Contains(stack, "/internal/") && strings.Contains(stack, "authz-sidecar") ||
				strings.Contains(stack, "opentelemetry")
			if ours && !strings.Contains(stack, "internal/devissuer") && !strings.Contains(stack, "testing.tRunner") &&
				!strings.Contains(stack, "_test.go") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines are left:\n%s", left)
		}
		<-time.After(5 * time.Millisecond)
	}
}
