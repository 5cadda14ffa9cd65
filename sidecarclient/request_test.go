package sidecarclient_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecartest"
)

func TestTheTargetIsTheOneThatArrived(t *testing.T) {
	for _, target := range []string{"/orders/42%3Fx=1", "/orders%2F42?a=%20", "//a/../b", "/a;b=c", "/?", "/a?b?c",
		"http://api.example/orders%2F42", "*"} {
		method := "GET"
		if target == "*" {
			method = "OPTIONS"
		}
		r := httptest.NewRequest(method, target, nil)
		if got := sidecarclient.RequestFrom(r).URL; got != target {
			t.Errorf("%s: asked about %s", target, got)
		}
	}
}

func TestAHandlerThatChangesTheURLDoesNotChangeTheTarget(t *testing.T) {
	var got string
	h := http.StripPrefix("/api", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = sidecarclient.RequestFrom(r).URL
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/orders%2F42", nil))
	if got != "/api/orders%2F42" {
		t.Errorf("asked about %s", got)
	}
}

func TestARequestThatAProgramMadeHasItsURLAsTarget(t *testing.T) {
	r, err := http.NewRequest("GET", "https://api.example/orders%2F42?a=b", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := sidecarclient.RequestFrom(r).URL; got != "https://api.example/orders%2F42?a=b" {
		t.Errorf("asked about %s", got)
	}
}

func TestAllHeadersArePassedOn(t *testing.T) {
	r := httptest.NewRequest("GET", "http://api.example/", nil)
	r.Header = http.Header{"Dpop": {"a", "b"}, "X_Tenant": {"acme"}, "X-Latin": {"caf\xe9"}, "X-Utf8": {"café"}}
	q := sidecarclient.RequestFrom(r)
	for name, want := range map[string][]string{"Dpop": {"a", "b"}, "X_Tenant": {"acme"}, "X-Latin": {"café"},
		"X-Utf8": {"café"}, "Host": {"api.example"}} {
		if !slices.Equal(q.Headers[name], want) {
			t.Errorf("%s: %q, want %q", name, q.Headers[name], want)
		}
	}
	if r.Header.Get("X-Latin") != "caf\xe9" || r.Header.Get("Host") != "" {
		t.Errorf("the request of the application was changed: %q", r.Header)
	}
}

func TestATargetThatIsNotUTF8KeepsItsBytes(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RequestURI = "/caf\xe9"
	if got := sidecarclient.RequestFrom(r).URL; got != "/caf%E9" {
		t.Errorf("asked about %q", got)
	}
}

func TestTheSourceIsTheAddressOfTheConnection(t *testing.T) {
	for remote, want := range map[string]string{"10.1.2.3:80": "10.1.2.3", "[2001:db8::1]:80": "2001:db8::1",
		"[fe80::1%eth0]:80": "fe80::1", "[::ffff:10.1.2.3]:80": "10.1.2.3", "@": "", "": "", "10.1.2.3": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		if got := sidecarclient.RequestFrom(r).SourceIP; got != want {
			t.Errorf("%q: %q, want %q", remote, got, want)
		}
	}
}

// TestHTTP2AndACertificateOfTheClient: over HTTP/2 the target is :path, and Host is :authority.
func TestHTTP2AndACertificateOfTheClient(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("/orders%2F42", sidecartest.Allow("X-Subject", "alice")))
	ca := testkit.NewAuthority(t)
	guard := sidecarclient.Middleware(sidecarclient.MiddlewareConfig{
		Client: s.Client(),
		Question: func(r *http.Request) sidecarclient.Request {
			q := sidecarclient.RequestFrom(r)
			q.ClientCertificate = sidecarclient.ClientCertificate(r)
			return q
		},
	})
	server := httptest.NewUnstartedServer(guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.Header.Get("X-Subject"))
	})))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Server(t).Certificate}, ClientCAs: ca.Pool(),
		ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	defer server.Close()
	mine := ca.Client(t, "web.example")
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: ca.Pool(),
		Certificates: []tls.Certificate{mine.Certificate}}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(server.URL + "/orders%2F42")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "HTTP/2.0 alice" {
		t.Errorf("%s, %v", body, err)
	}
	q := s.Questions()[0]
	if q.URL != "/orders%2F42" || q.ClientCertificate != mine.PEM() ||
		q.Headers.Get("Host") != server.Listener.Addr().String() {
		t.Errorf("asked about %+v", q)
	}
	if got := sidecarclient.ClientCertificate(httptest.NewRequest("GET", "/", nil)); got != "" {
		t.Errorf("a plain request has the certificate %q", got)
	}
}

func TestTheRestOfAQuestionArrives(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("**", sidecartest.Allow()))
	_, err := s.Client().Decide(t.Context(), sidecarclient.Request{Method: "POST", URL: "/", Body: []byte("x\xff"),
		Token: "t", Context: map[string]any{"amount": 7}})
	if err != nil {
		t.Fatal(err)
	}
	q := s.Questions()[0]
	if string(q.Body) != "xÿ" || q.Token != "t" || !strings.Contains(string(mustJSON(t, q.Context)), `{"amount":7}`) {
		t.Errorf("asked about %+v", q)
	}
}
