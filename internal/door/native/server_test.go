package native_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// rawToken stands in every call that must not be quoted.
const rawToken = "7Fjfp0ZBr1KtDRbnfVdmIw-the-raw-token"

// echoing is a policy that answers with what it was asked.
const echoing = `package authz

# METADATA
# entrypoint: true
decision := {"allow": true, "context": {"request": input.request, "context": object.get(input, "context", {}), "present": input.token.present}}

# METADATA
# entrypoint: true
no := {"allow": false, "reasons": [{"code": "never", "message": "say \"please\""}], "upstream_headers": {"X-A": ""}, "response_headers": {"X-B": ["1", "2"]}}
`

// newPoint returns a real decision point: its policy is echoing and every token is active.
func newPoint(t testing.TB) *decision.Point {
	t.Helper()
	folder := t.TempDir()
	testkit.WriteFile(t, filepath.Join(folder, "policy.rego"), echoing)
	set, err := dir.Load(dir.Config{Paths: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := engine.Compile(context.Background(), set, engine.Config{Deadline: 5 * time.Second},
		"authz/decision")
	if err != nil {
		t.Fatal(err)
	}
	everything, err := issuer.Static(issuer.Config{}, []byte(`{"active":true}`))
	if err != nil {
		t.Fatal(err)
	}
	return decision.New(decision.Config{Entrypoint: "authz/decision", Token: "optional", Realm: "acme"},
		&decision.Snapshot{Introspector: everything, Policy: policy}, decision.Deps{
			Input: input.NewRules(input.Config{Headers: []string{"x-tenant", "x-b"}, BodyBytes: 100,
				AmbiguousPaths: "refuse"}),
			Log: slog.New(slog.DiscardHandler),
		})
}

func limits() listen.Limits {
	return listen.Limits{BodyBytes: 4096, HeaderBytes: 4096, BatchItems: 5, ReadTimeout: 5 * time.Second,
		Timeout: 5 * time.Second, IdleTimeout: time.Minute}
}

func listener() listen.Config {
	return listen.Config{Address: "127.0.0.1:0", Limits: limits()}
}

// point is a Point made of funcs.
type point struct {
	decide func(context.Context, authz.Query) authz.Decision
}

func (p point) Decide(ctx context.Context, q authz.Query) authz.Decision { return p.decide(ctx, q) }
func (p point) DecideAll(ctx context.Context, qs []authz.Query) []authz.Decision {
	var out []authz.Decision
	for _, q := range qs {
		out = append(out, p.decide(ctx, q))
	}
	return out
}
func (p point) Callable(string) bool { return true }

// server is a running listener.
type server struct {
	*listen.HTTP
	url    string
	client *http.Client
}

// serve runs the api listener.
func serve(t *testing.T, cfg listen.Config, deps native.Deps) *server {
	t.Helper()
	if deps.Point == nil {
		deps.Point = newPoint(t)
	}
	if deps.Status == nil {
		deps.Status = func() status.Report { return status.Report{Ready: true} }
	}
	return run(t, cfg, deps, native.ListenAPI)
}

// admin runs the admin listener.
func admin(t *testing.T, deps native.Deps) *server {
	t.Helper()
	return run(t, listener(), deps, native.ListenAdmin)
}

func run(
	t *testing.T, cfg listen.Config, deps native.Deps,
	open func(listen.Config, native.Deps, listen.Deps) (*listen.HTTP, error),
) *server {
	t.Helper()
	on := listen.Deps{Name: "test", Log: slog.New(slog.DiscardHandler), Calls: new(listen.Calls)}
	door, err := open(cfg, deps, on)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{HTTP: door, url: "http://" + door.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve() }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		over, stop := context.WithCancel(context.Background())
		stop()
		_ = s.Shutdown(over)
		<-ended
	})
	return s
}

// post sends a call and returns the answer and its body.
func (s *server) post(t *testing.T, path, body string) (*http.Response, string) {
	t.Helper()
	return s.do(t, "POST", path, body, http.Header{"Content-Type": {"application/json"}})
}

func (s *server) do(t *testing.T, method, path, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	return s.send(t, r)
}

func (s *server) send(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// answer is what the tests read of a decision.
type answer struct {
	DecisionID string              `json:"decision_id"`
	Allow      bool                `json:"allow"`
	Kind       string              `json:"kind"`
	Status     int                 `json:"status"`
	Reasons    []map[string]any    `json:"reasons"`
	Headers    map[string][]string `json:"headers"`
	Upstream   map[string][]string `json:"upstream_headers"`
	Context    struct {
		Request struct {
			Method  string              `json:"method"`
			Path    string              `json:"path"`
			Headers map[string][]string `json:"headers"`
			Body    *string             `json:"body"`
		} `json:"request"`
		Context map[string]any `json:"context"`
		Present bool           `json:"present"`
	} `json:"context"`
	Policy struct{ Path, Revision, Digest string } `json:"policy"`
}

// decided sends a call that must be answered with a decision.
func (s *server) decided(t *testing.T, path, body string) answer {
	t.Helper()
	resp, text := s.post(t, path, body)
	if resp.StatusCode != 200 {
		t.Fatalf("%s: %s", resp.Status, text)
	}
	return decode[answer](t, text)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}
