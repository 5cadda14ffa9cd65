package devissuer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	clientSecret   = "client-s3cret"
	awkwardSecret  = "p+ss :%&=ü word"
	resourceSecret = "resource-s3cret"
)

// known is a configuration with one party of each kind.
func known() Config {
	return Config{
		Clients: []Client{
			{ID: "shop", Secret: secret.New(clientSecret), Scopes: []string{"orders:read", "orders:write"},
				Audiences: []string{"https://api.example/", "https://other.example/", "plain"}, Tenant: "acme",
				Roles: []string{"clerk", "admin"}},
			{ID: "alice-app", Secret: secret.New(clientSecret), Scopes: []string{"orders:read"}, Subject: "u-1",
				Username: "alice"},
			{ID: "signed", Secret: secret.New(clientSecret), Scopes: []string{"orders:read"},
				Audiences: []string{"https://api.example/"}, Tenant: "acme", TokenFormat: JWT},
			{ID: "chooser", Secret: secret.New(clientSecret), Scopes: []string{"orders:read"}, ChoosesClaims: true},
			{ID: "odd: %id", Secret: secret.New(awkwardSecret)},
		},
		ResourceServers: []ResourceServer{
			{ID: "gate", Secret: secret.New(resourceSecret)},
			{ID: "narrow", Secret: secret.New(resourceSecret), Audience: []string{"https://api.example/"}},
		},
	}
}

// start serves cfg on a loopback port until the test ends.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	ln := listen(t)
	cfg.Issuer = URL(ln) + cfg.Issuer
	s := build(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func build(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Issuer == "" {
		cfg.Issuer = "http://127.0.0.1:9"
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// answer is an HTTP answer, read to its end.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (a answer) is(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.json["error"] != code {
		t.Errorf("got %d %q, want %d %q", a.status, a.json["error"], status, code)
	}
}

// edit changes a request before it is sent.
type edit func(*http.Request)

func basic(id, key string) edit {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(key)) }
}

var asGate = basic("gate", resourceSecret)

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

func call(t *testing.T, method, target, body string, edits ...edit) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, e := range edits {
		e(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(b)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(b, &a.json); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
	}
	return a
}

func introspect(t *testing.T, s *Server, token string, edits ...edit) answer {
	t.Helper()
	if edits == nil {
		edits = []edit{asGate}
	}
	return call(t, "POST", s.Issuer()+"/introspect", form("token", token), edits...)
}

func issue(t *testing.T, s *Server, g Grant) string {
	t.Helper()
	token, err := s.Issue(g)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestNewReportsAllFaultsAtOnceAndNoSecret(t *testing.T) {
	key := secret.New("do-not-print")
	_, err := New(Config{
		Issuer:   "ftp://x",
		TokenTTL: -1,
		Clients: []Client{
			{ID: "a", Secret: key, Scopes: []string{"two words"}},
			{ID: "a", Secret: key, TokenFormat: "saml"},
			{ID: "b"},
			{ID: "c", Secret: key, TokenFormat: JWT},
			{ID: "d", Secret: key, Audiences: []string{""}},
		},
		ResourceServers: []ResourceServer{{ID: "a", Secret: key}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`issuer "ftp://x": not an http`, "is negative", `"two words" is not a scope token`,
		`"a": identifier is used twice`,
		`format "saml" is not known`, `"b": identifier or secret is empty`, `"c": a JWT needs an audience`,
		`"d": an audience is empty`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "do-not-print") {
		t.Errorf("leaks the secret: %v", err)
	}
}

func TestNewRefusesIssuersThatCannotBeIdentical(t *testing.T) {
	for _, issuer := range []string{"", "x", "http://", "http://h/", "http://h/a/", "http://h/a/../b", "http://h?x",
		"http://h#", "http://u:p@h", "http://h/{a}", "http://h/%41", "http://h:x", "http://h/a b"} {
		if _, err := New(Config{Issuer: issuer}); err == nil {
			t.Errorf("%q is accepted", issuer)
		}
	}
}

func TestURLOfAListenerOnAllAddressesIsLoopback(t *testing.T) {
	ln, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if got, want := URL(ln), fmt.Sprintf("http://127.0.0.1:%d", ln.Addr().(*net.TCPAddr).Port); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestServeStopsAlthoughARequestHangs(t *testing.T) {
	ln := listen(t)
	s := build(t, Config{Issuer: URL(ln)})
	arrived := make(chan struct{})
	s.SetFault(func(*http.Request) *Fault { close(arrived); return &Fault{Then: Hang} })
	ctx, cancel := context.WithCancel(t.Context())
	served, left := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	go func() {
		resp, err := http.Get(s.Issuer() + "/jwks")
		if err == nil {
			_ = resp.Body.Close()
		}
		left <- err
	}()
	<-arrived
	begin := time.Now()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	if err := <-left; err == nil {
		t.Error("the hanging request was answered")
	}
}

func TestServeLetsRequestsFinish(t *testing.T) {
	ln := listen(t)
	s := build(t, Config{Issuer: URL(ln)})
	arrived := make(chan struct{})
	s.SetFault(func(*http.Request) *Fault { close(arrived); return &Fault{Delay: 100 * time.Millisecond} })
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	go func() { <-arrived; cancel() }()
	if a := call(t, "GET", s.Issuer()+"/jwks", ""); a.status != http.StatusOK {
		t.Errorf("got %d", a.status)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	ln := listen(t)
	s := build(t, Config{Issuer: URL(ln)})
	_ = ln.Close()
	if err := s.Serve(t.Context(), ln); err == nil || !strings.HasPrefix(err.Error(), "serve development issuer on ") {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsLogged(t *testing.T) {
	var logged bytes.Buffer
	previous, flags, slogger := log.Writer(), log.Flags(), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	log.SetOutput(&logged)
	t.Cleanup(func() { slog.SetDefault(slogger); log.SetOutput(previous); log.SetFlags(flags) })

	s := start(t, known())
	token := issue(t, s, Grant{ClientID: "shop"})
	introspect(t, s, token)
	introspect(t, s, token, basic("gate", "wrong"))
	call(t, "POST", s.Issuer()+"/revoke", form("token", token), basic("shop", clientSecret))
	s.SetFault(func(r *http.Request) *Fault { panic(r.URL.Path) })
	if resp, err := http.Get(s.Issuer() + "/jwks"); err == nil {
		_ = resp.Body.Close()
		t.Error("a panic was answered")
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %s", &logged)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	s := start(t, known())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				token := call(t, "POST", s.Issuer()+"/token", form("grant_type", "client_credentials"),
					basic("shop", clientSecret)).json["access_token"].(string)
				if introspect(t, s, token).json["active"] != true {
					t.Error("a fresh token is not active")
				}
				call(t, "POST", s.Issuer()+"/revoke", form("token", token), basic("shop", clientSecret))
				if introspect(t, s, token).json["active"] != false {
					t.Error("a revoked token is active")
				}
			}
		})
	}
	wg.Wait()
	if got := s.Calls(); got != 8*20*2 {
		t.Errorf("counted %d calls, want %d", got, 8*20*2)
	}
}

func TestHandlerWorksUnderAServerOfTheCaller(t *testing.T) {
	srv := httptest.NewUnstartedServer(nil)
	cfg := known()
	cfg.Issuer = URL(srv.Listener)
	s := build(t, cfg)
	srv.Config.Handler = s.Handler()
	srv.Start()
	defer srv.Close()
	if a := introspect(t, s, issue(t, s, Grant{Subject: "u"})); a.json["active"] != true || a.json["iss"] != srv.URL {
		t.Errorf("got %s", a.text)
	}
}
