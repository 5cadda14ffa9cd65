package authzen_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/authzen"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// The users of the vectors.
const (
	rick   = "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"
	morty  = "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"
	summer = "CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"
)

// goodToken is a token of morty; downToken is one whose server does not answer.
const (
	goodToken = "a-good-token-of-morty-0123456789"
	downToken = "a-token-of-a-server-that-is-down"
)

// servers stand for authorization servers.
type servers struct{ known introspect.Introspector }

func (s servers) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	switch q.Token.Reveal() {
	case goodToken:
		return s.known.Introspect(ctx, q)
	case downToken:
		return nil, &authz.Error{Kind: authz.Unavailable, RetryAfter: 7 * time.Second,
			Err: context.DeadlineExceeded}
	}
	return &authz.Claims{}, nil // inactive
}

// api is the door of the example bundle with the users of the vectors.
type api struct {
	mount door.Mount
	log   *testkit.LogBuffer
}

func config() authzen.Config {
	return authzen.Config{
		Entrypoint: "todo/decision", Token: authz.TokenOptional, TokenSubjectTypes: []string{"access_token"},
		PublicURL: "https://pdp.example/tenant",
		Search: authzen.Search{Subject: "todo/search/subjects", Resource: "todo/search/resources",
			Action: "todo/search/actions"},
	}
}

func open(t testing.TB, cfg authzen.Config) *api {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"decision.rego", "search.rego"} {
		testkit.WriteFile(t, filepath.Join(folder, name), testkit.ReadFile(t, "../../../bundles/todo/"+name))
	}
	testkit.WriteFile(t, filepath.Join(folder, "extra.rego"), extra)
	testkit.WriteFile(t, filepath.Join(folder, "data.json"), testkit.ReadFile(t, "testdata/users.json"))
	set, err := dir.Load(dir.Config{Paths: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := engine.Compile(t.Context(), set, engine.Config{Deadline: 5 * time.Second, AnonymousRequests: true,
		Entities: true}, "todo/decision")
	if err != nil {
		t.Fatal(err)
	}
	known, err := issuer.Static(issuer.Config{}, []byte(`{"active":true,"sub":"`+morty+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	log := &testkit.LogBuffer{}
	point := decision.New(decision.Config{Entrypoint: "todo/decision", Token: authz.TokenRequired, Realm: "acme"},
		&decision.Snapshot{Introspector: servers{known}, Policy: policy}, decision.Deps{
			Input: input.NewRules(input.Config{}), Log: slog.New(slog.NewTextHandler(log, nil)),
		})
	return &api{authzen.Mount(cfg, authzen.Deps{Point: point, Limits: listen.Limits{BodyBytes: 1 << 16, BatchItems: 5,
		ReadTimeout: 5 * time.Second, Timeout: 5 * time.Second}}), log}
}

// extra has policies that say more than the example does.
const extra = `package extra

# METADATA
# entrypoint: true
default decision := {"allow": false}

decision := {"allow": true, "obligations": [{"id": "1", "type": "notify"}], "context": {"note": "n"}} if {
	input.action.name == "noted"
}

decision := {"allow": false, "reasons": [{"code": "closed", "message": "come back later", "until": 9}]} if {
	input.action.name == "closed"
}

decision := {"allow": true, "context": {"subject": input.subject.id}} if input.action.name == "echo"

decision := {"allow": true, "context": {"n": 1 / input.context.zero}} if input.action.name == "broken"

# METADATA
# entrypoint: true
shapeless := {"allow": true, "context": {"candidates": "none"}}
`

// ask posts a body, and returns the answer.
func (a *api) ask(t testing.TB, id, body string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	path := ""
	method := http.MethodPost
	for _, o := range a.mount.Operations {
		if o.ID == id {
			path, method = o.Path, o.Method
		}
	}
	r := httptest.NewRequest(method, strings.ReplaceAll(path, "{path}", "tenant"), strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	a.mount.Handlers[id].ServeHTTP(w, r)
	answer, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), strings.TrimSuffix(string(answer), "\n")
}

// says asks, and compares the status and the whole body.
func (a *api) says(t *testing.T, id, body string, status int, want string) {
	t.Helper()
	if resp, got := a.ask(t, id, body); resp.StatusCode != status || got != want {
		t.Errorf("%s %s: %d %s\nwant %d %s", id, body, resp.StatusCode, got, status, want)
	}
}

// asked is the body of an evaluation.
func asked(subject, action, resource string) string {
	return `{"subject":` + subject + `,"action":{"name":"` + action + `"},"resource":` + resource + `}`
}

const (
	asMorty = `{"type":"user","id":"` + morty + `"}`
	item1   = `{"type":"todo","id":"1"}`
)

func readJSON(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
