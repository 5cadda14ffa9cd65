package sidecarclient_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecartest"
)

func TestAConfigurationThatIsWrongIsRefusedByTheNameOfItsMember(t *testing.T) {
	for want, cfgs := range map[string][]sidecarclient.Config{
		`Address "127.0.0.1:8181": want http://HOST:PORT`: {{Address: "127.0.0.1:8181"}},
		`Address "`: {{Address: "localhost:8181"}, {Address: "ftp://h"}, {Address: "http://"}, {Address: "unix://a/b"},
			{Address: "unix:///"}, {Address: "http://h/?a"}, {Address: "http://h/#a"}, {Address: "http://h/#"}},
		"Timeout: is negative":        {{Timeout: -1}},
		"MaxAnswerBytes: is negative": {{MaxAnswerBytes: -1}},
		"MaxIdleConns: is negative":   {{MaxIdleConns: -1}},
		"CallerKey: has a blank":      {{CallerKey: "a\nb"}, {CallerKey: "a b"}},
		"Entrypoint: want the path of a rule": {{Entrypoint: "/a"}, {Entrypoint: "../status"}, {Entrypoint: "a?b"},
			{Entrypoint: "batch"}, {Entrypoint: "a//b"}},
		"TLS: has no effect":       {{Transport: http.DefaultTransport, TLS: &tls.Config{}}},
		"Address: a unix socket n": {{Transport: http.DefaultTransport, Address: "unix:///run/s"}},
	} {
		for _, cfg := range cfgs {
			if _, err := sidecarclient.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want %s", cfg, err, want)
			}
		}
	}
	_, err := sidecarclient.New(sidecarclient.Config{Address: "http://user:hunter2-hunter2@h"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an address with a password: %v", err)
	}
}

// sound answers every call with an allow, and keeps the last.
func sound(last **http.Request) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if last != nil {
			*last = r
		}
		testkit.ReplyJSON(allowJSON)(w, r)
	})
}

const allowJSON = `{"decision_id":"01J","allow":true,"kind":"allow","status":200,"reasons":[],"headers":{},` +
	`"upstream_headers":{},"context":{},"policy":{"path":"authz/decision","revision":"1","digest":"sha256:00"}}`

func decide(t *testing.T, cfg sidecarclient.Config) (sidecarclient.Decision, error) {
	t.Helper()
	c, err := sidecarclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/orders/42"})
}

func TestAUnixSocketIsAsked(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: sound(nil)}}
	server.Start()
	defer server.Close()
	if d, err := decide(t, sidecarclient.Config{Address: "unix://" + socket}); err != nil || !d.Allow {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestATLSListenerIsTrustedByItsAuthorityAlone(t *testing.T) {
	ca := testkit.NewAuthority(t)
	server := httptest.NewUnstartedServer(sound(nil))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Server(t).Certificate}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the last client leaves in the handshake
	server.StartTLS()
	defer server.Close()
	if d, err := decide(t, sidecarclient.Config{Address: server.URL,
		TLS: &tls.Config{RootCAs: ca.Pool()}}); err != nil ||
		!d.Allow {
		t.Errorf("with the authority: %+v, %v", d, err)
	}
	other := testkit.NewAuthority(t)
	if d, err := decide(t, sidecarclient.Config{Address: server.URL,
		TLS: &tls.Config{RootCAs: other.Pool()}}); err == nil {
		t.Errorf("with another authority: %+v", d)
	}
}

func TestTheCallHasTheCallerKeyAndTheEntrypoint(t *testing.T) {
	var last *http.Request
	server := httptest.NewServer(sound(&last))
	defer server.Close()
	if _, err := decide(t, sidecarclient.Config{Address: server.URL + "/prefix/", CallerKey: "key-1",
		Entrypoint: "billing/decision"}); err != nil {
		t.Fatal(err)
	}
	if last.URL.Path != "/prefix/v1/decisions/billing/decision" ||
		last.Header.Get("Authorization") != "Bearer key-1" ||
		last.Header.Get("Content-Type") != "application/json" || last.Header["Idempotency-Key"] != nil {
		t.Errorf("%s %v", last.URL, last.Header)
	}
}

func TestAProxyOfTheEnvironmentIsNotAsked(t *testing.T) {
	proxy := httptest.NewServer(sound(nil))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	if d, err := decide(t, sidecarclient.Config{Address: "http://sidecar.invalid:8181"}); err == nil {
		t.Errorf("the proxy answered: %+v", d)
	}
}

// counted is a transport of the program's own.
type counted struct{ calls int }

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls++
	return http.DefaultTransport.RoundTrip(r)
}

func TestATransportOfTheProgramsOwnMakesTheCalls(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("**", sidecartest.Allow()))
	own := &counted{}
	if d, err := decide(t, sidecarclient.Config{Address: s.URL, Transport: own}); err != nil || !d.Allow ||
		own.calls != 1 {
		t.Errorf("%+v, %v, %d calls", d, err, own.calls)
	}
}
