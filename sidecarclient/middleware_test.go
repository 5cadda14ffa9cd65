package sidecarclient_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecartest"
)

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answered sends a request through a guarded application.
func answered(cfg sidecarclient.MiddlewareConfig, app http.HandlerFunc, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	sidecarclient.Middleware(cfg)(app).ServeHTTP(w, r)
	return w
}

// unreachable is an application that must not be called.
func unreachable(t *testing.T) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { t.Error("the application was called") }
}

func TestObligationsAreHonouredByTheHandlersOfTheirTypes(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("/allow", sidecartest.Oblige(sidecartest.Allow(), "audit", "watermark")),
		sidecartest.On("/deny", sidecartest.Oblige(sidecartest.Deny(403, "no", "no"), "unheard-of", "audit")))
	var audited []string
	fails := false
	log := &testkit.LogBuffer{}
	cfg := sidecarclient.MiddlewareConfig{Client: s.Client(), Log: log.Logger(),
		Obligations: map[string]sidecarclient.ObligationHandler{
			"audit": func(r *http.Request, o sidecarclient.Obligation) error {
				d, _ := sidecarclient.FromContext(r.Context())
				audited = append(audited, string(d.Kind)+" "+o.ID+" "+string(o.Object))
				if fails {
					return errors.New("the audit log is full")
				}
				return nil
			},
			"watermark": sidecarclient.HonouredByApplication,
		}}
	called := false
	app := func(http.ResponseWriter, *http.Request) { called = true }
	if w := answered(cfg, app, httptest.NewRequest("GET", "/allow", nil)); w.Code != 200 || !called {
		t.Errorf("allowed: %d %s", w.Code, w.Body)
	}
	if want := []string{`allow audit {"id":"audit","type":"audit"}`}; !slices.Equal(audited, want) {
		t.Errorf("honoured %q, want %q", audited, want)
	}
	if w := answered(cfg, unreachable(t), httptest.NewRequest("GET", "/deny", nil)); w.Code != 403 ||
		len(audited) != 2 {
		t.Errorf("denied: %d %s, honoured %q", w.Code, w.Body, audited)
	}
	fails = true
	if w := answered(cfg, unreachable(t), httptest.NewRequest("GET", "/allow", nil)); w.Code != 500 ||
		strings.Contains(w.Body.String(), "full") {
		t.Errorf("a handler that fails: %d %s", w.Code, w.Body)
	}
	if !log.Has("the audit log is full") || !log.Has("decision_id") {
		t.Errorf("the log: %s", log)
	}
}

func TestAnObligationWithoutAHandlerRefusesAndTheOthersAreHonoured(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("**", sidecartest.Oblige(sidecartest.Allow(), "unheard-of", "audit")))
	audited := 0
	w := answered(sidecarclient.MiddlewareConfig{Client: s.Client(), Log: (&testkit.LogBuffer{}).Logger(),
		Obligations: map[string]sidecarclient.ObligationHandler{
			"audit": func(*http.Request, sidecarclient.Obligation) error { audited++; return nil }},
	}, unreachable(t), httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInternalServerError || audited != 1 {
		t.Errorf("%d %s, %d audited", w.Code, w.Body, audited)
	}
}

func TestARefusalIsAProblemWithTheDecisionAndWithoutItsDetails(t *testing.T) {
	d := sidecartest.Deny(403, "insufficient_scope", "orders:write is needed")
	d.ID = "01J0"
	d.Reasons[0].Object =
		json.RawMessage(`{"code":"insufficient_scope","message":"orders:write is needed","rule":"x7"}`)
	d.Headers.Set("WWW-Authenticate", `Bearer error="insufficient_scope"`)
	s := sidecartest.New(t, sidecartest.On("**", d))
	w := answered(sidecarclient.MiddlewareConfig{Client: s.Client()}, unreachable(t),
		httptest.NewRequest("PUT", "/", nil))
	const want = `{"title":"Forbidden","status":403,"decision_id":"01J0",` +
		`"reasons":[{"code":"insufficient_scope","message":"orders:write is needed"}]}` + "\n"
	if w.Body.String() != want || w.Code != 403 || w.Header().Get("Content-Type") != "application/problem+json" ||
		w.Header().Get("WWW-Authenticate") == "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestOnRefuseAnswersInPlaceOfTheProblem(t *testing.T) {
	s := sidecartest.New(t)
	w := answered(sidecarclient.MiddlewareConfig{Client: s.Client(),
		OnRefuse: func(w http.ResponseWriter, r *http.Request, f sidecarclient.Refusal) {
			http.Error(w, f.Decision.Reasons[0].Code+" "+r.URL.Path, f.Status)
		}}, unreachable(t), httptest.NewRequest("GET", "/a", nil))
	if w.Code != 403 || w.Body.String() != "no_rule /a\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestHeadersForTheClientJoinThoseThatAreThere(t *testing.T) {
	d := sidecartest.Allow()
	d.Headers = http.Header{"Dpop-Nonce": {"n2"}}
	s := sidecartest.New(t, sidecartest.On("**", d))
	w := httptest.NewRecorder()
	w.Header().Set("X-Outer", "1")
	sidecarclient.Middleware(sidecarclient.MiddlewareConfig{Client: s.Client()})(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Own", "1") },
	)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	for _, name := range []string{"DPoP-Nonce", "X-Outer", "X-Own"} {
		if w.Header().Get(name) == "" {
			t.Errorf("%s is missing: %v", name, w.Header())
		}
	}
}

// TestAConnectionHeaderDoesNotTakeUpstreamHeadersAway: a proxy in the application removes what Connection names.
func TestAConnectionHeaderDoesNotTakeUpstreamHeadersAway(t *testing.T) {
	var got http.Header
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer upstream.Close()
	to, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := sidecartest.New(t, sidecartest.On("**", sidecartest.Allow("X-Subject", "alice", "X-Tenant", "")))
	proxy := httputil.NewSingleHostReverseProxy(to)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = http.Header{"Connection": {"x-subject, X_Subject", "X-Hop"}, "X-Subject": {"root"},
		"X_subject": {"root"},
		"x.subject": {"root"}, "X-Hop": {"1"}, "X-Tenant": {"globex"}, "X-Kept": {"1"}}
	before := r.Header.Clone()
	answered(sidecarclient.MiddlewareConfig{Client: s.Client()}, proxy.ServeHTTP, r)
	for name, values := range got {
		spelt := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
		if spelt == "x-subject" && !slices.Equal(values, []string{"alice"}) {
			t.Errorf("the upstream got %s: %q", name, values)
		}
	}
	if got.Get("X-Subject") != "alice" || got.Get("X-Hop") != "" || got.Get("X-Tenant") != "" ||
		got.Get("X-Kept") != "1" {
		t.Errorf("the upstream got %v", got)
	}
	if string(mustJSON(t, r.Header)) != string(mustJSON(t, before)) {
		t.Errorf("the request outside was changed: %v", r.Header)
	}
}

func TestAnUpgradePasses(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("/socket", sidecartest.Allow()))
	server := httptest.NewServer(sidecarclient.Middleware(sidecarclient.MiddlewareConfig{Client: s.Client()})(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack() // as WebSocket libraries do
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+
				"echo\r\n\r\nhello")
		})))
	defer server.Close()
	r, err := http.NewRequest("GET", server.URL+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := bufio.NewReader(resp.Body).Peek(5)
	if resp.StatusCode != http.StatusSwitchingProtocols || string(text) != "hello" {
		t.Errorf("%d %q %v", resp.StatusCode, text, err)
	}
}

func TestTheBodyIsTheApplications(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("**", sidecartest.Allow()))
	var got []byte
	answered(sidecarclient.MiddlewareConfig{Client: s.Client()}, func(_ http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
	}, httptest.NewRequest("POST", "/", strings.NewReader("hello")))
	if string(got) != "hello" || s.Questions()[0].Body != nil {
		t.Errorf("the application read %q, the sidecar %q", got, s.Questions()[0].Body)
	}
}

func TestAWrongCallIsToldToTheOperatorAlone(t *testing.T) {
	server := httptest.NewServer(testkit.Reply(400, "application/json",
		`{"error":{"code":"wrong_type","message":"want an array of strings","pointer":"/request/headers/x"}}`))
	defer server.Close()
	client, err := sidecarclient.New(sidecarclient.Config{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	log := &testkit.LogBuffer{}
	w := answered(sidecarclient.MiddlewareConfig{Client: client, Log: log.Logger()}, unreachable(t),
		httptest.NewRequest("GET", "/", nil))
	const said = "status 400: wrong_type: /request/headers/x: want an array of strings"
	if w.Code != 500 || strings.Contains(w.Body.String(), "wrong_type") || !log.Has(said) || !log.Has("level=ERROR") {
		t.Errorf("%d %s\n%s", w.Code, w.Body, log)
	}
	_, err = client.Decide(t.Context(), sidecarclient.Request{})
	var wrong *sidecarclient.CallError
	if !errors.As(err, &wrong) || wrong.Pointer != "/request/headers/x" || wrong.Code != "wrong_type" ||
		wrong.Status != 400 {
		t.Errorf("%v", err)
	}
}

func TestAMiddlewareWithoutAClientPanicsAtOnce(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	sidecarclient.Middleware(sidecarclient.MiddlewareConfig{})
}
