package ssf

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

const (
	testHeader  = "Bearer the-stream-shows-this"
	receiverURL = "https://sidecar.example/v1/events/acme/shared-signals"
)

// testConfig receives pushes of a stream that the operator manages.
func testConfig(t testing.TB) Config {
	return Config{
		Delivery: deliveryPush, Manage: manageOff, Audience: []string{transmitter.StreamAudience},
		Algorithms: []string{"RS256"}, Description: "sidecar", Authorization: testkit.SecretFile(t, testHeader),
		Scope: []string{"ssf.read", "ssf.manage"}, PollWait: 2 * time.Second, PollEvery: 10 * time.Millisecond,
		VerifyEvery: time.Second, DownAfter: 4 * time.Second, DownTTL: 5 * time.Second,
	}
}

// openAt returns the stream of an issuer with a changed configuration.
func openAt(t testing.TB, issuer oauth.Config, change func(*Config), deps signals.Deps) (*Stream,
	*transmitter.Ledger) {
	t.Helper()
	cfg, l := testConfig(t), &transmitter.Ledger{}
	if change != nil {
		change(&cfg)
	}
	deps.Evictor, deps.Limiter, deps.Metrics = l, l, l.Registry()
	deps.Log = slog.New(slog.NewTextHandler(l, nil))
	deps = deps.WithDefaults()
	needs := []oauth.Endpoint{oauth.JWKS}
	if cfg.NeedsGrant() {
		needs = append(needs, oauth.TokenEndpoint)
	}
	server, err := oauth.New(issuer, oauth.Deps{Needs: needs, Log: deps.Log, Transport: deps.Transport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s, err := New(cfg, Deps{
		Issuer: issuer, Server: server, Deps: deps,
		Recorder: signals.NewRecorder(issuer.Name, signals.KindSharedSignals, deps),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, l
}

func openFor(t testing.TB, p *transmitter.Server, change func(*Config)) (*Stream, *transmitter.Ledger) {
	t.Helper()
	return openAt(t, transmitter.Issuer(t, p.URL), change, signals.Deps{})
}

// post pushes a body.
func post(t testing.TB, h http.Handler, contentType, authorization, body string) *httptest.ResponseRecorder {
	t.Helper()
	return transmitter.Post(t, h, "/", body,
		map[string]string{"Content-Type": contentType, "Authorization": authorization})
}

func postSet(t testing.TB, h http.Handler, tok string) *httptest.ResponseRecorder {
	t.Helper()
	return post(t, h, "application/secevent+jwt", testHeader, tok)
}

// last is the last of some lifetimes, or -1.
func last(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return -1
	}
	return all[len(all)-1]
}
