//go:build real

package realtest

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// envoyWorld is an Envoy between clients and an application, with a sidecar to ask.
type envoyWorld struct {
	*guard
	*application
	envoy   *process
	address string
}

// startEnvoyWorld runs the two files of the page, changed by pairs of texts.
func startEnvoyWorld(t *testing.T, gateway, sidecar string, changes ...string) *envoyWorld {
	t.Helper()
	here := strings.NewReplacer(changes...)
	w := &envoyWorld{guard: startGuard(t, here.Replace(sidecar)), application: startApplication(t)}
	at := places{listen: testkit.HoldPort(t).Addr(), sidecar: w.door, application: w.application.address(),
		api: strings.TrimPrefix(w.api, "http://")}
	w.address = at.listen
	w.envoy = startEnvoy(t, map[string]string{"envoy.yaml": here.Replace(gateway)}, at)
	w.envoy.await(t, 30*time.Second, func() bool { return listens(at.listen) })
	return w
}

// ask sends a request with the token of a reader, and returns what the client and the application got.
func (w *envoyWorld) ask(t *testing.T, q wireRequest) (wireAnswer, []wireSeen) {
	t.Helper()
	before := len(w.requests())
	q.header = slices.Concat(w.credentials(readerToken), q.header)
	a := q.exchange(t, w.address)
	return a, w.requests()[before:]
}

// TestEnvoyAsksOverAUnixSocket: the page says how its files change.
func TestEnvoyAsksOverAUnixSocket(t *testing.T) {
	t.Parallel()
	files := pageFiles(t, "envoy.md")
	const tcp = "endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 8190 } } }"
	socket := filepath.Join(t.TempDir(), "s")
	pipe := strings.Replace(strings.TrimSpace(files["unix.yaml"]), "/run/sidecar/grpc.sock", socket, 1)
	w := startEnvoyWorld(t, files["envoy.yaml"], files["sidecar.yaml"], tcp, pipe, "address: 127.0.0.1:8190",
		"address: unix://"+socket)
	if a, seen := w.ask(t, wireRequest{}); a.status != 200 || len(seen) != 1 || seen[0].value("X-Subject") != "alice" {
		t.Errorf("the client gets %d, the application %v", a.status, seen)
	}
	if a, seen := w.ask(t, wireRequest{target: "/admin"}); a.status != 403 || len(seen) > 0 {
		t.Errorf("the client gets %d, the application %v", a.status, seen)
	}
}

// TestEnvoyAsksOverTLSWithAKeyAndABody runs the files for Envoy on another machine. They are changed to let a request
// pass after any error of gRPC: no answer of the sidecar is one.
func TestEnvoyAsksOverTLSWithAKeyAndABody(t *testing.T) {
	t.Parallel()
	files := pageFiles(t, "envoy.md")
	authority := testkit.NewAuthority(t)
	ca := testkit.TempFile(t, "ca.crt", authority.PEM())
	serverCert, serverKey := authority.Server(t).Files(t)
	clientCert, clientKey := authority.Client(t, "envoy").Files(t)
	w := startEnvoyWorld(t, files["envoy-tls.yaml"], files["sidecar-tls.yaml"],
		"failure_mode_allow: false", "failure_mode_allow: true",
		"/etc/envoy/ca.crt", ca, "/etc/envoy/client.crt", clientCert, "/etc/envoy/client.key", clientKey,
		"/etc/sidecar/tls/tls.crt", serverCert, "/etc/sidecar/tls/tls.key", serverKey,
		"/etc/sidecar/tls/gateways.crt", ca, "/run/secrets/sidecar-envoy-keys",
		testkit.TempFile(t, "keys", "9f2c1d7e5a4b8036-change-this-key\n"),
		"    # Its key is", "    limits: {body_bytes: 32768}\n    # Its key is")
	refused := func(t *testing.T, a wireAnswer, seen []wireSeen, status int) {
		t.Helper()
		if a.status != status || len(seen) > 0 || !strings.Contains(a.body, `"reasons"`) {
			t.Errorf("the client gets %d %s, the application %v", a.status, a.body, seen)
		}
	}
	t.Run("a request passes as decided, and the access log names the decision", func(t *testing.T) {
		if a, seen := w.ask(t, wireRequest{}); a.status != 200 || len(seen) != 1 {
			t.Fatalf("the client gets %d %s, the application %v", a.status, a.body, seen)
		}
		a, seen := w.ask(t, wireRequest{target: "/admin"})
		refused(t, a, seen, 403)
		_, id, _ := strings.Cut(a.body, `"decision_id":"`)
		id, _, _ = strings.Cut(id, `"`)
		w.envoy.await(t, 30*time.Second, func() bool {
			return strings.Contains(testkit.ReadFile(t, w.envoy.stdout), "GET 403 "+id+"\n")
		})
	})
	t.Run("a route has a policy of its own, which tells Envoy more", w.hasItsOwnPolicy)
	t.Run("an outage of the authorization server is no pass", func(t *testing.T) {
		authserver.FailIntrospection(w.issuer, authserver.Answer(http.StatusServiceUnavailable, "", "{}"))
		defer authserver.FailIntrospection(w.issuer, nil)
		before := len(w.requests())
		a := wireRequest{header: w.credentials(freshToken)}.exchange(t, w.address)
		refused(t, a, w.requests()[before:], 503)
		if a.header.Get("Retry-After") == "" {
			t.Error("Retry-After is missing")
		}
	})
	t.Run("a check that is too large is no pass", func(t *testing.T) {
		a, seen := w.ask(t, wireRequest{method: "POST", body: strings.Repeat("x", 40<<10)})
		refused(t, a, seen, 413)
	})
}

// hasItsOwnPolicy asks below /reports, where a policy answers with instructions for Envoy.
func (w *envoyWorld) hasItsOwnPolicy(t *testing.T) {
	a, seen := w.ask(t, wireRequest{method: "POST", target: "/reports?x=1&ten%61nt=evil&admin=1&%61dmin=2&tenant=evil",
		body: "caf\xe9", header: []field{{"X-Tenant", "mallory"}, {"X-Latin", "caf\xe9"}}})
	if a.status != 200 || len(seen) != 1 {
		t.Fatalf("the client gets %d %s, the application %v", a.status, a.body, seen)
	}
	s := seen[0]
	if s.target != "/reports?tenant=a%20b%26c%3Dd&x=1" { // Envoy sorts the names
		t.Errorf("the application gets %s", s.target)
	}
	for name, want := range map[string]string{"Authorization": "", "X-Tenant": "", "X-Subject": "alice",
		"X-Latin": "caf\xe9", "X-Seen": `{"body":null,"extensions":{"policy":"reports/decision"}}`} {
		if got := s.values(name); strings.Join(got, "|") != want {
			t.Errorf("the application gets %s %q, want %q", name, got, want)
		}
	}
}
